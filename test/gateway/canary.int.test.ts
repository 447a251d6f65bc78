/** Canary pushes through a whole gateway, on both stores: what the push service gets, what is said of it, and what is not left behind. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { status } from '../../src/commands/status.ts'
import { Secret } from '../../src/core/secret.ts'
import { statusSchema, type CanaryStatus } from '../../src/operator/status.ts'
import { APPS, SERVICES, startEveryPushService, type EveryPushService } from '../helpers/every-push-service.ts'
import { metricValue, startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { STORES, startStores, type TestStores } from '../helpers/stores.ts'
import { textSink } from '../helpers/text-sink.ts'

const IOS = APPS.apns

let services: PushServices
let every: EveryPushService
let stores: TestStores
let folder: string
beforeAll(async () => {
  services = await startPushServices()
  every = await startEveryPushService()
  stores = await startStores()
})
afterAll(async () => {
  await stores.stop()
  await every[Symbol.asyncDispose]()
  await services[Symbol.asyncDispose]()
})
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-canary-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** An entry for this pushkey, as flow YAML. */
async function canary(app: string, pushkey: string, data?: object): Promise<string> {
  const file = join(folder, `pushkey-of-${app}`)
  await writeFile(file, `${pushkey}\n`)
  const more = data === undefined ? '' : `, data: ${JSON.stringify(data)}`
  return `{ app: ${app}, pushkey_file: ${JSON.stringify(file)}, every: 1h${more} }`
}

/** Resolves with the metrics once there is such an outcome. */
async function untilEnded(gateway: TestGateway, app: string, outcome: string): Promise<string> {
  let text = ''
  await until(`a canary push to ${app} is ${outcome}`, async () => {
    text = await gateway.metrics()
    return metricValue(text, 'hushgate_canary_pushes_total', { app, outcome }) === 1
  })
  return text
}

async function gatewayWith(entry: string, options: Partial<TestGatewayOptions> = {}): Promise<TestGateway> {
  return startGateway({ appsYaml: services.appsYaml, settings: `canary: [${entry}]`, ...options })
}

/** What the API says of an app's canary pushes. */
async function toldOf(gateway: TestGateway, app: string): Promise<CanaryStatus | null | undefined> {
  const { json } = await gateway.admin('/api/v1/status')
  if (!Value.Check(statusSchema, json)) throw new Error(JSON.stringify([...Value.Errors(statusSchema, json)]))
  return json.apps.find((each) => each.app === app)?.canary
}

/** `hushgate status`. */
async function statusOf({ folder: home, adminUrl }: TestGateway): Promise<{ readonly code: number; text: string }> {
  const [stdout, stderr] = [textSink(), textSink()]
  const token = new Secret((await readFile(join(home, 'token'), 'utf8')).trim())
  const access = { config: undefined, url: adminUrl, token: async () => token }
  const code = await status({ isJson: false, access, stdout, stderr })
  return { code, text: stdout.text() }
}

describe.each(STORES)('on %s, a canary push', (store) => {
  it('shows nothing, and is measured from the store to the answer of the push service', async () => {
    const { token, apns } = newPushkey()
    await using gateway = await gatewayWith(await canary(IOS, apns), { store: stores.section(store) })
    const [push] = await services.waitFor(token, 1, 200)
    expect(push?.body).toEqual({ aps: { badge: 0 } })
    const metrics = await untilEnded(gateway, IOS, 'delivered')
    const labels = { app: IOS, provider: 'apns' }
    const of = (name: string): number => metricValue(metrics, `hushgate_canary_${name}`, labels) ?? Number.NaN
    expect(of('interval_seconds')).toBe(3600)
    expect(of('last_success_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 60)
    expect(of('age_seconds')).toBeLessThan(60)
    expect(of('round_trip_seconds')).toBeGreaterThan(0)
    expect(of('round_trip_seconds')).toBeLessThan(60)
    expect(gateway.log() + metrics).not.toContain(apns)
  })

  it('is told of to the operator, also by a process that did not send it; and that none arrives any more', async () => {
    const entry = await canary(IOS, newPushkey().apns)
    let laterMs = 0
    const nowMs = (): number => Date.now() + laterMs
    const options = { store: stores.section(store), folder, nowMs }
    let told: CanaryStatus | null | undefined
    {
      await using gateway = await gatewayWith(entry, options)
      await until('it has arrived', async () => {
        told = await toldOf(gateway, IOS)
        return told?.state === 'arrives'
      })
      expect(told).toMatchObject({ everyMs: 3_600_000, roundTripMs: expect.any(Number) })
      expect(told?.lastArrivedAtMs).toBeGreaterThan(Date.now() - 60_000)
      expect(await toldOf(gateway, 'com.example.android')).toBe(null)
      const { code, text } = await statusOf(gateway)
      expect(text).toMatch(/^ {2}com\.example\.ios: canary pushes: the last arrived \d+ s ago, after \d+ ms$/m)
      expect(text).not.toMatch(/android: canary/)
      expect(code).toBe(0)
    }
    await using other = await gatewayWith(entry, { ...options, role: store === 'redis' ? 'http' : 'all' })
    expect(await toldOf(other, IOS)).toEqual(told)
    laterMs = 3 * 3_600_000 + 60_000
    expect(await toldOf(other, IOS)).toEqual({ ...told, state: 'stopped' })
    const { code, text } = await statusOf(other)
    expect(text).toMatch(/^→ com\.example\.ios: no canary push arrives \(the last arrived 3 h ago, .* every 60 min\)/m)
    expect(code).toBe(2)
  })

  it('that fails is said, and leaves no dead letter', async () => {
    const { apns } = newPushkey('s400.rBadMessageId')
    await using gateway = await gatewayWith(await canary(IOS, apns), { store: stores.section(store) })
    const metrics = await untilEnded(gateway, IOS, 'failed')
    expect(metricValue(metrics, 'hushgate_canary_last_success_timestamp_seconds')).toBeUndefined()
    expect(gateway.log()).toContain('A canary push did not arrive')
    await until('nothing of it is left', async () => {
      const text = await gateway.metrics()
      return ['waiting', 'delayed', 'active', 'dead'].every(
        (state) => metricValue(text, 'hushgate_queue_deliveries', { app: IOS, state }) === 0,
      )
    })
  })
})

it('of a device that is gone a canary push is rejected', async () => {
  const { apns } = newPushkey('rUnregistered')
  await using gateway = await gatewayWith(await canary(IOS, apns))
  await untilEnded(gateway, IOS, 'rejected')
})

it('of two processes on one Redis one sends it', async () => {
  const { token, apns } = newPushkey()
  const entry = await canary(IOS, apns)
  const options = { store: stores.section('redis'), folder }
  await using one = await gatewayWith(entry, options)
  await using other = await gatewayWith(entry, options)
  await services.waitFor(token, 1, 200)
  await until('both have said what they know', async () => {
    const told = await Promise.all([one, other].map((gateway) => gateway.metrics()))
    const delivered = told.map((text) =>
      metricValue(text, 'hushgate_canary_pushes_total', { app: IOS, outcome: 'delivered' }),
    )
    return delivered.includes(0) && delivered.includes(1)
  })
  expect(services.of(token)).toHaveLength(1)
})

it('each push service takes one: a browser as well, and FCM, which gets no badges', async () => {
  const entries = await Promise.all(
    SERVICES.map((service) => {
      const { app_id: app, pushkey, data } = every.device(service, `canary-${service}`)
      return canary(app, pushkey, data)
    }),
  )
  await using gateway = await gatewayWith(entries.join(', '), { appsYaml: every.appsYaml })
  for (const app of Object.values(APPS)) await untilEnded(gateway, app, 'delivered')
  expect(every.arrivals.map(({ token }) => token).toSorted()).toEqual(SERVICES.map((service) => `canary-${service}`))
})

it('a reload begins with one, and takes its metrics away with it', async () => {
  const { token, apns } = newPushkey()
  await using gateway = await startGateway({ appsYaml: services.appsYaml })
  expect(await gateway.reload({ settings: `canary: [${await canary(IOS, apns)}]` })).toEqual([])
  await services.waitFor(token, 1, 200)
  await untilEnded(gateway, IOS, 'delivered')
  await gateway.reload({ settings: '' })
  expect(await gateway.metrics()).not.toMatch(/^hushgate_canary_\w+\{/m)
})

it('the running configuration, which the operator may look at, does not show the pushkey or the data', async () => {
  const { app_id: app, pushkey, data } = every.device('webpush', 'shown')
  await using gateway = await gatewayWith(await canary(app, pushkey, data), { appsYaml: every.appsYaml })
  const { json } = await gateway.admin('/api/v1/config')
  const shown = JSON.stringify(json)
  expect(shown).toContain('canaries')
  for (const secret of [pushkey, data?.endpoint, data?.auth]) expect(shown).not.toContain(secret)
})
