/** Devices that are turned away at the door, for all push services and on both stores: what their homeserver is told, and that nothing is left of them. */
import { createECDH, randomBytes, randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  APPS,
  SERVICES,
  startEveryPushService,
  type EveryPushService,
  type Service,
} from '../helpers/every-push-service.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const P256DH = createECDH('prime256v1').generateKeys('base64url')
const AUTH = randomBytes(16).toString('base64url')
const ENDPOINT = 'https://updates.push.services.mozilla.com/wpush/v2/some'
const OFF_THE_CURVE = Buffer.concat([Buffer.of(4), Buffer.alloc(64, 7)]).toString('base64url')
const COMPRESSED = createECDH('prime256v1').generateKeys('base64url', 'compressed')
const subscription = { endpoint: ENDPOINT, auth: AUTH }

/** What no device can have, whatever the app's options are. */
const IMPOSSIBLE: readonly (readonly [Service, string, string, object])[] = [
  ['apns', 'nothing', '', {}],
  ['apns', 'three bytes', 'AAAA', {}],
  ['apns', 'neither base64 nor hex', 'not!a!token', {}],
  ['apns', 'a path', '../../3/device/00', {}],
  ['apns', 'letters outside ASCII', 'tökentökentöken', {}],
  ['apns', 'more than 256 bytes', 'X'.repeat(400), {}],
  ['apns', 'a token and any number of line breaks', `${'A'.repeat(43)}=${'\n'.repeat(1000)}`, {}],
  ['fcm', 'nothing', '', {}],
  ['fcm', 'a space', 'a token', {}],
  ['fcm', 'a line break', 'token\n', {}],
  ['fcm', 'letters outside ASCII', 'tökentökentöken', {}],
  ['fcm', 'more than 4,096 letters', 'x'.repeat(4097), {}],
  ['hms', 'nothing', '', {}],
  ['hms', 'a space', 'a token', {}],
  ['hms', 'a line break', 'token\n', {}],
  ['hms', 'letters outside ASCII', 'tökentökentöken', {}],
  ['hms', 'more than 4,096 letters', 'x'.repeat(4097), {}],
  ['unifiedpush', 'nothing', '', {}],
  ['unifiedpush', 'a token', 'cQ8:APA91b', {}],
  ['unifiedpush', 'an address without TLS', 'http://localhost/upAbCdEf', {}],
  ['unifiedpush', 'an address with a password', 'https://a:b@localhost/upAbCdEf', {}],
  ['unifiedpush', 'an address that has no end', `https://localhost/up${'x'.repeat(2048)}`, {}],
  ['webpush', 'nothing', '', subscription],
  ['webpush', 'text', 'hello', subscription],
  ['webpush', 'a key with a letter too many', `${P256DH}A`, subscription],
  ['webpush', 'a compressed key', COMPRESSED, subscription],
  ['webpush', 'a key that is not on the curve', OFF_THE_CURVE, subscription],
  ['webpush', 'a key that has no end', 'B'.repeat(5000), subscription],
  ['webpush', 'no data', P256DH, {}],
  ['webpush', 'no secret', P256DH, { endpoint: ENDPOINT }],
  ['webpush', 'a secret that is no text', P256DH, { ...subscription, auth: 7 }],
  ['webpush', 'a secret that is no base64', P256DH, { ...subscription, auth: '%'.repeat(22) }],
  ['webpush', 'a short secret', P256DH, { ...subscription, auth: 'AAAA' }],
  ['webpush', 'no endpoint', P256DH, { auth: AUTH }],
  ['webpush', 'an endpoint that is no URL', P256DH, { ...subscription, endpoint: 'updates.push.services' }],
  ['webpush', 'an endpoint without TLS', P256DH, { ...subscription, endpoint: 'http://push.example.org/' }],
  ['webpush', 'an endpoint with a password', P256DH, { ...subscription, endpoint: 'https://a:b@push.example.org/' }],
  ['webpush', 'an endpoint that has no end', P256DH, { ...subscription, endpoint: `${ENDPOINT}${'x'.repeat(2048)}` }],
]

/** Well-formed and public, but only the push services of browsers are allowed. */
const NOT_ALLOWED: readonly (readonly [string, string])[] = [
  ['another host', 'https://push.example.org/some'],
  ['another port of a browser’s push service', 'https://updates.push.services.mozilla.com:8443/wpush/v2/some'],
  ['an address', 'https://1.1.1.1/some'],
  ['a name inside the own network', 'https://metadata.google.internal/some'],
]

let services: EveryPushService
let stores: TestStores
beforeAll(async () => {
  ;[services, stores] = await Promise.all([startEveryPushService(), startStores()])
})
afterAll(() => Promise.all([services[Symbol.asyncDispose](), stores.stop()]))

describe.each(STORES)('on %s', (store) => {
  let folder: string
  let section: string
  let gateway: TestGateway
  let before: unknown
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hushgate-turned-away-'))
    section = stores.section(store)
    gateway = await open()
    await gateway.close()
    before = await contents()
    gateway = await open()
  })
  afterAll(async () => {
    await gateway.close()
    await rm(folder, { recursive: true })
  })

  const open = () => startGateway({ folder, store: section, appsYaml: services.appsYaml })
  const push = (service: Service, pushkey: string, data: object) =>
    gateway.notify({ event_id: `$${randomUUID()}`, devices: [{ app_id: APPS[service], pushkey, data }] })
  const received = async (service: Service, intake: string) =>
    metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: APPS[service], intake })
  const contents = () => (store === 'sqlite' ? rowsIn(join(folder, 'hushgate.db')) : keysIn(stores, section))

  it.each(IMPOSSIBLE)('%s: a pushkey that is %s is rejected', async (service, _what, pushkey, data) => {
    expect(await push(service, pushkey, data)).toEqual({ status: 200, json: { rejected: [pushkey] } })
  })

  it.each(NOT_ALLOWED)('webpush: %s is not allowed, and its pushkey lives', async (_what, endpoint) => {
    for (const _round of [1, 2])
      expect(await push('webpush', P256DH, { endpoint, auth: AUTH })).toEqual({ status: 200, json: { rejected: [] } })
  })

  it('each is counted, an operator is told once of what is not allowed, and no endpoint is logged', async () => {
    for (const service of SERVICES)
      expect(await received(service, 'rejected')).toBe(IMPOSSIBLE.filter(([of]) => of === service).length)
    expect(await received('webpush', 'not_allowed')).toBe(2 * NOT_ALLOWED.length)
    expect(gateway.log().match(/Pushes are dropped whose endpoint/g)).toHaveLength(1)
    expect(gateway.log()).not.toMatch(/example\.org\/|1\.1\.1\.1|google\.internal/)
  })

  it('nothing is left of any in the store, as there is of a push that is sent', async () => {
    await gateway.close()
    expect(await contents()).toEqual(before)
    gateway = await open()
    const { token, notification } = services.notice()
    await gateway.notify(notification)
    await services.allArrived([{ token, notification }])
    await until('all are done', async () => {
      const metrics = await gateway.metrics()
      return Object.values(APPS).every(
        (app) => metricValue(metrics, 'hushgate_outcomes_total', { app, outcome: 'delivered' }) === 1,
      )
    })
    await gateway.close()
    expect(await contents()).not.toEqual(before)
    gateway = await open()
  })
})

it('what waits while a reload, or a process with a narrower list, rules its host out is dropped before it is sent', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-turned-away-'))
  const store = stores.section('redis')
  const allowing = (host: string) =>
    services.appsYaml.replace('type: webpush', `type: webpush\n    allowed_endpoints: ["${host}"]`)
  const device = services.device('webpush', `waits-${randomUUID()}`)
  {
    await using accepting = await startGateway({ folder, store, role: 'http', appsYaml: allowing('localhost') })
    expect(await accepting.notify({ event_id: `$${randomUUID()}`, devices: [device] })).toMatchObject({ status: 200 })
  }
  await using sending = await startGateway({ folder, store, role: 'worker', appsYaml: allowing('push.example.org') })
  const outcomes = async (outcome: string) =>
    metricValue(await sending.metrics(), 'hushgate_outcomes_total', { app: APPS.webpush, outcome })
  await until('it is dropped', async () => (await outcomes('dropped')) === 1)
  expect(await outcomes('delivered')).toBe(0)
  expect(sending.log().match(/Pushes are dropped whose endpoint/g)).toHaveLength(1)
})

/** How many rows each table has. */
function rowsIn(path: string): Readonly<Record<string, unknown>> {
  using database = new DatabaseSync(path)
  const tables = database
    .prepare("select name from sqlite_master where type = 'table' and name not like 'sqlite_%'")
    .all()
  return Object.fromEntries(
    tables.map(({ name }) => [
      String(name),
      database.prepare(`select count(*) as rows from "${String(name)}"`).get()?.['rows'],
    ]),
  )
}

async function keysIn({ redis }: TestStores, section: string): Promise<readonly string[]> {
  const client = await redis.client()
  const [, prefix = ''] = /prefix: "([^"]+)"/.exec(section) ?? []
  return (await client.keys(`*${prefix}*`)).toSorted()
}
