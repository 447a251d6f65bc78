/** Clocks of machines that are wrong, with processes as they run. */
import { copyFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CLOCK_FILE } from '../../scripts/faults/clock-file.ts'
import { metricValue } from '../helpers/gateway.ts'
import { createHushgateFolder, startHushgate, type HushgateFolder } from '../helpers/hushgate-process.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
const CLOCK = join(import.meta.dirname, '../../scripts/faults/shifted-clock.ts')
const HOUR_MS = 3600_000
const LEAP_MS = 5000
/** At the time of the wrong clock it would come a minute later, or more. */
const LATE_MS = 55_000

let services: PushServices
let stores: TestStores
beforeAll(async () => {
  ;[services, stores] = await Promise.all([startPushServices(), startStores()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), stores.stop()])
})

/** Its clock is wrong by so much from now on. */
async function setClock(folder: HushgateFolder, shiftMs: number): Promise<void> {
  await folder.write('clock.new', String(shiftMs))
  await rename(folder.at('clock.new'), folder.at(CLOCK_FILE))
}

function serve(folder: HushgateFolder, role = 'all') {
  return startHushgate(['serve', '--role', role], { folder: folder.path, nodeOptions: ['--import', CLOCK] })
}

let events = 0
const post = async (url: string, app: string, pushkey: string, type = 'm.room.message'): Promise<void> => {
  events += 1
  const devices = [{ app_id: app, pushkey }]
  const event = { event_id: `$event-${events}`, room_id: '!room:example.org', type, prio: 'high' }
  expect(await pushTo(url, { ...event, devices })).toEqual({ status: 200, json: { rejected: [] } })
}

const metricsOf = async (admin: string): Promise<string> => (await fetch(`${admin}/metrics`)).text()

describe.each([
  ['ahead of', -70],
  ['behind', 70],
])('a worker whose clock is 70 s %s that of the one that accepts', (_, skewSeconds) => {
  it('delivers calls, also those that it has to try again, and what coalesce holds back; and the other says it', async () => {
    await using accepting = await createHushgateFolder()
    await using delivering = await createHushgateFolder()
    await copyFile(accepting.at('keys'), delivering.at('keys'))
    const appsYaml = services.appsYaml.replace(`${IOS}:\n`, `${IOS}:\n    coalesce: 1s\n`)
    expect(appsYaml).not.toBe(services.appsYaml)
    const store = stores.section('redis')
    await Promise.all([accepting, delivering].map((folder) => folder.configure({ appsYaml, store })))
    // Not that of the worker: Apple would refuse what it signs.
    await setClock(accepting, skewSeconds * 1000)
    await using http = serve(accepting, 'http')
    await using worker = serve(delivering, 'worker')
    const [{ notify: url, admin }] = await Promise.all([http.running(), worker.running()])

    const [call, calledAgain, woken] = [newPushkey(), newPushkey('s503.n1'), newPushkey()]
    const sentAtMs = Date.now()
    await post(url, IOS, call.apns, 'm.call.invite')
    await post(url, IOS, calledAgain.apns, 'm.call.invite')
    for (const { apns } of [woken, woken]) await post(url, IOS, apns)
    const arrivals = await Promise.all([
      services.waitFor(call.token, 1, 200),
      services.waitFor(calledAgain.token, 1, 200),
      services.waitFor(woken.token, 2, 200),
    ])
    for (const { atMs } of arrivals.flat()) expect(atMs - sentAtMs).toBeLessThan(LATE_MS)
    const line = await http.logged('The clocks of this machine and of Redis differ')
    expect(line['seconds_ahead_of_redis']).toBe(skewSeconds)
    expect(metricValue(await metricsOf(admin), 'hushgate_clock_skew_seconds')).toBeCloseTo(skewSeconds, 0)
  })
})

describe.each(STORES)('on %s', (store) => {
  let folder: HushgateFolder
  beforeEach(async () => {
    folder = await createHushgateFolder()
    await folder.configure({ appsYaml: services.appsYaml, store: stores.section(store) })
  })
  afterEach(() => folder[Symbol.asyncDispose]())

  it('what waits is not late where the clock is set back by an hour', async () => {
    await using gateway = serve(folder)
    const { notify: url } = await gateway.running()
    const waiting = newPushkey('s503.a3.n1')
    await post(url, ANDROID, waiting.fcm)
    const [refused] = await services.waitFor(waiting.token, 1)
    await setClock(folder, -HOUR_MS)
    const [delivered] = await services.waitFor(waiting.token, 1, 200)
    expect((delivered?.atMs ?? Infinity) - (refused?.atMs ?? 0)).toBeLessThan(LATE_MS)
  })

  it('what waits does not expire where the clock leaps 25 hours ahead for five seconds', async () => {
    await using gateway = serve(folder)
    const { notify: url, admin } = await gateway.running()
    const [waiting, during] = [newPushkey('s503.a3.n1'), newPushkey()]
    await post(url, ANDROID, waiting.fcm)
    await services.waitFor(waiting.token, 1)
    await setClock(folder, 25 * HOUR_MS)
    await until('the clock has leapt', async () => {
      const skew = metricValue(await metricsOf(admin), 'hushgate_clock_skew_seconds') ?? 0
      return skew * 1000 > 24 * HOUR_MS
    })
    await post(url, ANDROID, during.fcm)
    await sleep(LEAP_MS)
    await setClock(folder, 0)
    // So that a push service which has refused what was signed meanwhile is asked again at once.
    gateway.signal('SIGHUP')
    for (const { token } of [waiting, during]) await services.waitFor(token, 1, 200)
    await until('nothing is left', async () => {
      const text = await metricsOf(admin)
      const counts = ['waiting', 'delayed', 'active', 'dead'].map((state) =>
        metricValue(text, 'hushgate_queue_deliveries', { app: ANDROID, state }),
      )
      return counts.every((count) => count === 0)
    })
  })
})
