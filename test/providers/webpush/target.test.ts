import { createECDH } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../src/core/json.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createTargetCheck, createTargetReader } from '../../../src/providers/shared/endpoints/target.ts'
import { targetOf } from '../../../src/providers/webpush/target.ts'
import type { WebPushOptions } from '../../../src/providers/webpush/options.ts'

const secretTargetOf = (pushkey: string, data: JsonObject) => new Secret(targetOf(pushkey, data))

const P256DH = createECDH('prime256v1').generateKeys('base64url')
const AUTH = 'vDlOt4XayUVDT372cjF-VA'
const ENDPOINT = 'https://push.fake.test/wp/1?x=y'

function read(pushkey: string, data: JsonObject, options: Partial<WebPushOptions> = {}) {
  const reader = createTargetReader({
    vapid_private_key_file: '-',
    vapid_subject: 'mailto:ops@example.org',
    allowed_endpoints: ['*'],
    ...options,
  })
  const found = reader(secretTargetOf(pushkey, data))
  return found.kind === 'target' ? { ...found, endpoint: found.endpoint.href } : found
}
const subscribed = (endpoint: string, options: Partial<WebPushOptions> = {}) =>
  read(P256DH, { endpoint, auth: AUTH }, options)
const rejected = (reason: string) => ({ kind: 'rejected', reason })

describe('a subscription', () => {
  it('is the pushkey as p256dh, with endpoint and auth from the data of the pusher', () => {
    expect(subscribed(ENDPOINT)).toEqual({
      kind: 'target',
      endpoint: ENDPOINT,
      keys: { p256dh: P256DH, auth: AUTH },
      mayBePrivate: false,
      isNamed: false,
    })
  })

  it('may have its keys in the other alphabet of base64, and padded', () => {
    const standard = (text: string) => Buffer.from(text, 'base64url').toString('base64')
    expect(read(standard(P256DH), { endpoint: ENDPOINT, auth: standard(AUTH) })).toMatchObject({
      keys: { p256dh: P256DH, auth: AUTH },
    })
  })

  it('may have keys that an encoder of base64 ended with a line break, as Sygnal takes them', () => {
    expect(read(`${P256DH}\n`, { endpoint: ENDPOINT, auth: ` ${AUTH}\r\n` })).toMatchObject({
      keys: { p256dh: P256DH, auth: AUTH },
    })
  })

  const offTheCurve = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 7)]).toString('base64url')
  const compressed = createECDH('prime256v1').generateKeys('base64url', 'compressed')
  it.each([
    ['no endpoint', P256DH, { auth: AUTH }, 'no_endpoint'], // golden: web-endpoint-missing
    ['an endpoint that is no string', P256DH, { endpoint: 7, auth: AUTH }, 'no_endpoint'],
    ['an endpoint without end', P256DH, { endpoint: `https://a.test/${'x'.repeat(3000)}`, auth: AUTH }, 'no_endpoint'],
    ['no data', P256DH, {}, 'no_endpoint'], // golden: web-data-absent
    ['no auth', P256DH, { endpoint: ENDPOINT }, 'no_keys'], // golden: web-auth-missing
    ['an empty pushkey', '', { endpoint: ENDPOINT, auth: AUTH }, 'no_keys'], // golden: web-p256dh-empty
    ['a pushkey of text', 'hello', { endpoint: ENDPOINT, auth: AUTH }, 'bad_keys'], // golden: web-p256dh-text
    ['a point that is not on the curve', offTheCurve, { endpoint: ENDPOINT, auth: AUTH }, 'bad_keys'],
    ['a compressed point', compressed, { endpoint: ENDPOINT, auth: AUTH }, 'bad_keys'],
    ['an auth that is no base64', P256DH, { endpoint: ENDPOINT, auth: '%%%' }, 'bad_keys'], // golden: web-auth-bad
    ['a short auth', P256DH, { endpoint: ENDPOINT, auth: 'AAAA' }, 'bad_keys'],
    ['a long auth', P256DH, { endpoint: ENDPOINT, auth: 'A'.repeat(43) }, 'bad_keys'],
  ])('with %s is rejected', (_what, pushkey, data, reason) => {
    expect(read(pushkey, data)).toEqual(rejected(reason))
  })

  it('may be the pushkey as a whole, as a browser writes it in JSON', () => {
    const pushkey = JSON.stringify({ endpoint: ENDPOINT, expirationTime: null, keys: { p256dh: P256DH, auth: AUTH } })
    expect(read(pushkey, {})).toMatchObject({ endpoint: ENDPOINT, keys: { p256dh: P256DH, auth: AUTH } })
    expect(read(JSON.stringify({ endpoint: ENDPOINT }), {}, { allow_unencrypted: true })).toEqual(rejected('no_keys'))
    expect(read('{"endpoint":', {})).toEqual(rejected('no_endpoint'))
    expect(read(JSON.stringify({ endpoint: ENDPOINT, keys: [P256DH] }), {})).toEqual(rejected('no_keys'))
  })

  it('is rejected when the queue holds what another type of app left there', () => {
    const reader = createTargetReader({})
    expect(reader(new Secret('fcm-token'))).toEqual(rejected('no_endpoint'))
    expect(reader(new Secret('7'))).toEqual(rejected('no_endpoint'))
  })
})

describe('an endpoint', () => {
  it.each([
    ['not a url', 'bad_endpoint'], // golden: web-endpoint-not-url
    ['http://push.fake.test/wp/1', 'bad_endpoint'],
    ['ftp://push.fake.test/wp/1', 'bad_endpoint'],
    ['file:///etc/passwd', 'bad_endpoint'],
    ['https://user@push.fake.test/', 'bad_endpoint'],
    ['https://user:password@push.fake.test/', 'bad_endpoint'],
    ['https://', 'bad_endpoint'],
  ])('%s is rejected', (endpoint, reason) => {
    expect(subscribed(endpoint)).toEqual(rejected(reason))
  })

  it.each([
    'https://127.0.0.1/',
    'https://127.0.0.1:8443/wp/x',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.0.0.1/',
    'https://0177.0.0.1/',
    'https://%31%32%37.0.0.1/',
    'https://127。0。0。1/',
    'https://①②⑦.⓪.⓪.①/',
    'https://127.0.0.1./',
    'https://0/',
    'https://[::1]/',
    'https://[::]/',
    'https://[0:0:0:0:0:0:0:1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[fd00::1]/',
    'https://[fe80::1]/',
    'https://169.254.169.254/latest/meta-data/',
    'https://10.0.0.1/',
    'https://100.64.0.1/',
    'https://224.0.0.1/',
    'https://203.0.113.1/',
  ])('%s is a private address, however it is spelled', (endpoint) => {
    expect(subscribed(endpoint)).toEqual(rejected('private_address'))
  })

  it.each(['https://1.1.1.1/', 'https://[2606:4700:4700::1111]:8443/x'])('%s is a public address', (endpoint) => {
    expect(subscribed(endpoint)).toMatchObject({ kind: 'target', mayBePrivate: false })
  })

  it('may be private where the operator says so', () => {
    expect(subscribed('https://127.1/', { allow_private_endpoints: ['127.0.0.1'] })).toMatchObject({
      kind: 'target',
      mayBePrivate: true,
    })
    expect(subscribed('https://[::1]/', { allow_private_endpoints: ['[::1]'] })).toMatchObject({ mayBePrivate: true })
    expect(subscribed('https://10.0.0.1/', { allow_private_endpoints: ['127.0.0.1'] }).kind).toBe('rejected')
  })

  it.each([
    ['https://push.fake.test/', 'target'],
    ['https://PUSH.fake.test:8443/', 'target'],
    ['https://eu.push.fake.test/', 'target'], // golden: web-endpoint-sub
    ['https://evil.test/', 'dropped'], // golden: web-endpoint-not-allowed
    ['https://push.fake.test.evil.test/', 'dropped'],
    ['https://evil.test/push.fake.test', 'dropped'],
    ['https://evil.test#push.fake.test', 'dropped'],
    ['https://push.fake.test\\@evil.test/', 'target'], // a path, as URL reads it, and as it is sent
  ])('%s with a list of allowed ones: %s', (endpoint, kind) => {
    expect(subscribed(endpoint, { allowed_endpoints: ['push.fake.test', '*.push.fake.test'] }).kind).toBe(kind)
  })

  it.each([
    ['https://fcm.googleapis.com/fcm/send/x', 'target'],
    ['https://updates.push.services.mozilla.com/wpush/v2/x', 'target'],
    ['https://wns2-par02p.notify.windows.com/w/?token=x', 'target'],
    ['https://web.push.apple.com/x', 'target'],
    ['https://fcm.googleapis.com:8443/', 'dropped'],
    ['https://notify.windows.com.evil.test/', 'dropped'],
    ['https://evilpush.apple.com/', 'dropped'],
    ['https://push.fake.test/', 'dropped'],
    ['https://ntfy.internal/', 'target'],
  ])('%s without a list: %s, as the push services of browsers are known', (endpoint, kind) => {
    const options = { vapid_private_key_file: '-', vapid_subject: '-', allow_private_endpoints: ['ntfy.internal'] }
    expect(createTargetReader(options)(secretTargetOf(P256DH, { endpoint, auth: AUTH })).kind).toBe(kind)
  })

  it('that is not allowed, and nothing else wrong with it, is dropped and never rejected: the configuration may change', () => {
    const none = { allowed_endpoints: [] }
    expect(subscribed(ENDPOINT, none)).toEqual({ kind: 'dropped', reason: 'endpoint_not_allowed' })
    expect(read('hello', { endpoint: ENDPOINT, auth: AUTH }, none)).toEqual(rejected('bad_keys'))
    expect(subscribed('https://127.0.0.1/', none)).toEqual(rejected('private_address'))
  })

  it.each([
    ['https://fcm.googleapis.com/', ['*'], true],
    ['https://fcm.googleapis.com:8443/', ['*'], false],
    ['https://push.fake.test/', ['*'], false],
    ['https://push.fake.test/', ['*', '*.test'], false],
    ['https://push.fake.test/', ['*', '*.fake.test'], true],
    ['https://push.fake.test/', ['*', 'push.fake.test'], true],
  ])('%s is named by the operator with %j: %s', (endpoint, globs, isNamed) => {
    expect(subscribed(endpoint, { allowed_endpoints: globs })).toMatchObject({ kind: 'target', isNamed })
  })
})

describe('a UnifiedPush endpoint as pushkey', () => {
  const plain = { allow_unencrypted: true }

  it('is used with keys where the app knows them', () => {
    expect(read(ENDPOINT, { p256dh: P256DH, auth: AUTH })).toMatchObject({
      endpoint: ENDPOINT,
      keys: { p256dh: P256DH, auth: AUTH },
    })
  })

  it('without keys is rejected, unless the operator lets pushes go in clear', () => {
    expect(read(ENDPOINT, {})).toEqual(rejected('no_keys'))
    const found = read(ENDPOINT, {}, plain)
    expect(found).toMatchObject({ kind: 'target', endpoint: ENDPOINT, keys: undefined })
  })

  it('with half a pair of keys, or bad ones, is rejected all the same', () => {
    expect(read(ENDPOINT, { p256dh: P256DH }, plain)).toEqual(rejected('no_keys'))
    expect(read(ENDPOINT, { p256dh: 'x', auth: AUTH }, plain)).toEqual(rejected('bad_keys'))
  })

  it('does not send a browser that lost its keys anything in clear', () => {
    expect(read('', { endpoint: ENDPOINT }, plain)).toEqual(rejected('no_keys'))
  })

  it('is not looked at where the data name an endpoint', () => {
    expect(read('https://evil.test/', { endpoint: ENDPOINT, auth: AUTH })).toEqual(rejected('bad_keys'))
  })
})

describe('a target at the door', () => {
  const options = {}
  const offTheCurve = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 7)]).toString('base64url')
  it.each([
    ['possible', 'a subscription', P256DH, { endpoint: 'https://web.push.apple.com/x', auth: AUTH }],
    ['not_allowed', 'a subscription somewhere else', P256DH, { endpoint: ENDPOINT, auth: AUTH }],
    // What these options rule out may be a mistake in them: that is the sender's to say, for its rejections go through the guard.
    ['possible', 'an endpoint without keys', ENDPOINT, {}],
    ['possible', 'an endpoint in a private network', P256DH, { endpoint: 'https://10.0.0.1/', auth: AUTH }],
    ['impossible', 'text', 'hello', { endpoint: ENDPOINT, auth: AUTH }],
    ['impossible', 'a key that is not on the curve', offTheCurve, { endpoint: ENDPOINT, auth: AUTH }],
    ['impossible', 'no endpoint', P256DH, { auth: AUTH }],
    ['impossible', 'an endpoint without TLS', P256DH, { endpoint: 'http://push.example.org/', auth: AUTH }],
  ])('%s is what is said of %s', (expected, _what, pushkey, data) => {
    expect(createTargetCheck(options)(secretTargetOf(pushkey, data))).toBe(expected)
  })

  it('is allowed what the options name, and no more', () => {
    const check = createTargetCheck({ ...options, allowed_endpoints: ['push.fake.test'] })
    const at = (endpoint: string) => check(secretTargetOf(P256DH, { endpoint, auth: AUTH }))
    expect([at(ENDPOINT), at('https://web.push.apple.com/x')]).toEqual(['possible', 'not_allowed'])
  })
})
