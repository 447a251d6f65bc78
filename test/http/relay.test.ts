/** What the relay answers at the notify port: to an app that trades, to a homeserver that sends, to whoever revokes. */
import type { FastifyInstance } from 'fastify'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Activity } from '../../src/activity/activity.ts'
import { Routes, type OpenRoute } from '../../src/config/routes.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { createEntrance, type EntranceSettings } from '../../src/http/doors.ts'
import { RelayEndpoints } from '../../src/core/relay-endpoint.ts'
import { Secret } from '../../src/core/secret.ts'
import { RelayedIntake } from '../../src/intake/relayed.ts'
import { Storing } from '../../src/intake/storing.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { Clock } from '../helpers/clock.ts'
import { createKeyring } from '../helpers/delivery.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { takeAll } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { RelayedApp, RELAY_ORIGIN, WebPushHomeserver } from '../helpers/relayed-device.ts'
import { createRoute } from '../helpers/route.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const MAX_BYTES = 1000
const MAX_AGE_MS = 24 * 3600_000
const YEAR_MS = 365 * MAX_AGE_MS
const PUSHKEY = 'a-pushkey'
const relay: OpenRoute['relay'] = {
  origin: RELAY_ORIGIN,
  maxBytes: MAX_BYTES,
  render: (message, identity) => ({ headers: {}, body: JSON.stringify({ message, identity }) }),
}

const clock = new Clock()
const homeserver = new WebPushHomeserver()
const app = new RelayedApp()
let store: TestStore
let route: OpenRoute
let relayed: RelayedIntake
let server: FastifyInstance
let url: string
let answers: string[]
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(() => open())
afterEach(() => server.close())

/** With a route of its own. */
async function open({
  doors = {},
  of = {},
  accept,
}: {
  doors?: EntranceSettings['doors']
  of?: Partial<OpenRoute>
  accept?: RelayedIntake['accept']
} = {}): Promise<void> {
  route = createRoute({
    relay,
    checkTarget: (target) => (target.reveal() === 'none' ? 'impossible' : 'possible'),
    ...of,
  })
  const { identities, known, keyring, deadPushkeys } = store
  const common = { store: store.store, deadPushkeys, known, identities, nowMs: clock.nowMs }
  const metrics = new Metrics('0.0.0-test')
  const log = new RecordedLog()
  const storing = new Storing({ ...common, metrics, activity: new Activity(clock.nowMs), log })
  relayed = new RelayedIntake({
    ...common,
    storing,
    keyring,
    configured: () => ({
      routes: new Routes([route, createRoute({ app: 'com.example.without' })]),
      settings: { queue: { maxAgeMs: MAX_AGE_MS, highWater: 1000 } },
    }),
  })
  answers = []
  const entrance = createEntrance({ trustProxy: [], doors })
  server = createTestNotifyServer({
    relayed: {
      trade: (...args) => relayed.trade(...args),
      find: (...args) => relayed.find(...args),
      accept: accept ?? ((...args) => relayed.accept(...args)),
      revoke: (...args) => relayed.revoke(...args),
    },
    entrance: () => entrance,
    metrics: {
      requestAnswered: () => {},
      stoppedAtDoor: () => {},
      relayAnswered: (request, code) => answers.push(`${request} ${code}`),
    },
    log,
    nowMs: clock.nowMs,
  })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
}

const endpointOf = (pushkey = PUSHKEY): Promise<string> => app.trade(url, route.app, pushkey, homeserver.vapid)
const signed = (claims?: object) => ({ authorization: homeserver.authorization(claims, clock.ms) })
const send = async (endpoint: string, headers = {}, body: Uint8Array = app.encrypt('text')): Promise<Response> =>
  homeserver.post(endpoint, body, { ...signed(), ...headers })
const taken = async () => (await takeAll(store.queue, route.name)).map(({ delivery }) => delivery)
/** From then on its device is known. */
const deliverTo = async (endpoint: string): Promise<void> => {
  expect((await send(endpoint)).status).toBe(201)
  for (const delivery of await taken()) await store.deadPushkeys.record(delivery, { kind: 'delivered' })
}
const tradeWith = async (body: unknown, query = '', name = route.app): Promise<number> => {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return (await fetch(`${url}/_hushgate/webpush/${name}${query}`, { method: 'POST', body: text })).status
}

describe('a trade', () => {
  const usual = { pushkey: PUSHKEY, vapid: homeserver.vapid }

  it('is answered with an endpoint under the address of the gateway, which no cache keeps', async () => {
    const body = JSON.stringify(usual)
    const response = await fetch(`${url}/_hushgate/webpush/${route.app}`, { method: 'POST', body })
    expect([response.status, response.headers.get('cache-control')]).toEqual([201, 'no-store'])
    const path = `${RELAY_ORIGIN}/_hushgate/webpush/${route.app}/`
    expect(await response.json()).toEqual({ endpoint: expect.stringMatching(new RegExp(`^${path}[\\w-]{150,}$`)) })
    expect(answers).toEqual(['trade 201'])
  })

  it.each([
    ['no JSON', 'pushkey'],
    ['a list', []],
    ['no pushkey', { vapid: homeserver.vapid }],
    ['an empty pushkey', { ...usual, pushkey: '' }],
    ['a pushkey that can be none', { ...usual, pushkey: 'none' }],
    ['a pushkey of 513 bytes', { ...usual, pushkey: 'x'.repeat(513) }],
    ['no key of the homeserver', { pushkey: PUSHKEY }],
    ['a key that is no point', { ...usual, vapid: 'B'.repeat(87) }],
    ['a kid that is none', { ...usual, kid: 'short' }],
  ])('with %s is answered 400', async (_what, body) => {
    expect(await tradeWith(body)).toBe(400)
  })

  it('is answered 413 where it is too long, and 404 where no such app relays', async () => {
    expect(await tradeWith({ ...usual, more: 'x'.repeat(4096) })).toBe(413)
    expect(await tradeWith(usual, '', 'com.example.unknown')).toBe(404)
    expect(await tradeWith(usual, '', 'com.example.without')).toBe(404)
  })

  it('needs the secret of the URL, which an app has, from wherever it comes', async () => {
    const secrets = { mode: 'enforce', any: [new Secret('the-secret')] } as const
    await server.close()
    await open({ doors: { secrets, allowFrom: ['192.0.2.1'] } })
    expect(await tradeWith(usual)).toBe(403)
    expect(await tradeWith(usual, '?k=the-secret')).toBe(201)
  })
})

describe('a message', () => {
  it('is stored with what its headers say, for the device that traded', async () => {
    const endpoint = await endpointOf()
    const body = app.encrypt('text')
    const response = await send(endpoint, { ttl: '60', urgency: 'low', topic: 'room' }, body)
    expect([response.status, response.headers.get('ttl')]).toEqual([201, '60'])
    expect(response.headers.get('location')).toMatch(new RegExp(`^${RELAY_ORIGIN}/_hushgate/relayed/[\\w-]+$`))
    const [delivery, ...others] = await taken()
    expect(others).toEqual([])
    expect(delivery).toMatchObject({ priority: 'event', acceptedAtMs: clock.ms, expiresAtMs: clock.ms + 60_000 })
    expect(delivery?.target.reveal()).toBe(PUSHKEY)
    const { message, identity } = JSON.parse(delivery?.message.body ?? '')
    expect(message).toEqual({ record: body.toString('base64url'), kid: app.kid, urgency: 'low' })
    expect(identity).toMatchObject({ expiresAtMs: clock.ms + 60_000, collapseId: expect.stringMatching(/^[\w-]{32}$/) })
  })

  it('without urgency is normal, and lives no longer than a push may', async () => {
    const response = await send(await endpointOf(), { ttl: '172800', urgency: '' })
    expect([response.status, response.headers.get('ttl')]).toEqual([201, '86400'])
    const [delivery] = await taken()
    expect(delivery?.expiresAtMs).toBe(clock.ms + MAX_AGE_MS)
    expect(JSON.parse(delivery?.message.body ?? '').message.urgency).toBe('normal')
  })

  it('that must not be kept has the time for one attempt', async () => {
    await send(await endpointOf(), { ttl: '0' })
    const [delivery] = await taken()
    expect(delivery?.expiresAtMs).toBe(clock.ms + 15_000)
    expect(JSON.parse(delivery?.message.body ?? '').identity).not.toHaveProperty('expiresAtMs')
  })

  it('leaves together with the others of an app whose pushes do', async () => {
    await server.close()
    await open({ of: { timing: { releaseEveryMs: 60_000 } } })
    await send(await endpointOf(), { ttl: '600' })
    const tickMs = Math.ceil(clock.ms / 60_000) * 60_000
    expect(await taken()).toEqual([])
    clock.ms = tickMs + 60_000
    const [delivery] = await taken()
    expect(JSON.parse(delivery?.message.body ?? '').identity.expiresAtMs % 60_000).toBe(0)
  })

  it('of one topic takes no other collapse id on another device, nor from another account', async () => {
    const other = await app.trade(url, route.app, PUSHKEY, homeserver.vapid)
    for (const endpoint of [await endpointOf(), await endpointOf('b-pushkey'), other])
      await send(endpoint, { topic: 'room' })
    const ids = (await taken()).map(({ message }) => String(JSON.parse(message.body).identity.collapseId))
    expect(new Set(ids).size).toBe(3)
  })

  it.each([
    ['without authorization', { authorization: '' }, 401],
    ['with another scheme', { authorization: 'Bearer token' }, 401],
    ['with a token that cannot be read', { authorization: `vapid t=x, k=${homeserver.vapid}` }, 401],
    ['signed for another push service', () => signed({ aud: 'https://push.example.net' }), 401],
    ['signed for nobody', () => signed({ aud: undefined }), 401],
    ['signed too long ago', () => signed({ exp: Math.floor(clock.ms / 1000) - 301 }), 401],
    ['signed for more than a day', () => signed({ exp: Math.floor(clock.ms / 1000) + 25 * 3600 }), 401],
    ['signed until whenever', () => signed({ exp: 'tomorrow' }), 401],
    ['signed by somebody else', () => ({ authorization: new WebPushHomeserver().authorization({}, clock.ms) }), 403],
    [
      'signed with a key that it does not name',
      () => ({ authorization: signed().authorization.replace(/k=.*/, `k=${new WebPushHomeserver().vapid}`) }),
      403,
    ],
    ['in the older encoding', { 'content-encoding': 'aesgcm' }, 415],
    ['that is not encrypted', { 'content-encoding': '' }, 415],
    ['without TTL', { ttl: '' }, 400],
    ['with a TTL that is no number', { ttl: '-1' }, 400],
    ['with a topic that is none', { topic: 'a room' }, 400],
    ['of an urgency that is none', { urgency: 'highest' }, 400],
  ])('%s is refused', async (_what, headers, status) => {
    const given = typeof headers === 'function' ? headers() : headers
    const response = await send(await endpointOf(), given)
    expect([response.status, await response.json()]).toEqual([
      status,
      { errcode: expect.stringMatching(/^M_/), error: expect.any(String) },
    ])
    expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'vapid' : null)
    expect(await taken()).toEqual([])
    expect(answers.at(-1)).toBe(`message ${status}`)
  })

  it('by a clock that is five minutes behind is taken', async () => {
    const exp = Math.floor(clock.ms / 1000) - 290
    expect((await send(await endpointOf(), signed({ exp }))).status).toBe(201)
    await taken()
  })

  it('up to the limit is taken, and beyond it answered 413', async () => {
    const endpoint = await endpointOf()
    // What is around the text of a record: RFC 8188 and RFC 8291.
    const whole = app.encrypt('x'.repeat(MAX_BYTES - 103))
    expect(whole).toHaveLength(MAX_BYTES)
    expect((await send(endpoint, {}, whole)).status).toBe(201)
    expect((await send(endpoint, {}, app.encrypt('x'.repeat(MAX_BYTES - 102)))).status).toBe(413)
    expect(await taken()).toHaveLength(1)
  })

  it('whose length is not said is answered 411 unread, as a trade and a revocation are', async () => {
    const endpoint = await endpointOf()
    const inPieces = (to: string, method: string): Promise<Response> =>
      fetch(to, {
        method,
        duplex: 'half',
        headers: { ...signed(), ttl: '1', 'content-encoding': 'aes128gcm' },
        body: new Blob([new Uint8Array(100)]).stream(),
      })
    const asked = [
      await inPieces(endpoint, 'POST'),
      await inPieces(endpoint, 'DELETE'),
      await inPieces(`${url}/_hushgate/webpush/${route.app}`, 'POST'),
      await fetch(endpoint, { method: 'DELETE' }),
    ]
    expect(asked.map(({ status }) => status)).toEqual([411, 411, 411, 411])
    expect(await taken()).toEqual([])
  })

  it.each([
    ['exp', () => signed({ exp: 0 }), 401],
    ['aud', () => signed({ aud: 'https://push.example.net' }), 401],
    ['the encoding', { 'content-encoding': 'aesgcm' }, 415],
    ['the TTL', { ttl: '' }, 400],
    ['the length', {}, 413, app.encrypt('x'.repeat(MAX_BYTES))],
  ])('is refused for %s before its signature is looked at', async (_what, headers, status, body?: Buffer) => {
    const withoutSignature = (header: string): string =>
      `${header.slice(0, header.lastIndexOf('.'))}.AAAA, k=${homeserver.vapid}`
    const given = { ...signed(), ...(typeof headers === 'function' ? headers() : headers) }
    const endpoint = await endpointOf()
    const usual = { authorization: withoutSignature(signed().authorization) }
    expect((await send(endpoint, usual)).status).toBe(403)
    const response = await send(endpoint, { ...given, authorization: withoutSignature(given.authorization) }, body)
    expect(response.status).toBe(status)
  })

  it('that is no record of RFC 8291 is refused, so that nothing readable passes', async () => {
    const endpoint = await endpointOf()
    const record = app.encrypt('text')
    const ofSmallerSize = Buffer.from(record)
    ofSmallerSize.writeUInt32BE(18, 16)
    for (const body of [
      Buffer.alloc(0),
      Buffer.from('{"room":"!secret"}'.repeat(10)),
      record.subarray(0, 100),
      ofSmallerSize,
    ])
      expect((await send(endpoint, {}, body)).status).toBe(400)
    expect(await taken()).toEqual([])
  })

  it('to what is no endpoint of the app is answered 404, before anything else is looked at', async () => {
    const endpoint = await endpointOf()
    const changed = Buffer.from(endpoint.split('/').at(-1) ?? '', 'base64url')
    changed.writeUInt8(changed.readUInt8(60) ^ 1, 60)
    for (const token of [changed.toString('base64url'), 'x', 'x'.repeat(40)])
      expect((await send(endpoint.replace(/[\w-]+$/, token), { authorization: '' })).status).toBe(404)
    for (const other of [`${endpoint}=`, `${endpoint}AAAA`])
      expect((await send(other, { authorization: '' })).status).toBe(404)
    expect((await send(endpoint.replace(/[^/]+$/, 'x').replace(route.app, 'com.example.without'))).status).toBe(404)
  })

  it('is answered 503 where the operator is at fault, so that no homeserver gives the endpoint up', async () => {
    const endpoint = await endpointOf()
    const ofUnknownApp = endpoint.replace(route.app, 'com.example.unknown')
    const withoutRelay = endpoint.replace(route.app, 'com.example.without')
    const sealed = new RelayEndpoints(createKeyring()).seal(route.app, {
      pushkey: new Secret(PUSHKEY),
      vapidKey: homeserver.vapid,
      kid: app.kid,
      issuedAt: Math.floor(clock.ms / 1000),
    })
    const ofAnotherKeyFile = endpoint.replace(/[\w-]+$/, sealed)
    for (const unserved of [ofUnknownApp, withoutRelay, ofAnotherKeyFile]) {
      expect((await send(unserved)).status).toBe(503)
      expect((await app.revoke(unserved, PUSHKEY)).status).toBe(503)
    }
    route = createRoute({ ...route, relay: undefined })
    expect((await send(endpoint)).status).toBe(503)
    expect(await taken()).toEqual([])
  })

  it('to an endpoint that was traded a year ago is answered 410', async () => {
    const endpoint = await endpointOf()
    clock.pass(YEAR_MS - 2000)
    expect((await send(endpoint)).status).toBe(201)
    expect(await taken()).toHaveLength(1)
    clock.pass(2000)
    // A clock that is wrong shows first in the signature, which ends no pusher.
    expect((await send(endpoint, signed({ exp: Math.floor(clock.ms / 1000) - YEAR_MS / 1000 }))).status).toBe(401)
    expect((await send(endpoint)).status).toBe(410)
    expect((await send(await endpointOf())).status).toBe(201)
    expect(await taken()).toHaveLength(1)
  })

  it('from an address that is not allowed is answered 401, as a homeserver gives up what is forbidden', async () => {
    const endpoint = await endpointOf()
    const path = endpoint.replace(url, '')
    const { app: name } = route
    await server.close()
    await open({ doors: { allowFrom: ['192.0.2.1'] }, of: { app: name, name } })
    expect((await send(url + path)).status).toBe(401)
  })

  it('beyond what a source may send is answered 429, and when it may come again', async () => {
    await server.close()
    await open({ doors: { limitPerSource: { mode: 'enforce', devicesPerMinute: 3, bytesPerMinute: 100_000 } } })
    const endpoint = await endpointOf()
    const statuses = []
    for (let time = 0; time < 3; time += 1) statuses.push((await send(endpoint)).status)
    expect(statuses).toEqual([201, 201, 429])
    expect((await send(endpoint)).headers.get('retry-after')).toMatch(/^\d+$/)
  })

  it('that cannot be stored is answered 503', async () => {
    await server.close()
    await open({ accept: () => Promise.reject(new StoreUnavailableError('the store is not writable')) })
    expect((await send(await endpointOf())).status).toBe(503)
  })
})

describe('a revocation', () => {
  it('is not remembered of a device that nothing was delivered to, which anybody could make up', async () => {
    const endpoint = await endpointOf('c-pushkey')
    expect((await app.revoke(endpoint, 'c-pushkey')).status).toBe(404)
    await deliverTo(endpoint)
    expect((await app.revoke(endpoint, 'c-pushkey')).status).toBe(204)
    expect((await send(endpoint)).status).toBe(410)
    expect(answers.slice(-2)).toEqual(['revocation 204', 'message 410'])
  })

  it('by somebody who has the endpoint, and does not say its pushkey, is answered 403', async () => {
    const endpoint = await endpointOf('d-pushkey')
    await deliverTo(endpoint)
    for (const other of ['d-pushkez', 'd', PUSHKEY]) expect((await app.revoke(endpoint, other)).status).toBe(403)
    for (const body of ['d-pushkey', '{}', '{"pushkey":7}'])
      expect((await fetch(endpoint, { method: 'DELETE', body })).status).toBe(400)
    expect((await send(endpoint)).status).toBe(201)
    expect(await taken()).toHaveLength(1)
  })

  it('ends what was traded for the same sender before, and not what was traded since', async () => {
    const before = await endpointOf('e-pushkey')
    clock.pass(1000)
    const endpoint = await endpointOf('e-pushkey')
    await deliverTo(endpoint)
    clock.pass(1000)
    const since = await endpointOf('e-pushkey')
    expect((await app.revoke(endpoint, 'e-pushkey')).status).toBe(204)
    const statuses = []
    for (const each of [before, endpoint, since]) statuses.push((await send(each)).status)
    expect(statuses).toEqual([410, 410, 201])
    expect(await taken()).toHaveLength(1)
  })

  it('that somebody made up who can write to the store ends nothing', async () => {
    const endpoint = await endpointOf('f-pushkey')
    await deliverTo(endpoint)
    const deviceHash = store.identities.device({ appId: route.app, target: 'f-pushkey' })
    const key = `revoked:${store.identities.revoked(deviceHash, homeserver.vapid)}`
    const owner = { route: route.name, deviceHash }
    for (const forged of [`${clock.ms}`, `${clock.ms} x`]) {
      await store.memory.set(owner, key, forged, MAX_AGE_MS)
      expect((await send(endpoint)).status).toBe(201)
      expect(await taken()).toHaveLength(1)
    }
    expect((await app.revoke(endpoint, 'f-pushkey')).status).toBe(204)
    expect((await send(endpoint)).status).toBe(410)
  })

  it('of what is no endpoint is answered 404, and what is too long 413', async () => {
    const endpoint = await endpointOf()
    expect((await app.revoke(`${endpoint}AAAA`, PUSHKEY)).status).toBe(404)
    expect((await app.revoke(endpoint, 'x'.repeat(4096))).status).toBe(413)
  })
})

it('other methods are answered 405, with those that there are', async () => {
  const endpoint = await endpointOf()
  const [asked, traded] = [await fetch(endpoint), await fetch(`${url}/_hushgate/webpush/${route.app}`)]
  expect([asked.status, asked.headers.get('allow')]).toEqual([405, 'POST, DELETE'])
  expect([traded.status, traded.headers.get('allow')]).toEqual([405, 'POST'])
})
