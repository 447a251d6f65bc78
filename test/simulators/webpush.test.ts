import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { request } from 'node:https'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import webPush from 'web-push'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { decrypt } from '../../src/simulators/webpush-encryption.ts'
import {
  startWebPushSimulator,
  type ReceivedWebPush,
  type Subscription,
  type WebPushSimulator,
} from '../../src/simulators/webpush.ts'

const authority = createAuthority()
const vapid = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' })
const vapidPoint = Buffer.concat([
  Buffer.of(4),
  Buffer.from(vapid.x ?? '', 'base64url'),
  Buffer.from(vapid.y ?? '', 'base64url'),
])
const seen: ReceivedWebPush[] = []
let simulator: WebPushSimulator
let phone: Subscription

beforeAll(async () => {
  simulator = await startWebPushSimulator({ authority, onPush: (push) => seen.push(push) })
  phone = simulator.subscribe('phone')
})
afterEach(() => simulator.setFault(undefined))
afterAll(() => simulator.close())

const inHours = (hours: number) => Math.floor(Date.now() / 1000) + hours * 3600

/** A VAPID header that is right, but for what is given. */
function authorization(claims: object = {}, header: object = {}, point: Buffer = vapidPoint): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  const all = { aud: simulator.url, exp: inHours(12), sub: 'mailto:ops@example.org', ...claims }
  const signed = `${encode({ typ: 'JWT', alg: 'ES256', ...header })}.${encode(all)}`
  const key = createPrivateKey({ key: vapid, format: 'jwk' })
  const signature = sign('sha256', Buffer.from(signed), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')
  return `vapid t=${signed}.${signature}, k=${point.toString('base64url')}`
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
}

function post(
  url: string,
  body: Buffer,
  headers: Readonly<Record<string, string>> = {},
  method = 'POST',
): Promise<Answer> {
  const right = { ttl: '60', 'content-encoding': 'aes128gcm', authorization: authorization() }
  // An empty text leaves a header out.
  const sent = Object.fromEntries(Object.entries({ ...right, ...headers }).filter(([, value]) => value !== ''))
  return new Promise((resolve, reject) => {
    request(url, { method, ca: authority.certificate, headers: sent }, (response) => {
      response.resume()
      response.once('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers }))
      response.once('error', reject)
    })
      .once('error', reject)
      .end(body)
  })
}

function encrypted(text: string, { p256dh, auth }: Subscription = phone): Buffer {
  return webPush.encrypt(p256dh, auth, text, 'aes128gcm').cipherText
}

describe('the simulated push service', () => {
  it('takes what a push library makes, and reads it as the browser would', async () => {
    const { status, headers } = await post(phone.endpoint, encrypted('{"sync":"1"}'), { topic: 'abc', urgency: 'low' })
    expect(status).toBe(201)
    expect(headers['location']).toMatch(/\/message\/\d+$/)
    expect(seen.at(-1)).toMatchObject({ name: 'phone', payload: '{"sync":"1"}', status: 201, origin: simulator.url })
    expect(simulator.received.at(-1)).toBe(seen.at(-1))
  })

  it('decrypts the example of RFC 8291', () => {
    const plaintext = decrypt(
      Buffer.from(
        'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
        'base64url',
      ),
      {
        p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
        auth: 'BTBZMqHH6r4Tts7J_aSIgg',
        privateKey: 'q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94',
      },
    )
    expect(plaintext?.toString()).toBe('When I grow up, I want to be a watermelon')
  })

  it('cannot read what was encrypted for another browser', async () => {
    const other = simulator.subscribe('tablet')
    expect((await post(phone.endpoint, encrypted('x', other))).status).toBe(201)
    expect(seen.at(-1)?.payload).toBeUndefined()
  })

  it.each([
    ['no TTL', { ttl: '' }, 400],
    ['a TTL that is no number', { ttl: 'soon' }, 400],
    ['another encoding', { 'content-encoding': 'aesgcm' }, 415],
    ['no encoding', { 'content-encoding': '' }, 415],
    ['a padded topic', { topic: 'PBkf1POw4SlQiAVKK_FX-neVlrdo_w==' }, 400], // as Sygnal sends it
    ['a topic of 33 characters', { topic: 'x'.repeat(33) }, 400],
    ['an urgency of its own', { urgency: 'now' }, 400],
    ['no authorization', { authorization: '' }, 401],
    ['another kind of authorization', { authorization: 'Bearer x' }, 401],
    ['a token of two parts', { authorization: `vapid t=a.b, k=${vapidPoint.toString('base64url')}` }, 403],
  ])('refuses %s', async (_what, headers, status) => {
    expect((await post(phone.endpoint, encrypted('x'), headers)).status).toBe(status)
    expect(seen.at(-1)).toMatchObject({ status })
  })

  it.each([
    ['another audience', { aud: 'https://push.example.org' }, {}],
    ['an expiry of the past', { exp: inHours(-1) }, {}],
    ['an expiry of next week', { exp: inHours(25) }, {}],
    ['no contact', { sub: undefined }, {}],
    ['a contact without mailto:', { sub: 'ops@example.org' }, {}],
    ['another algorithm', {}, { alg: 'none' }],
  ])('refuses a token with %s', async (_what, claims, header) => {
    const headers = { authorization: authorization(claims, header) }
    expect((await post(phone.endpoint, encrypted('x'), headers)).status).toBe(403)
  })

  it('refuses a token that another key signed', async () => {
    const other = Buffer.from(phone.p256dh, 'base64url')
    expect((await post(phone.endpoint, encrypted('x'), { authorization: authorization({}, {}, other) })).status).toBe(
      403,
    )
    const bound = simulator.subscribe('bound', { applicationServerKey: phone.p256dh })
    expect((await post(bound.endpoint, encrypted('x', bound))).status).toBe(403)
  })

  it('refuses what is too large, unknown or not posted', async () => {
    expect((await post(phone.endpoint, Buffer.alloc(4096))).status).toBe(201)
    expect((await post(phone.endpoint, Buffer.alloc(4097))).status).toBe(413)
    expect((await post(`${simulator.url}/wp/nobody`, Buffer.alloc(1))).status).toBe(404)
    expect((await post(`${simulator.url}/`, Buffer.alloc(1))).status).toBe(404)
    expect((await post(phone.endpoint, Buffer.alloc(1), {}, 'PUT')).status).toBe(405)
  })

  it('answers as the end of the path says', async () => {
    const busy = simulator.subscribe('xs429.a7.n1-phone')
    expect(await post(busy.endpoint, encrypted('x', busy))).toMatchObject({
      status: 429,
      headers: { 'retry-after': '7' },
    })
    expect((await post(busy.endpoint, encrypted('x', busy))).status).toBe(201)
    const reset = simulator.subscribe('xrst-phone')
    await expect(post(reset.endpoint, encrypted('x', reset))).rejects.toThrow(/socket|ECONNRESET|secure TLS connection/)
  })

  it('has faults of its own', async () => {
    simulator.setFault('redirect')
    expect(await post(phone.endpoint, encrypted('x'))).toMatchObject({
      status: 307,
      headers: { location: `${simulator.url}/wp/elsewhere` },
    })
    simulator.setFault('reset')
    await expect(post(phone.endpoint, encrypted('x'))).rejects.toThrow(/socket|ECONNRESET|secure TLS connection/)
    simulator.setFault('tls')
    await expect(post(phone.endpoint, encrypted('x'))).rejects.toThrow(/socket|ECONNRESET|secure TLS connection/)
  })
})
