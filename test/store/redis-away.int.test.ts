/** Redis down, dying, frozen, read-only, full: every use of the store fails soon, nothing hangs, and the store comes back by itself. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'

const APP = 'com.example.app'

describe.each(['single', 'cluster'] as const)('a store whose Redis (%s) is not what it was', (mode) => {
  let redis: TestRedis
  let store: Store
  let told: string[]

  const open = (): Promise<Store> =>
    openRedisStore({
      topology: redis.topology,
      keyring: createKeyring(),
      nowMs: Date.now,
      onError: (message) => void told.push(message),
      prefix: randomUUID(),
    })
  const isUsable = async (): Promise<boolean> => {
    const [added, remembered] = await Promise.allSettled([
      store.queue.add([createDelivery()]),
      store.memory.set('key', 'value', 60_000),
    ])
    return added.status === 'fulfilled' && remembered.status === 'fulfilled'
  }

  beforeEach(() => {
    told = []
  })
  afterEach(async () => {
    redis.thaw()
    await store.close()
    await redis.stop()
  })

  it('opens without it, refuses at once, and stores as soon as it is there', async () => {
    redis = await startRedis({ mode, isStarted: false })
    const startMs = Date.now()
    store = await open()
    expect(Date.now() - startMs).toBeLessThan(2000)
    expect(store.health()).toMatchObject({ writable: false, fit: true })
    await expectRefusal(store, 100)
    const received = new Received()
    store.queue.consume(APP, 10, received.handler)
    await redis.start()
    await until('it is usable', isUsable)
    await received.atLeast(1)
    expect(store.health()).toEqual({ writable: true, dangers: [], fit: true })
  })

  it('refuses what was under way when it dies and all after that, and comes back with it', async () => {
    redis = await startRedis({ mode })
    store = await open()
    const received = new Received()
    store.queue.consume(APP, 10, received.handler)
    const stored = await store.queue.add(createDeliveries(3))
    await received.atLeast(3)
    const underWay = Array.from({ length: 20 }, () => settledWithin(store.queue.add([createDelivery()])))
    await redis.kill()
    for (const { ms } of await Promise.all(underWay)) expect(ms).toBeLessThan(1000)
    await expectRefusal(store, 1000)
    await until('it is not writable', () => !store.health().writable)
    await expectRefusal(store, 100)
    await until('the operator is told', () => told.length === 1)
    await redis.start()
    await until('it is usable', isUsable)
    const [order = 0] = await store.queue.add([createDelivery()])
    expect(order).toBeGreaterThan(Math.max(...stored))
    await received.atLeast(5)
    expect(store.health().writable).toBe(true)
  })

  it('refuses within a second while it is frozen, and comes back when it thaws', async () => {
    redis = await startRedis({ mode })
    store = await open()
    const received = new Received()
    store.queue.consume(APP, 10, received.handler)
    expect(await isUsable()).toBe(true)
    redis.freeze()
    await expectRefusal(store, 1000)
    await until('it is not writable', () => !store.health().writable)
    await expectRefusal(store, 1000)
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

  it('refuses while it is a replica, and comes back when it is the master again', async () => {
    const admin = await redis.client()
    await admin.replicaof('127.0.0.1', 1)
    await expectRefusal(store, 1000)
    await until('it is not writable', () => !store.health().writable)
    await admin.replicaof('NO', 'ONE')
    // Nobody adds anything: the store finds out by itself.
    await until('it is writable', () => store.health().writable)
    await store.queue.add([createDelivery()])
  })

  it('refuses when it is full, says why, and stores and hands out again when there is room', async () => {
    await store.queue.add(createDeliveries(5))
    const admin = await redis.client()
    await admin.config('SET', 'maxmemory', '1mb')
    await expect(store.queue.add([createDelivery()])).rejects.toThrow('Redis is full (maxmemory)')
    await expectRefusal(store, 1000)
    expect(store.health().writable).toBe(false)
    const received = new Received()
    store.queue.consume(APP, 10, received.handler)
    await admin.config('SET', 'maxmemory', '0')
    await received.atLeast(5)
    await until('it is writable', () => store.health().writable)
  })

  it('refuses what is new while there is still room to hand out what it has', async () => {
    await store.queue.add(createDeliveries(5))
    const admin = await redis.client()
    // Beside it, the buffers of connections that come and go count for nothing.
    await admin.setrange('ballast', 32 * 1024 * 1024, 'x')
    const used = Number(/used_memory:(\d+)/.exec(await admin.info('memory'))?.[1])
    await admin.config('SET', 'maxmemory', String(Math.round(used * 1.05)))
    await until('it is not writable', () => !store.health().writable)
    const received = new Received()
    store.queue.consume(APP, 10, received.handler)
    await received.atLeast(5)
    await admin.del('ballast')
    await admin.config('SET', 'maxmemory', '0')
    await until('it is writable', () => store.health().writable)
  })

  it('refuses when fewer replicas confirm than must', async () => {
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

async function expectRefusal({ queue, memory }: Store, withinMs: number): Promise<void> {
  const uses = [queue.add([createDelivery()]), memory.set('key', 'value', 1000), queue.depth(APP)]
  // Reading still works on a replica and on one that is full.
  const [added, ...others] = await Promise.all(uses.map((use) => settledWithin(use)))
  expect(added?.error).toBeInstanceOf(StoreUnavailableError)
  for (const use of [added, ...others]) expect(use?.ms).toBeLessThan(withinMs)
  const errors = others.map(({ error }) => error).filter((error) => error !== undefined)
  for (const error of errors) expect(error).toBeInstanceOf(StoreUnavailableError)
}

async function settledWithin(use: Promise<unknown>): Promise<{ ms: number; error: unknown }> {
  const startMs = performance.now()
  const error: unknown = await use.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return { ms: performance.now() - startMs, error }
}
