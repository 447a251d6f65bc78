/** What the store tells of Redis' settings, and the ways to reach it. */
import { afterEach, describe, expect, it } from 'vitest'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/open.ts'
import { createDelivery, createKeyring } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startRedis, startSentinel, type TestRedis, type TestSentinel } from '../helpers/redis.ts'
import { startRelay } from './held-relay.ts'

const ROUTE = 'com.example.app'
/** How a message of Sentinel about another master begins, as it is sent. */
const SWITCH_MASTER = 'message\r\n$14\r\n+switch-master'
/** How Sentinel's answer begins to who wants to hear of it. */
const LISTENS = 'subscribe\r\n$14\r\n+switch-master'

const ending: (() => Promise<unknown>)[] = []

afterEach(async () => {
  for (const end of ending.splice(0).toReversed()) await end()
})

async function start(...options: Parameters<typeof startRedis>): Promise<TestRedis> {
  const redis = await startRedis(...options)
  ending.push(() => redis.stop())
  return redis
}

async function open(options: Pick<RedisStoreOptions, 'topology'> & Partial<RedisStoreOptions>): Promise<Store> {
  const store = await openRedisStore({ keyring: createKeyring(), nowMs: Date.now, onError: () => {}, ...options })
  ending.push(() => store.close())
  return store
}

describe('health', () => {
  it.each([
    { settings: {}, requirePersistence: true, dangers: 0, fit: true },
    { settings: { 'maxmemory-policy': 'allkeys-lru' }, requirePersistence: false, dangers: 1, fit: false },
    { settings: { 'maxmemory-policy': 'volatile-ttl' }, requirePersistence: false, dangers: 1, fit: false },
    { settings: { appendonly: 'no' }, requirePersistence: false, dangers: 1, fit: true },
    { settings: { appendonly: 'no' }, requirePersistence: true, dangers: 1, fit: false },
  ])('of $settings, persistence required: $requirePersistence', async ({ settings, dangers, fit, ...options }) => {
    const { topology } = await start({ settings })
    const health = (await open({ topology, ...options })).health()
    expect(health).toMatchObject({ writable: true, fit })
    expect(health.dangers).toHaveLength(dangers)
  })
})

describe('reaching Redis', () => {
  it('speaks TLS with one whose authority is named, and not with another', async () => {
    const { topology, caFile } = await start({ mode: 'tls' })
    const trusting = await open({ topology, tls: true, caFile })
    await trusting.queue.add([createDelivery()])
    const received = new Received()
    trusting.queue.consume(ROUTE, 1, received.handler)
    await received.atLeast(1)
    const suspicious = await open({ topology, tls: true })
    expect(suspicious.health().writable).toBe(false)
    await expect(suspicious.queue.add([createDelivery()])).rejects.toThrow('Redis is not connected')
  })

  it('asks sentinels for the master, and follows it to another', async () => {
    const { master, sentinel } = await startReplicated()
    const store = await open({ topology: sentinel.topology })
    const received = new Received()
    store.queue.consume(ROUTE, 1, received.handler)
    await store.queue.add([createDelivery()])
    await received.atLeast(1)
    await master.kill()
    await expectDelivery(store, received)
  })

  it('follows it also when it hears of the other while it asks for the master', async () => {
    const { master, sentinel } = await startReplicated()
    const relay = await startRelay(sentinel.port)
    ending.push(() => relay.stop())
    const sentinels = [{ host: '127.0.0.1', port: relay.port }]
    const store = await open({ topology: { ...sentinel.topology, sentinels } })
    const received = new Received()
    store.queue.consume(ROUTE, 1, received.handler)
    await store.queue.add([createDelivery()])
    await received.atLeast(1)
    await until('all connections listen to Sentinel', () => relay.count(LISTENS) >= 4)
    relay.hold()
    await master.kill()
    await until('all connections hear of the other master', () => relay.count(SWITCH_MASTER) >= 4)
    relay.release()
    await expectDelivery(store, received)
  })
})

/** A master with a replica that is in step, and a sentinel that knows both. */
async function startReplicated(): Promise<{ master: TestRedis; sentinel: TestSentinel }> {
  const master = await start({ settings: { 'repl-diskless-sync-delay': 0 } })
  const replica = await start({ settings: { replicaof: `127.0.0.1 ${master.port}` } })
  const sentinel = await startSentinel(master.port)
  ending.push(() => sentinel.stop())
  const client = await replica.client()
  await until('the replica is in step', async () =>
    (await client.info('replication')).includes('master_link_status:up'),
  )
  await sentinel.knowsReplica()
  return { master, sentinel }
}

async function expectDelivery({ queue }: Store, received: Received): Promise<void> {
  const delivery = createDelivery()
  await until('it is stored', () =>
    queue.add([delivery]).then(
      () => true,
      () => false,
    ),
  )
  await until('it is handed out', () => received.ids.includes(delivery.id))
}
