/** What is known of a device, as it is found by its pushkey or by its hash. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Routes, type OpenRoute } from '../../src/config/routes.ts'
import type { Delivery } from '../../src/core/delivery.ts'
import { shortHash } from '../../src/core/identities.ts'
import { StoreOperator } from '../../src/operator/store-operator.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { Received } from '../helpers/received.ts'
import { createRoute } from '../helpers/route.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const HOUR_MS = 3600_000

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let route: OpenRoute
let pushkey: string
let device: string
let areKept: boolean
let isBlocked: boolean
let operator: StoreOperator
beforeEach(() => {
  route = createRoute()
  pushkey = `key-${randomUUID()}`
  device = store.identities.device({ appId: route.app, target: pushkey })
  areKept = true
  isBlocked = false
  const routes = new Routes([createRoute(), route, createRoute({ app: `glob-${randomUUID()}.*` })])
  operator = new StoreOperator({
    ...store,
    store,
    nowMs: clock.nowMs,
    routes: () => routes,
    isBlocked: () => isBlocked,
    config: () => ({ receipts: areKept, queue: { maxAgeMs: HOUR_MS, callMaxAgeMs: 60_000 } }),
  })
})

/** Of the device, as it is handed out. */
const delivery = (more: Partial<Delivery> = {}): Delivery =>
  createDelivery({ route: route.name, deviceHash: device, acceptedAtMs: clock.ms, ...more })

async function giveUp(reason: string): Promise<string> {
  const given = delivery()
  await store.queue.add([given])
  const received = new Received(() => ({
    kind: 'dead-letter',
    reason,
    note: store.receipts.noteOf(given, 1, { kind: 'failed', reason }),
  }))
  const consumer = store.queue.consume(route.name, 1, received.handler)
  await received.atLeast(1)
  await consumer.stop(60_000)
  return given.id
}

describe('a device', () => {
  it('of which nothing is known is named as the log would, on each app that is no glob', async () => {
    const { devices, names, receipts } = await operator.find({ pushkey })
    expect(devices).toEqual([])
    expect(receipts).toBe(true)
    expect(names).toHaveLength(2)
    expect(names).toContainEqual({ app: route.app, device: shortHash(device) })
  })

  it('is found by its pushkey and by its hash, whole or as the log has it, with all that is kept of it', async () => {
    const id = await giveUp('PayloadTooLarge')
    await store.queue.add([delivery(), delivery(), delivery({ deviceHash: 'another' })])
    const { deadPushkeys, known } = store
    await deadPushkeys.record(delivery(), { kind: 'delivered' })
    await known.flush()
    const found = await operator.find({ pushkey, appId: route.app })
    expect(found.devices).toEqual([
      {
        app: route.app,
        device: shortHash(device),
        receipt: {
          acceptedAtMs: expect.any(Number),
          attemptedAtMs: expect.any(Number),
          attempt: 1,
          result: 'failed',
          word: 'PayloadTooLarge',
        },
        wasDelivered: true,
        waiting: 2,
        oldestAcceptedAtMs: clock.ms,
        dead: [expect.objectContaining({ id, device: shortHash(device), reason: 'PayloadTooLarge' })],
        unreadable: 0,
        hasLatestBadge: false,
        isBlocked: false,
        advice: expect.arrayContaining([expect.stringContaining(`dead retry --id ${id}`)]),
      },
    ])
    for (const hash of [device, shortHash(device)]) {
      const [byHash] = (await operator.find({ device: hash })).devices
      expect(byHash).toMatchObject({ app: route.app, waiting: 2, receipt: { word: 'PayloadTooLarge' } })
    }
  })

  it('that is dead is said to be so, since when, and what to do', async () => {
    await store.deadPushkeys.record(delivery(), { kind: 'rejected', reason: 'Unregistered' })
    const [found] = (await operator.find({ pushkey })).devices
    expect(found).toMatchObject({ death: { opinion: 'believed', isRevived: false } })
    expect(found?.advice.join()).toContain('register again')
  })

  it('of a blocked app is told that nothing of it is delivered', async () => {
    await store.queue.add([delivery()])
    isBlocked = true
    const [found] = (await operator.find({ pushkey })).devices
    expect(found?.advice).toEqual([expect.stringContaining('refuses the credential')])
  })

  it('is forgotten with its receipt', async () => {
    await giveUp('PayloadTooLarge')
    const { Secret } = await import('../../src/core/secret.ts')
    const forgotten = await operator.forget({ appId: route.app, pushkey: new Secret(pushkey), data: {} })
    expect(forgotten).toMatchObject({ receipt: true, deadLetters: 1 })
    expect((await operator.find({ pushkey })).devices).toEqual([])
  })

  it('is asked for by a pushkey or a hash, and of an app that is configured', async () => {
    await expect(operator.find({})).rejects.toThrow('not both')
    await expect(operator.find({ pushkey, device })).rejects.toThrow('not both')
    await expect(operator.find({ pushkey, appId: 'unknown' })).rejects.toThrow('No app is configured')
  })
})
