/** What an operator is told of a running gateway, and how he pauses an app. */
import { Value } from 'typebox/value'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { statusSchema, type AppStatus, type Status } from '../../src/operator/status.ts'
import { metricValue, startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startStores, type TestStores } from '../helpers/stores.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'

let services: PushServices
let stores: TestStores
let folder: string
const running: TestGateway[] = []
beforeAll(async () => {
  services = await startPushServices()
  stores = await startStores()
})
afterAll(async () => {
  await stores.stop()
  await services[Symbol.asyncDispose]()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-operator-api-'))
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((gateway) => gateway.close()))
  await rm(folder, { recursive: true })
})

async function start(options: Partial<TestGatewayOptions> = {}): Promise<TestGateway> {
  const gateway = await startGateway({ appsYaml: services.appsYaml, folder, ...options })
  running.push(gateway)
  return gateway
}

async function statusOf(gateway: TestGateway): Promise<Status> {
  const { json } = await gateway.admin('/api/v1/status')
  if (!Value.Check(statusSchema, json)) throw new Error(JSON.stringify([...Value.Errors(statusSchema, json)]))
  return json
}

async function appOf(gateway: TestGateway, app: string): Promise<AppStatus> {
  const found = (await statusOf(gateway)).apps.find((each) => each.app === app)
  if (found === undefined) throw new Error(`there is no ${app}`)
  return found
}

let events = 0
const notify = (gateway: TestGateway, app_id: string, pushkey: string) =>
  gateway.notify({ event_id: `$${(events += 1)}`, devices: [{ app_id, pushkey }] })

it('an app that the push service refuses is blocked, since then, in its own word; another one is open', async () => {
  const gateway = await start()
  const beforeMs = Date.now()
  await notify(gateway, IOS, newPushkey('s403.rInvalidProviderToken').apns)
  await notify(gateway, ANDROID, newPushkey().fcm)
  await until('one is blocked, and the other delivered', async () => {
    const { apps } = await statusOf(gateway)
    return apps.some(({ state }) => state === 'blocked') && apps.some((app) => app.lastDeliveredAtMs !== null)
  })
  const [ios, android] = [await appOf(gateway, IOS), await appOf(gateway, ANDROID)]
  expect(ios).toMatchObject({
    provider: 'apns',
    state: 'blocked',
    reason: 'InvalidProviderToken',
    lastDeliveredAtMs: null,
    lastFailure: { result: 'blocked', reason: 'InvalidProviderToken' },
    acceptedPerMinute: 1,
    delayMs: null,
    queue: { dead: 0 },
    isSuspected: false,
  })
  expect(ios.sinceMs).toBeGreaterThanOrEqual(beforeMs)
  expect(android).toMatchObject({
    state: 'open',
    sinceMs: null,
    reason: null,
    lastFailure: null,
    deliveredPerMinute: 1,
    delayMs: { p50: expect.any(Number), p99: expect.any(Number) },
  })
  expect(android.lastHour.delivered.slice(-2).reduce((sum, count) => sum + count)).toBe(1)
})

it('a push service that asks to wait holds its app', async () => {
  const gateway = await start()
  await notify(gateway, ANDROID, newPushkey('s503.a3600').fcm)
  await until('it is held', async () => (await appOf(gateway, ANDROID)).state === 'held')
  expect(await appOf(gateway, ANDROID)).toMatchObject({ sinceMs: expect.any(Number), reason: expect.any(String) })
})

it('failures name the device as the log does, and an app_id that nobody configured is told but not logged', async () => {
  const gateway = await start()
  await notify(gateway, IOS, newPushkey('s400.rBadMessageId').apns)
  await gateway.notify({ event_id: '$unknown', devices: [{ app_id: 'com.example.CANARY', pushkey: 'x' }] })
  const failuresOf = async (query = '') => (await gateway.admin(`/api/v1/failures${query}`)).json
  await until('it failed', async () => JSON.stringify(await failuresOf()).includes('BadMessageId'))
  expect(await failuresOf(`?app=${IOS}`)).toMatchObject({
    failures: [
      {
        app: IOS,
        provider: 'apns',
        device: expect.stringMatching(/^[0-9a-f]{8}$/),
        attempt: 1,
        result: 'failed',
        reason: 'BadMessageId',
        isFinal: true,
      },
    ],
  })
  expect(await failuresOf(`?app=${ANDROID}`)).toEqual({ failures: [] })
  const { device } = Object(Object(await failuresOf()).failures[0])
  expect(gateway.log()).toContain(device)
  expect((await gateway.admin('/api/v1/unknown-apps')).json).toMatchObject({
    unknownApps: [{ appId: 'com.example.CANARY', count: 1 }],
  })
  expect(gateway.log()).not.toContain('CANARY')
  expect(await gateway.metrics()).not.toContain('CANARY')
})

it('the configuration in use is told, and which settings wait for a restart', async () => {
  const gateway = await start()
  expect((await statusOf(gateway)).configuration).toMatchObject({ isNewest: true, pendingRestarts: [] })
  expect(metricValue(await gateway.metrics(), 'hushgate_restart_pending')).toBe(0)
  await gateway.reload({ settings: 'unknown_app: reject\nlog: { format: text }' })
  expect((await gateway.admin('/api/v1/config')).json).toMatchObject({ configuration: { unknownApp: 'reject' } })
  // What is not changed back waits also after a reload that changes nothing more.
  await gateway.reload({})
  expect((await statusOf(gateway)).configuration.pendingRestarts).toEqual(['log.format'])
  expect(metricValue(await gateway.metrics(), 'hushgate_restart_pending')).toBe(1)
  gateway.gateway.reloadFailed()
  expect((await statusOf(gateway)).configuration.isNewest).toBe(false)
})

it('dead letters are counted before they are put back or dropped', async () => {
  const gateway = await start()
  await notify(gateway, IOS, newPushkey('s400.rBadMessageId').apns)
  await until('it was given up', async () => (await appOf(gateway, IOS)).queue?.dead === 1)
  const dry = { app: IOS, dryRun: true }
  expect((await gateway.admin('/api/v1/dead/retry', dry)).json).toEqual({ retried: 1 })
  expect((await gateway.admin('/api/v1/dead/drop', dry)).json).toEqual({ dropped: 1 })
  expect((await gateway.admin('/api/v1/dead/drop', { app: ANDROID, dryRun: true })).json).toEqual({ dropped: 0 })
  expect((await gateway.admin('/api/v1/dead/drop', { app: IOS })).json).toEqual({ dropped: 1 })
  expect((await gateway.admin('/api/v1/dead')).json).toEqual({ dead: [] })
})

it('what is accepted for a paused app waits, also over a restart, and leaves when it is resumed; another app goes on', async () => {
  const first = await start()
  expect((await first.admin('/api/v1/pause', { app: IOS })).json).toEqual({ app: IOS, isPaused: true })
  const waiting = newPushkey()
  await notify(first, IOS, waiting.apns)
  const other = newPushkey()
  await notify(first, ANDROID, other.fcm)
  await services.waitFor(other.token, 1)
  expect(await appOf(first, IOS)).toMatchObject({ state: 'paused', sinceMs: expect.any(Number), queue: { dead: 0 } })
  await first.close()

  const second = await start()
  const later = newPushkey()
  await notify(second, IOS, later.apns)
  const another = newPushkey()
  await notify(second, ANDROID, another.fcm)
  await services.waitFor(another.token, 1)
  const { state, queue } = await appOf(second, IOS)
  expect([state, (queue?.waiting ?? 0) + (queue?.delayed ?? 0)]).toEqual(['paused', 2])
  expect([services.of(waiting.token), services.of(later.token)]).toEqual([[], []])

  expect((await second.admin('/api/v1/resume', { app: IOS })).json).toEqual({ app: IOS, isPaused: false })
  await Promise.all([services.waitFor(waiting.token, 1), services.waitFor(later.token, 1)])
  expect((await appOf(second, IOS)).state).toBe('open')
})

it('of processes of their own each says what it knows, and a pause that one is told is kept by the other', async () => {
  const store = stores.section('redis')
  const http = await start({ store, role: 'http' })
  const worker = await start({ store, role: 'worker' })
  await notify(http, ANDROID, newPushkey('s503.a3600').fcm)
  await until('it is held', async () => (await appOf(worker, ANDROID)).state === 'held')
  expect(await appOf(http, ANDROID)).toMatchObject({ state: 'unknown', acceptedPerMinute: 1, queue: { dead: 0 } })
  expect([(await statusOf(http)).role, (await statusOf(worker)).role]).toEqual(['http', 'worker'])

  await http.admin('/api/v1/pause', { app: IOS })
  expect((await appOf(http, IOS)).state).toBe('paused')
  expect((await appOf(worker, IOS)).state).toBe('paused')
  const pushed = newPushkey()
  await notify(http, IOS, pushed.apns)
  await http.admin('/api/v1/resume', { app: IOS })
  // Nobody asks the worker meanwhile: it looks by itself.
  await services.waitFor(pushed.token, 1)
})
