import { generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { once } from 'node:events'
import { connect, type ClientHttp2Session, type OutgoingHttpHeaders } from 'node:http2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startApnsSimulator, type ApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'

const TOPIC = 'com.example.app'
const DEVICE = 'ab'.repeat(32)
const MINUTE_S = 60
const authority = createAuthority()
const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = { keyId: 'KEY1234567', teamId: 'TEAM123456', publicKey: keys.publicKey, topics: [TOPIC] }

function jwt(header: object, claims: object, privateKey: KeyObject = keys.privateKey): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url')
  const signed = `${encode(header)}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `bearer ${signed}.${signature.toString('base64url')}`
}

function token({ ageSeconds = 0, kid = key.keyId, iss = key.teamId, alg = 'ES256' } = {}): string {
  return jwt({ alg, kid }, { iss, iat: Math.floor(Date.now() / 1000) - ageSeconds })
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly json: { readonly reason?: string; readonly timestamp?: number } | undefined
}

async function ask(
  session: ClientHttp2Session,
  headers: OutgoingHttpHeaders = {},
  body: string | Buffer = '{"aps":{"badge":1}}',
): Promise<Answer> {
  const path = `/3/device/${DEVICE}`
  const all = { ':method': 'POST', ':path': path, authorization: token(), 'apns-topic': TOPIC, ...headers }
  const stream = session.request(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
  stream.end(body)
  const [response] = await once(stream, 'response')
  const text = Buffer.concat(await stream.toArray()).toString()
  return { status: response[':status'], headers: response, json: text === '' ? undefined : JSON.parse(text) }
}

describe('the simulated APNs', () => {
  let apns: ApnsSimulator
  let session: ClientHttp2Session
  const dial = (more: object = {}): ClientHttp2Session =>
    connect(apns.url, { ca: authority.certificate, ...more }).on('error', () => {})
  beforeEach(async () => {
    apns = await startApnsSimulator({ authority, keys: [key] })
    session = dial()
  })
  afterEach(async () => {
    session.destroy()
    await apns.close()
  })

  it('accepts a push, echoes its ID and shows what it received', async () => {
    const id = '11111111-2222-4333-8444-555555555555'
    const { status, headers, json } = await ask(session, { 'apns-id': id, 'apns-priority': '5' })
    expect([status, headers['apns-id'], json]).toEqual([200, id, undefined])
    const sent = { 'apns-id': id, 'apns-priority': '5', 'apns-topic': TOPIC }
    expect(apns.received).toMatchObject([
      { token: DEVICE, headers: sent, payload: { aps: { badge: 1 } }, body: '{"aps":{"badge":1}}', status: 200 },
    ])
  })

  /** Apple, "Sending notification requests to APNs" and "Handling notification responses from APNs". */
  it.each<[number, string, string, OutgoingHttpHeaders, (string | Buffer)?]>([
    [405, 'MethodNotAllowed', 'PUT', { ':method': 'PUT' }],
    [404, 'BadPath', 'another path', { ':path': '/4/device/ab' }],
    [404, 'BadPath', 'a query', { ':path': `/3/device/${DEVICE}?a` }],
    [400, 'MissingDeviceToken', 'no token', { ':path': '/3/device/' }],
    [400, 'BadDeviceToken', 'a token that is not hex', { ':path': '/3/device/xyz' }],
    [403, 'MissingProviderToken', 'no credential', { authorization: undefined }],
    [403, 'InvalidProviderToken', 'no JWT', { authorization: 'bearer abc' }],
    [403, 'InvalidProviderToken', 'an unknown key', { authorization: token({ kid: 'KEY0000000' }) }],
    [403, 'InvalidProviderToken', 'another team', { authorization: token({ iss: 'TEAM000000' }) }],
    [403, 'InvalidProviderToken', 'another algorithm', { authorization: token({ alg: 'HS256' }) }],
    [403, 'InvalidProviderToken', 'a token from the future', { authorization: token({ ageSeconds: -5 * MINUTE_S }) }],
    [
      403,
      'ExpiredProviderToken',
      'a token of more than an hour',
      { authorization: token({ ageSeconds: 61 * MINUTE_S }) },
    ],
    [400, 'MissingTopic', 'no topic', { 'apns-topic': undefined }],
    [400, 'BadTopic', 'no bundle ID', { 'apns-topic': 'a b' }],
    [400, 'TopicDisallowed', "another app's topic", { 'apns-topic': 'com.example.other' }],
    [400, 'BadTopic', 'voip without its suffix', { 'apns-push-type': 'voip' }],
    [400, 'InvalidPushType', 'an unknown push type', { 'apns-push-type': 'shout' }],
    [400, 'BadPriority', 'another priority', { 'apns-priority': '7' }],
    [400, 'BadPriority', 'background with priority 10', { 'apns-push-type': 'background', 'apns-priority': '10' }],
    [400, 'BadPriority', 'background with the default priority', { 'apns-push-type': 'background' }],
    [400, 'BadMessageId', 'an ID that is no UUID', { 'apns-id': 'abc' }],
    [400, 'BadExpirationDate', 'an expiration that is no number', { 'apns-expiration': '1.5' }],
    [400, 'BadCollapseId', 'a collapse ID of 65 bytes', { 'apns-collapse-id': 'x'.repeat(65) }],
    [400, 'PayloadEmpty', 'no payload', {}, ''],
    [400, 'PayloadEmpty', 'an empty object', {}, '{}'],
    [400, 'PayloadEmpty', 'a list', {}, '[]'],
    [400, 'PayloadEmpty', 'JSON that is not UTF-8', {}, Buffer.from('{"a":"\xff"}', 'latin1')],
    [413, 'PayloadTooLarge', '4097 bytes', {}, `{"a":"${'x'.repeat(4097 - 8)}"}`],
    [413, 'PayloadTooLarge', 'a megabyte', {}, `{"a":"${'x'.repeat(1024 * 1024)}"}`],
  ])('answers %d %s to %s', async (status, reason, _what, headers, body) => {
    expect(await ask(session, headers, body)).toMatchObject({ status, json: { reason } })
  })

  it('refuses a signature by another key', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const claims = { iss: key.teamId, iat: Math.floor(Date.now() / 1000) }
    const authorization = jwt({ alg: 'ES256', kid: key.keyId }, claims, privateKey)
    expect(await ask(session, { authorization })).toMatchObject({
      status: 403,
      json: { reason: 'InvalidProviderToken' },
    })
  })

  it('takes 4096 bytes, and 5120 of a VoIP push', async () => {
    const payload = (bytes: number): string => `{"a":"${'x'.repeat(bytes - 8)}"}`
    const voip = { 'apns-topic': `${TOPIC}.voip`, 'apns-push-type': 'voip' }
    expect(await ask(session, {}, payload(4096))).toMatchObject({ status: 200 })
    expect(await ask(session, voip, payload(5120))).toMatchObject({ status: 200 })
    expect(await ask(session, voip, payload(5121))).toMatchObject({ status: 413 })
  })

  it('takes a client certificate instead, for the topic in its UID', async () => {
    const certified = dial(authority.issue({ commonName: 'Apple Push Services', uid: TOPIC }))
    const anonymous = { authorization: undefined }
    expect(await ask(certified, anonymous)).toMatchObject({ status: 200 })
    expect(await ask(certified, { ...anonymous, 'apns-topic': undefined })).toMatchObject({ status: 200 })
    const other = { ...anonymous, 'apns-topic': 'com.example.other' }
    expect(await ask(certified, other)).toMatchObject({ json: { reason: 'TopicDisallowed' } })
    certified.destroy()
  })

  it('does not trust a certificate of another authority', async () => {
    const stranger = dial(createAuthority().issue({ commonName: 'x', uid: TOPIC }))
    expect(await ask(stranger, { authorization: undefined })).toMatchObject({
      json: { reason: 'MissingProviderToken' },
    })
    stranger.destroy()
  })

  it('allows one stream until the first accepted push, then many', async () => {
    await once(session, 'remoteSettings')
    expect(session.remoteSettings.maxConcurrentStreams).toBe(1)
    const raised = once(session, 'remoteSettings')
    await ask(session)
    await raised
    expect(session.remoteSettings.maxConcurrentStreams).toBe(1000)
  })

  it('answers by the text of the device token', async () => {
    const scripted = (text: string): Promise<Answer> =>
      ask(session, { ':path': `/3/device/${Buffer.from(text).toString('hex')}` })
    expect(await scripted('xrUnregistered-1')).toMatchObject({ status: 410, json: { timestamp: expect.any(Number) } })
    expect(await scripted('xs503.a2.n1-1')).toMatchObject({ status: 503, headers: { 'retry-after': '2' } })
    expect(await scripted('xs503.a2.n1-1')).toMatchObject({ status: 200 })
    expect(await scripted('xs410.nobody-1')).toMatchObject({ status: 410, json: undefined })
    expect(await scripted('xs500-1')).toMatchObject({ json: { reason: 'InternalServerError' } })
  })

  it('can mind how often provider tokens change, and by which key a connection began', async () => {
    const other = { ...key, keyId: 'KEY7654321' }
    const strict = await startApnsSimulator({ authority, keys: [key, other], limitsTokenUpdates: true })
    const connection = connect(strict.url, { ca: authority.certificate })
    const first = token()
    expect(await ask(connection, { authorization: first })).toMatchObject({ status: 200 })
    const renewed = { authorization: token({ ageSeconds: 1 }) }
    expect(await ask(connection, renewed)).toMatchObject({ json: { reason: 'TooManyProviderTokenUpdates' } })
    const unrelated = { authorization: token({ kid: other.keyId }) }
    expect(await ask(connection, unrelated)).toMatchObject({ json: { reason: 'UnrelatedKeyIdInToken' } })
    expect(await ask(connection, { authorization: first })).toMatchObject({ status: 200 })
    connection.destroy()
    await strict.close()
  })
})
