/**
 * The notify port is open to everybody: what it costs others when somebody posts for devices that nobody has. Each attack worked once
 * (docs/reliability.md has the figures).
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Outcome } from '../../src/core/outcome.ts'
import { metricValue, startGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'
import { APP, KNOWN, said, startRig, strangers, type AttackRig } from './rig.ts'

const GONE: Outcome = { kind: 'rejected', reason: 'Unregistered' }
const AWAY: Outcome = { kind: 'retry', reason: '503', scope: 'target', ambiguous: false, afterMs: 3600_000 }
const FAILED: Outcome = { kind: 'failed', reason: 'BadMessage' }
const ALL_TAKEN = KNOWN.map(() => 200)
const IOS = 'com.example.ios'
const ALARM = 'Most pushkeys of this app were called dead'
const DEVICES_PER_REQUEST = 100
const REQUESTS_AT_ONCE = 4

let stores: TestStores
beforeAll(async () => {
  stores = await startStores()
})
afterAll(() => stores.stop())

/** Posts for so many strangers, in requests of 100 devices, some at once; resolves with what they were answered. */
async function pushToStrangers(
  rig: AttackRig,
  count: number,
  push: 'push' | 'pushUntilTaken' = 'push',
): Promise<readonly number[]> {
  const answers: number[] = []
  for (let left = count / DEVICES_PER_REQUEST; left > 0; left -= REQUESTS_AT_ONCE) {
    const requests = Array.from({ length: Math.min(left, REQUESTS_AT_ONCE) }, () => strangers(DEVICES_PER_REQUEST))
    answers.push(...(await Promise.all(requests.map(async (pushkeys) => (await rig[push](pushkeys)).status))))
  }
  return answers
}

async function depthOf({ gateway }: AttackRig): Promise<number> {
  const metrics = await gateway.metrics()
  return ['waiting', 'delayed', 'active']
    .map((state) => metricValue(metrics, 'hushgate_queue_deliveries', { app: APP, state }) ?? 0)
    .reduce((sum, each) => sum + each)
}

/** The ids in an answer of the admin API. */
function idsIn(json: unknown): readonly string[] {
  return [...JSON.stringify(json).matchAll(/"id":"([^"]+)"/g)].map(([, id = '']) => id)
}

const isStranger = (pushkey: string): boolean => pushkey.startsWith('stranger')
const outcomeCount = async ({ gateway }: AttackRig, outcome: string): Promise<number> =>
  metricValue(await gateway.metrics(), 'hushgate_outcomes_total', { app: APP, outcome }) ?? 0

/** Thousands of commits, while another program fills the disk's queue. */
const BUSY_DISK_MS = 150_000

describe('attack 3: garbage pushkeys fill the store', () => {
  it('those that no device can have are rejected at the door, and leave nothing in a Redis of 64 MB', async (context) => {
    const redis = await startRedis({ settings: { maxmemory: '64mb' } })
    context.onTestFinished(() => redis.stop())
    const client = await redis.client()
    await using services = await startPushServices()
    await using gateway = await startGateway({
      appsYaml: services.appsYaml,
      store: `{ url: "redis://127.0.0.1:${redis.port}" }`,
    })
    const garbage = (): object[] =>
      Array.from({ length: DEVICES_PER_REQUEST }, () => ({
        app_id: IOS,
        pushkey: `!${randomBytes(5).toString('hex')}`,
      }))
    const keysBefore = await client.dbsize()
    for (let request = 0; request < 50; request += 1) {
      const devices = garbage()
      const { json } = await gateway.notify({ event_id: `$${request}`, devices })
      expect(json).toMatchObject({ rejected: { length: DEVICES_PER_REQUEST } })
    }
    expect(await client.dbsize()).toBe(keysBefore)
    const { token, apns } = newPushkey()
    await gateway.notify({ event_id: '$event', devices: [{ app_id: IOS, pushkey: apns }] })
    await services.waitFor(token, 1, 200)
  })

  it.each(STORES)(
    'of those that a push service calls dead, %s remembers 10,000 of an app, and no event',
    async (store) => {
      await using rig = await startRig(stores, store)
      rig.answer = (pushkey) => (isStranger(pushkey) ? GONE : { kind: 'delivered' })
      expect(new Set(await pushToStrangers(rig, 12_000, 'pushUntilTaken'))).toEqual(new Set([200]))
      // What was stored and answered 503 all the same may be asked about twice.
      await until('all are called dead', async () => (await outcomeCount(rig, 'rejected')) >= 12_000, BUSY_DISK_MS)
      expect(await rig.pushToKnown()).toEqual(ALL_TAKEN)
      const { memory } = await rig.left()
      expect(memory.filter((key) => key.startsWith('dead:'))).toHaveLength(10_000)
      expect(memory.filter((key) => key.startsWith('event:')).length).toBeLessThanOrEqual(2 * KNOWN.length)
    },
  )
})

describe('attack 4: pushes to devices that are away fill the queue', () => {
  it.each(STORES)(
    'on %s strangers get half of queue.high_water, and known devices are refused nothing',
    async (store) => {
      await using rig = await startRig(stores, store, 'high_water: 2000')
      rig.answer = (pushkey) => (isStranger(pushkey) ? AWAY : { kind: 'delivered' })
      const answers = await pushToStrangers(rig, 3000)
      expect(answers).toContain(503)
      expect(await rig.pushToKnown()).toEqual(ALL_TAKEN)
      await until('the known devices have their pushes', () => KNOWN.every((pushkey) => rig.asked.includes(pushkey)))
      // However long they go on.
      await pushToStrangers(rig, 1000)
      expect(await depthOf(rig)).toBeLessThanOrEqual(1000 + DEVICES_PER_REQUEST)
      expect(await rig.pushToKnown()).toEqual(ALL_TAKEN)
    },
  )
})

describe('attack 7: garbage pushkeys trip the rejection guard', () => {
  it.each(STORES)('on %s truly dead devices go on being reported, and nobody is alarmed', async (store) => {
    await using rig = await startRig(stores, store)
    rig.answer = () => GONE
    await rig.push(strangers(40))
    await until('all are called dead', async () => (await outcomeCount(rig, 'rejected')) === 40)
    const [dying = ''] = KNOWN
    await rig.push([dying])
    await until('it is called dead', async () => (await outcomeCount(rig, 'rejected')) === 41)
    expect((await rig.push([dying])).json).toEqual({ rejected: [dying] })
    expect(said(rig.gateway, ALARM)).toBe(0)
    expect((await rig.left()).memory.filter((key) => key.startsWith('breaker:windows'))).toEqual([])
  })

  it.each(STORES)(
    'on %s an app that is new here is alarmed of once: nobody can be told from a stranger',
    async (store) => {
      await using rig = await startRig(stores, store)
      const newApp = `${APP}.new`
      await rig.gateway.reload({
        appsYaml: `apps: { ${APP}: { type: steered, label: some }, ${newApp}: { type: steered, label: some } }`,
      })
      rig.answer = () => GONE
      const devices = strangers(60).map((pushkey) => ({ app_id: newApp, pushkey }))
      await rig.gateway.notify({ event_id: '$event', devices })
      await until('all are called dead', async () => {
        const metrics = await rig.gateway.metrics()
        return metricValue(metrics, 'hushgate_outcomes_total', { app: newApp, outcome: 'rejected' }) === 60
      })
      expect(said(rig.gateway, ALARM)).toBe(1)
    },
  )
})

describe('attack 10: garbage is taken for proof of our credential', () => {
  it('at a blocked app it opens nothing: one push asks now and then, and the log does not say that all is well', async () => {
    await using services = await startPushServices()
    const appsYaml = services.appsYaml.replace('type: apns', 'type: apns\n    token_format: hex')
    await using gateway = await startGateway({ appsYaml })
    const metric = async (name: string, labels: Readonly<Record<string, string>> = {}) =>
      metricValue(await gateway.metrics(), name, { app: IOS, ...labels })
    const push = (pushkey: string, more: object = {}) =>
      gateway.notify({ event_id: `$${randomUUID()}`, devices: [{ app_id: IOS, pushkey }], ...more })
    const refused = Buffer.from(newPushkey('s403.rInvalidProviderToken').token).toString('hex')
    await push(refused)
    await until('the app is blocked', async () => (await metric('hushgate_app_blocked')) === 1)
    for (let count = 0; count < 50; count += 1) await push(refused)
    // A token in the other format: only these options rule it out, so it comes as far as the sender. As a call, it goes first.
    await push(newPushkey().apns, { type: 'm.call.invite' })
    // It asks for a probe at once.
    await gateway.reload({ appsYaml: appsYaml.replace('type: apns', 'type: apns\n    loc_key: Other') })
    await until(
      'the garbage was judged',
      async () => (await metric('hushgate_outcomes_total', { outcome: 'rejected' })) === 1,
    )
    await until('the next was asked about', () => services.received.length === 2)
    expect(await metric('hushgate_app_blocked')).toBe(1)
    expect(said(gateway, 'takes our credential again')).toBe(0)
  })
})

describe('attack 12: failing pushes evict all dead letters and flood the log', () => {
  it.each(STORES)('on %s those of known devices stay, and a line a second is logged', async (store) => {
    await using rig = await startRig(stores, store)
    rig.answer = () => FAILED
    await rig.pushToKnown()
    await until('they are given up', async () => (await outcomeCount(rig, 'failed')) === KNOWN.length)
    const ids = async (): Promise<readonly string[]> => idsIn((await rig.gateway.admin('/api/v1/dead')).json)
    const known = await ids()
    const startedMs = Date.now()
    await pushToStrangers(rig, 11_000, 'pushUntilTaken')
    const areAllGivenUp = async () => (await outcomeCount(rig, 'failed')) >= KNOWN.length + 11_000
    await until('all are given up', areAllGivenUp, BUSY_DISK_MS)
    const seconds = (Date.now() - startedMs) / 1000
    for (const id of known) expect(idsIn((await rig.gateway.admin(`/api/v1/dead?id=${id}`)).json)).toEqual([id])
    expect(said(rig.gateway, '"A delivery was given up"')).toBeLessThanOrEqual(seconds + 3)
    expect((await rig.left()).deadLetters).toBeLessThan(7000)
  })
})
