/** Redis is down, dies, is frozen, read-only or full: every call of the store fails soon, nothing hangs, and the store works again by itself. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import { isInTime } from './in-time.ts'

const ROUTE = 'com.example.app'
/** Sooner than the store's time limit. */
const AT_ONCE_MS = 500
/** The store's time limit, and what a busy machine adds. */
const SOON_MS = 1500

describe.each(['single', 'cluster'] as const)('a store whose Redis (%s) goes away', (mode) => {
  let redis: TestRedis
  let store: Store
  let warnings: string[]

  const open = (): Promise<Store> =>
    openRedisStore({
      topology: redis.topology,
      keyring: createKeyring(),
      nowMs: Date.now,
      onError: (message) => void warnings.push(message),
      prefix: randomUUID(),
    })
  const isUsable = async (): Promise<boolean> => {
    const [added, remembered] = await Promise.allSettled([
      store.queue.add([createDelivery()]),
      store.memory.set({ route: ROUTE }, 'key', 'value', 60_000),
    ])
    return added.status === 'fulfilled' && remembered.status === 'fulfilled'
  }

  beforeEach(() => {
    warnings = []
  })
  afterEach(async () => {
    redis.thaw()
    await store.close()
    await redis.stop()
  })

  it('opens without it, refuses at once, and stores as soon as Redis is there', async () => {
    redis = await startRedis({ mode, isStarted: false })
    const opening = open()
    expect(await isInTime(opening, 5000)).toBe(true)
    store = await opening
    expect(store.health()).toMatchObject({ writable: false, fit: true })
    await expectRefusal(store, AT_ONCE_MS)
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    await redis.start()
    await until('it is usable', isUsable)
    await received.atLeast(1)
    expect(store.health()).toEqual({ writable: true, dangers: [], fit: true, fill: 0 })
  })

  it('refuses what was under way when Redis dies and all after that, and works again with it', async () => {
    redis = await startRedis({ mode })
    store = await open()
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    const stored = await store.queue.add(createDeliveries(3))
    await received.atLeast(3)
    const underWay = Array.from({ length: 20 }, () => isInTime(store.queue.add([createDelivery()]), SOON_MS))
    await redis.kill()
    expect(await Promise.all(underWay)).not.toContain(false)
    await expectRefusal(store, SOON_MS)
    await until('it is not writable', () => !store.health().writable)
    await expectRefusal(store, AT_ONCE_MS)
    await until('the operator is told', () => warnings.length === 1)
    await redis.start()
    await until('it is usable', isUsable)
    const [order = 0] = await store.queue.add([createDelivery()])
    expect(order).toBeGreaterThan(Math.max(...stored))
    await received.atLeast(5)
    expect(store.health().writable).toBe(true)
  })

  it('refuses soon while Redis is frozen, and works again when it goes on', async () => {
    redis = await startRedis({ mode })
    store = await open()
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    expect(await isUsable()).toBe(true)
    redis.freeze()
    await expectRefusal(store, SOON_MS)
    await until('it is not writable', () => !store.health().writable)
    await expectRefusal(store, SOON_MS)
    redis.thaw()
    await until('it is usable', isUsable)
    const last = createDelivery()
    await store.queue.add([last])
    await until('the last is handed out', () => received.ids.includes(last.id))
    await until('it is writable', () => store.health().writable)
  })
})

describe('a store whose Redis takes no writes', () => {
  let redis: TestRedis
  let store: Store

  beforeEach(async () => {
    redis = await startRedis({ settings: { 'repl-diskless-sync-delay': 0 } })
    store = await openRedisStore({
      topology: redis.topology,
      keyring: createKeyring(),
      nowMs: Date.now,
      onError: () => {},
    })
  })
  afterEach(async () => {
    await store.close()
    await redis.stop()
  })

  it('refuses while Redis is a replica, and works again when it is the master again', async () => {
    const admin = await redis.client()
    await admin.replicaof('127.0.0.1', 1)
    await expectRefusal(store, SOON_MS)
    await until('it is not writable', () => !store.health().writable)
    await admin.replicaof('NO', 'ONE')
    // Nobody adds anything: the store finds out by itself.
    await until('it is writable', () => store.health().writable)
    await store.queue.add([createDelivery()])
  })

  it('refuses when Redis is full, says why, and stores and hands out again when there is room', async () => {
    await store.queue.add(createDeliveries(5))
    const admin = await redis.client()
    await admin.config('SET', 'maxmemory', '1mb')
    await expect(store.queue.add([createDelivery()])).rejects.toThrow('Redis is full (maxmemory)')
    await expectRefusal(store, SOON_MS)
    expect(store.health().writable).toBe(false)
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    await admin.config('SET', 'maxmemory', '0')
    await received.atLeast(5)
    await until('it is writable', () => store.health().writable)
  })

  it('refuses new deliveries while there is still room to hand out those that it has', async () => {
    await store.queue.add(createDeliveries(5))
    const admin = await redis.client()
    // Beside it, the buffers of connections that come and go count for nothing.
    await admin.setrange('ballast', 32 * 1024 * 1024, 'x')
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1])
    await admin.config('SET', 'maxmemory', String(Math.round(used * 1.05)))
    await until('it is not writable', () => !store.health().writable)
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    await received.atLeast(5)
    await admin.del('ballast')
    await admin.config('SET', 'maxmemory', '0')
    await until('it is writable', () => store.health().writable)
  })

  it('refuses when too few replicas confirm', async () => {
    const strict = await openRedisStore({
      topology: redis.topology,
      keyring: createKeyring(),
      nowMs: Date.now,
      replicaAcks: 1,
      onError: () => {},
    })
    await expect(strict.queue.add([createDelivery()])).rejects.toThrow('too few replicas')
    const replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${redis.port}` } })
    // A replica that is still being filled confirms nothing in time.
    const isAdded = () =>
      strict.queue.add([createDelivery()]).then(
        () => true,
        () => false,
      )
    await until('a replica confirms', isAdded)
    expect(strict.health().writable).toBe(true)
    await strict.close()
    await replica.stop()
  })
})

async function expectRefusal({ queue, memory }: Store, limitMs: number): Promise<void> {
  const added = queue.add([createDelivery()])
  const calls = [added, memory.set({ route: ROUTE }, 'key', 'value', 1000), queue.depth(ROUTE)]
  const areInTime = await Promise.all(calls.map((call) => isInTime(call, limitMs)))
  expect(areInTime).not.toContain(false)
  await expect(added).rejects.toBeInstanceOf(StoreUnavailableError)
  // Reading still works on a replica, and on a Redis that is full.
  const results = await Promise.allSettled(calls)
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  expect(errors.filter((error) => !(error instanceof StoreUnavailableError))).toEqual([])
}
