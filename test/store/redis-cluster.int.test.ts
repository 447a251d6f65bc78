/** On a Redis Cluster of three masters: apps, and the shards of a big one, lie on all of them, and each push costs each master the same. */
import { Queue } from 'bullmq'
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Keyring } from '../../src/core/keyring.ts'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/open.ts'
import { createBatch, JOB_NAME } from '../../src/store/redis/job.ts'
import { shardsOf, type Shard } from '../../src/store/redis/shard.ts'
import { createDelivery, createKeyring, revivedUntil } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startCluster, type TestCluster, type TestMaster } from '../helpers/redis-cluster.ts'

const MASTERS = 3
const BIG = 'com.example.big'
const SHARDS = 6
const HOUR_MS = 3600_000

let cluster: TestCluster
let prefix: string
let keyring: Keyring
const opened: Store[] = []

beforeAll(async () => {
  cluster = await startCluster(MASTERS)
})
afterAll(() => cluster.stop())
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

/** Under a prefix with which the shards of the big app are not by chance on two masters only. */
async function open(options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  do prefix = randomUUID()
  while (!cluster.masters.every((master) => shardsOf(prefix, BIG, SHARDS).some(({ slot }) => master.has(slot))))
  keyring = createKeyring()
  return openAgain(options)
}

async function openAgain(options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const { topology } = cluster
  const store = await openRedisStore({ topology, prefix, keyring, nowMs: Date.now, onError: () => {}, ...options })
  opened.push(store)
  return store
}

function masterOf(shard: Shard | undefined): TestMaster {
  const master = cluster.masters.find((each) => each.has(shard?.slot ?? -1))
  if (master === undefined) throw new Error('a shard lies on a master')
  return master
}

/** So many apps that lie on this master. */
function appsOn(master: TestMaster, count: number): string[] {
  const apps: string[] = []
  for (let number = 0; apps.length < count; number += 1) {
    const app = `com.example.app${number}`
    if (shardsOf(prefix, app, 1).every(({ slot }) => master.has(slot))) apps.push(app)
  }
  return apps
}

/** What a delivery asks of the store, from its acceptance to its end. */
async function push({ queue, memory }: Store, delivery: Delivery): Promise<void> {
  const key = `event:${delivery.id}`
  await Promise.all([memory.get(delivery, `dead:${delivery.deviceHash}`), memory.get(delivery, key)])
  await queue.add([delivery])
  await memory.setIfAbsent(delivery, key, delivery.id, HOUR_MS)
}

/** What clients have asked of a master since the statistics were reset, by command; not what nodes and tests say to each other. */
async function commandsOn(master: TestMaster): Promise<number> {
  const stats = await (await master.client()).info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm)]
  const OTHERS = ['info', 'cluster', 'config', 'ping', 'publish', 'subscribe', 'hello', 'client', 'select']
  return calls.reduce((sum, [, name = '', count]) => sum + (OTHERS.includes(name) ? 0 : Number(count)), 0)
}

describe('apps', () => {
  it('lie on all masters, and each push costs its master the same', async () => {
    const store = await open()
    const apps = cluster.masters.map((master) => appsOn(master, 2))
    const received = new Received()
    for (const app of apps.flat()) store.queue.consume(app, 10, received.handler)
    const pushAll = async (count: number): Promise<void> => {
      const before = received.all.length
      for (let number = 1; number <= count; number += 1) {
        await Promise.all(apps.flat().map((route) => push(store, createDelivery({ route }))))
        // One after the other, so that each is a job of its own everywhere.
        await received.atLeast(before + number * apps.flat().length)
      }
      await untilEmpty(store, apps.flat())
    }
    await pushAll(1)
    await Promise.all(cluster.masters.map(async (master) => (await master.client()).config('RESETSTAT')))
    await pushAll(20)
    const commands = await Promise.all(cluster.masters.map(commandsOn))
    const mean = commands.reduce((sum, count) => sum + count) / MASTERS
    expect(mean).toBeGreaterThan(20 * 2 * 10)
    for (const count of commands) expect(Math.abs(count / mean - 1)).toBeLessThan(0.1)
  })

  it('of other masters go on while one master is away, and so do its own when it is back', async () => {
    const store = await open()
    const [away, ...others] = cluster.masters
    if (away === undefined) throw new Error('a cluster has masters')
    const [lost = ''] = appsOn(away, 1)
    const kept = others.flatMap((master) => appsOn(master, 1))
    const received = new Received()
    for (const app of [lost, ...kept]) store.queue.consume(app, 10, received.handler)
    for (const route of [lost, ...kept]) await store.queue.add([createDelivery({ route })])
    await received.atLeast(1 + kept.length)
    await away.redis.kill()
    await expect(store.queue.add([createDelivery({ route: lost })])).rejects.toThrow('Redis')
    for (const route of kept) {
      const delivery = createDelivery({ route })
      await until(`${route} is stored`, () => isStored(store, delivery))
      await until(`${route} is handed out`, () => received.ids.includes(delivery.id))
    }
    expect(store.health().writable).toBe(true)
    // What is asked for in one turn does not fail together.
    const depths = await Promise.allSettled([lost, ...kept].map((route) => store.queue.depth(route)))
    expect(depths.map(({ status }) => status)).toEqual(['rejected', ...kept.map(() => 'fulfilled')])
    // A ring that nobody heard, and what expired, are still found for the others.
    const [silent = ''] = kept
    const [shard] = shardsOf(prefix, silent, 1)
    const bull = new Queue(shard?.queueName ?? '', {
      connection: await masterOf(shard).client(),
      prefix: shard?.prefix ?? '',
    })
    const unheard = createDelivery({ route: silent })
    await bull.add(JOB_NAME, createBatch(keyring, silent, [unheard]), { priority: 1 })
    await until('what nobody told of is handed out', () => received.ids.includes(unheard.id))
    await bull.close()
    await away.redis.start()
    const delivery = createDelivery({ route: lost })
    await until('it is stored', () => isStored(store, delivery))
    await until('it is handed out', () => received.ids.includes(delivery.id))
  })
})

describe('an app of several shards', () => {
  const options = { shards: new Map([[BIG, SHARDS]]) }
  const devices = Array.from({ length: 40 }, (_, index) => `device-${index}`)
  const toAll = (more: Partial<Delivery> = {}): Delivery[] =>
    devices.map((deviceHash) => createDelivery({ route: BIG, deviceHash, ...more }))

  it('lies on all masters, and what each device gets keeps its order', async () => {
    const store = await open(options)
    const deliveries = [toAll(), toAll(), toAll()]
    const orders = new Map<string, number>()
    for (const some of deliveries) {
      const stored = await store.queue.add(some)
      for (const [index, { id }] of some.entries()) orders.set(id, stored[index] ?? 0)
    }
    for (const master of cluster.masters)
      expect(await (await master.client()).keys(`{${prefix}:${BIG}:*}:queue:prioritized`)).not.toEqual([])
    expect((await store.queue.depth(BIG)).waiting).toBe(3 * devices.length)
    const received = new Received()
    store.queue.consume(BIG, 5, received.handler)
    await received.atLeast(3 * devices.length)
    for (const deviceHash of devices) {
      const own = received.all.filter(({ delivery }) => delivery.deviceHash === deviceHash)
      expect(own.map(({ delivery }) => delivery.id)).toEqual(
        deliveries.flat().flatMap((delivery) => (delivery.deviceHash === deviceHash ? [delivery.id] : [])),
      )
      expect(own.map(({ order }) => order)).toEqual(own.map(({ delivery }) => orders.get(delivery.id)))
      expect(own.map(({ order }) => order).toSorted((a, b) => a - b)).toEqual(own.map(({ order }) => order))
    }
  })

  it('shares its gate and its slots over all of them', async () => {
    const store = await open(options)
    const received = new Received(() => new Promise(() => {}))
    const consumer = store.queue.consume(BIG, 7, received.handler)
    consumer.setGate('one')
    for (const delivery of toAll()) await store.queue.add([delivery])
    await received.atLeast(1)
    await untilAllWere(store)
    expect(received.all).toHaveLength(1)
    consumer.setGate('open')
    await received.atLeast(7)
    await untilAllWere(store)
    expect(received.all).toHaveLength(7)
  })

  it('has one list of dead letters, which can be retried and dropped, and forgets a device', async () => {
    const store = await open(options)
    const { queue, memory } = store
    await queue.add(toAll())
    const dying = new Received(() => ({ kind: 'dead-letter', reason: 'gone' }))
    const consumer = queue.consume(BIG, 100, dying.handler)
    await until('all are dead', async () => (await queue.depth(BIG)).dead === devices.length)
    await consumer.stop(10_000)
    expect(await queue.listDead({ route: BIG }, 1000)).toHaveLength(devices.length)
    await queue.add(toAll())
    const forgotten = await queue.forget(BIG, 'device-7')
    expect([forgotten.deliveries.length, forgotten.deadLetters.length]).toEqual([1, 1])
    expect(await queue.dropDead({ id: dying.ids[0] })).toBe(dying.all[0]?.delivery.deviceHash === 'device-7' ? 0 : 1)
    const left = (await queue.listDead({}, 1000)).length
    expect(await queue.retryDead({}, revivedUntil(Date.now() + HOUR_MS))).toBe(left)
    const waiting = devices.length - 1 + left
    await until('all wait again', async () => (await queue.depth(BIG)).waiting === waiting)
    const owner = { route: BIG, deviceHash: 'device-3' }
    await memory.set(owner, 'dead:device-3', 'value', HOUR_MS)
    expect(await memory.get(owner, 'dead:device-3')).toBe('value')
  })

  it('sweeps what has expired from all of them', async () => {
    const store = await open(options)
    await store.queue.add(toAll())
    await openAgain({ ...options, nowMs: () => Date.now() + 2 * HOUR_MS })
    await until('all are dead', async () => (await store.queue.depth(BIG)).dead === devices.length)
  })
})

describe('replicas', () => {
  it('must have what is stored on each master that is written to', async () => {
    const [replicated, alone] = cluster.masters
    if (replicated === undefined || alone === undefined) throw new Error('a cluster has masters')
    await cluster.addReplica(replicated)
    const store = await open({ replicaAcks: 1 })
    const [safe = ''] = appsOn(replicated, 1)
    const [unsafe = ''] = appsOn(alone, 1)
    await until('a replica confirms', () => isStored(store, createDelivery({ route: safe })))
    // The connection to a master is opened when it is needed; until it is there, the reason is another.
    await until('its master is asked', async () => {
      const refused: unknown = await store.queue
        .add([createDelivery({ route: unsafe })])
        .catch((error: unknown) => error)
      return refused instanceof StoreUnavailableError && refused.message.includes('too few replicas')
    })
    // In one turn.
    const results = await Promise.allSettled(
      [safe, unsafe].map((route) => store.queue.add([createDelivery({ route })])),
    )
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
    expect(store.health().writable).toBe(true)
  })
})

it('none of all this asked a master for keys of two slots in one command', async () => {
  for (const master of cluster.masters)
    expect(await (await master.client()).info('errorstats')).not.toContain('CROSSSLOT')
})

function isStored({ queue }: Store, delivery: Delivery): Promise<boolean> {
  return queue.add([delivery]).then(
    () => true,
    () => false,
  )
}

async function untilEmpty({ queue }: Store, routes: readonly string[]): Promise<void> {
  for (const route of routes)
    await until(`${route} is empty`, async () => {
      const { waiting, active } = await queue.depth(route)
      return waiting + active === 0
    })
}

/** Deliveries of another app went through: time enough for what must not be handed out to be. */
async function untilAllWere({ queue }: Store): Promise<void> {
  const received = new Received()
  const consumer = queue.consume('com.example.other', 1, received.handler)
  for (let count = 1; count <= 10; count += 1) {
    await queue.add([createDelivery({ route: 'com.example.other' })])
    await received.atLeast(count)
  }
  await consumer.stop(10_000)
}
