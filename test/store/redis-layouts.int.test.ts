/** What was stored where keys had other names: by a version before 0.2, or with another number of shards. Nothing of it is lost, forgotten or sent out of turn. */
import { Queue } from 'bullmq'
import { randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import type { Disposition, Store } from '../../src/store/contract.ts'
import { createBatch, JOB_NAME, jobOptions, readRecord } from '../../src/store/redis/job.ts'
import type { RedisStoreOptions } from '../../src/store/redis/open.ts'
import { readLayout } from '../../src/store/redis/layout.ts'
import { oldShardOf, shardOf, shardsOf, type Shard } from '../../src/store/redis/shard.ts'
import { createDeliveries, createDelivery, revivedUntil } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, createGate, Received, until } from '../helpers/received.ts'
import { redisStores } from './redis-stores.ts'

const ROUTE = 'com.example.*'
const HOUR_MS = 3600_000
const DEVICE = { route: ROUTE, deviceHash: 'device' }
/** More than a test takes, so that nothing is found by looking again. */
const SELDOM = { lockMs: 8000, lookEveryMs: 60_000 }

const stores = redisStores()
let old: Shard

beforeEach(() => {
  old = oldShardOf(stores.prefix, ROUTE)
})

const withShards = (count: number, more: Partial<RedisStoreOptions> = {}) =>
  stores.open({ shards: new Map([[ROUTE, count]]), ...more })

/** What a process of version 0.1 does when it stores deliveries, each as a job of its own. */
async function storeAsBefore(...deliveries: readonly Delivery[]): Promise<void> {
  await stores.raw.sadd(`{${stores.prefix}}:apps`, ROUTE)
  const queue = new Queue(old.queueName, { connection: stores.raw, prefix: old.prefix })
  for (const delivery of deliveries)
    await queue.add(JOB_NAME, createBatch(stores.keyring, ROUTE, [delivery]), {
      ...jobOptions(delivery.priority),
      removeOnComplete: true,
    })
  await queue.close()
}

/** An old dead letter: the delivery dies in a store that has only this layout, and what is left of it gets its old name. */
async function giveUpAsBefore(deliveries: readonly Delivery[]): Promise<void> {
  const store = await stores.open()
  await store.queue.add(deliveries)
  const dying = new Received(() => ({ kind: 'dead-letter', reason: 'gone' }))
  const consumer = store.queue.consume(ROUTE, 100, dying.handler)
  await until('all are dead', async () => (await store.queue.depth(ROUTE)).dead === deliveries.length)
  await consumer.stop(10_000)
  await store.close()
  const [now] = shardsOf(stores.prefix, ROUTE, 1)
  for (const part of ['deaths', 'facts', 'sealed'])
    await stores.raw.rename(`${now?.deadLetterKeys}${part}`, `${old.deadLetterKeys}${part}`)
  await stores.raw.sadd(`{${stores.prefix}}:apps`, ROUTE)
}

describe('deliveries of a version before 0.2', () => {
  it('are counted, and handed out before what comes now, in their order', async () => {
    const before = createDeliveries(5, { route: ROUTE })
    await storeAsBefore(...before)
    const { queue } = await stores.open()
    expect((await queue.depth(ROUTE)).waiting).toBe(5)
    const now = createDeliveries(5, { route: ROUTE })
    for (const delivery of now) await queue.add([delivery])
    const received = new Received()
    queue.consume(ROUTE, 1, received.handler)
    await received.atLeast(10)
    expect(received.ids).toEqual([...before, ...now].map(({ id }) => id))
  })

  it('do not hold up what comes now for longer than half a minute', async () => {
    await storeAsBefore(createDelivery({ route: ROUTE }))
    const bull = new Queue(old.queueName, { connection: stores.raw, prefix: old.prefix })
    await bull.pause()
    await (await stores.open()).close()
    const { queue } = await stores.open({ nowMs: () => Date.now() + 31_000 })
    const received = new Received()
    queue.consume(ROUTE, 1, received.handler)
    const now = createDelivery({ route: ROUTE })
    await queue.add([now])
    await received.atLeast(1)
    expect(received.ids).toEqual([now.id])
    await bull.resume()
    await received.atLeast(2)
    await bull.close()
  })

  it('are handed out also where an old process stores them while a new one runs', async () => {
    const { queue } = await stores.open()
    const received = new Received()
    queue.consume(ROUTE, 10, received.handler)
    await queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(1)
    await storeAsBefore(...createDeliveries(3, { route: ROUTE }))
    await received.atLeast(4)
    // It writes its name down again as long as it runs.
    await until('its name is taken over', async () => (await stores.raw.exists(`{${stores.prefix}}:apps`)) === 0)
    await storeAsBefore(...createDeliveries(3, { route: ROUTE }))
    await received.atLeast(7)
  })

  it('that are tried again go on where they are, and leave nothing behind', async () => {
    await storeAsBefore(createDelivery({ route: ROUTE }))
    const { queue } = await stores.open()
    const dispositions: Disposition[] = [
      { kind: 'requeue', atMs: Date.now() + 50 },
      { kind: 'dead-letter', reason: 'gone' },
    ]
    const received = new Received(() => dispositions.shift() ?? ACKNOWLEDGE)
    queue.consume(ROUTE, 1, received.handler)
    await until('it is a dead letter', async () => (await queue.depth(ROUTE)).dead === 1)
    expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 2])
    expect(await queue.retryDead({ route: ROUTE }, revivedUntil(Date.now() + HOUR_MS))).toBe(1)
    await received.atLeast(3)
    await until('nothing is left', async () => (await stores.raw.keys(`${old.id}:[0-9]*`)).length === 0)
  })

  it('with which its process died are handed out again', async () => {
    await storeAsBefore(createDelivery({ route: ROUTE }))
    const one = await stores.open({ timings: { lockMs: 200, lookEveryMs: 50 } })
    const stuck = new Received(() => createGate<Disposition>().passed)
    one.queue.consume(ROUTE, 10, stuck.handler)
    await stuck.atLeast(1)
    const [lock = ''] = await stores.raw.keys(`${old.id}:*:lock`)
    await stores.raw.del(lock)
    await stuck.atLeast(2)
  })

  it('and its dead letters are forgotten with their device', async () => {
    const [kept, gone] = ['kept', 'gone'].map((deviceHash) => createDelivery({ route: ROUTE, deviceHash }))
    if (kept === undefined || gone === undefined) throw new Error('two deliveries')
    await giveUpAsBefore([kept, gone])
    await storeAsBefore({ ...kept, id: 'waiting-kept' }, { ...gone, id: 'waiting-gone' })
    const { queue } = await stores.open()
    const removed = await queue.forget(ROUTE, 'gone')
    expect(removed.deliveries.map(({ id }) => id)).toEqual(['waiting-gone'])
    expect(removed.deadLetters.map(({ id }) => id)).toEqual([gone.id])
    expect(await queue.depth(ROUTE)).toMatchObject({ waiting: 1, dead: 1 })
  })

  it('that were given up are listed, retried and dropped', async () => {
    const [first, second] = createDeliveries(2, { route: ROUTE })
    if (first === undefined || second === undefined) throw new Error('two deliveries')
    await giveUpAsBefore([first, second])
    const { queue } = await stores.open()
    expect((await queue.listDead({}, 10)).map(({ id }) => id).toSorted()).toEqual([first.id, second.id].toSorted())
    expect(await queue.dropDead({ id: first.id })).toBe(1)
    expect(await queue.retryDead({}, revivedUntil(Date.now() + HOUR_MS))).toBe(1)
    const received = new Received()
    queue.consume(ROUTE, 10, received.handler)
    await received.atLeast(1)
    expect(received.ids).toEqual([second.id])
  })

  it('are swept when they have expired, also of a route that nobody consumes', async () => {
    await storeAsBefore(createDelivery({ route: ROUTE, expiresAtMs: Date.now() - HOUR_MS }))
    const { queue } = await stores.open()
    await until('it is a dead letter', async () => (await queue.depth(ROUTE)).dead === 1)
  })
})

describe('what a version before 0.2 remembered', () => {
  const asBefore = (key: string, value: string) => stores.raw.set(`${old.memoryKeys}${key}`, value, 'PX', HOUR_MS)

  beforeEach(() => storeAsBefore(createDelivery({ route: ROUTE })))

  it('is found, until it is replaced or deleted', async () => {
    await asBefore('dead:device', 'before')
    await asBefore('breaker:windows:route', 'before')
    const { memory } = await stores.open()
    expect(await memory.get(DEVICE, 'dead:device')).toBe('before')
    expect(await memory.get({ route: ROUTE }, 'breaker:windows:route')).toBe('before')
    await memory.set(DEVICE, 'dead:device', 'now', HOUR_MS)
    expect(await memory.get(DEVICE, 'dead:device')).toBe('now')
    await memory.delete(DEVICE, 'dead:device')
    expect(await memory.get(DEVICE, 'dead:device')).toBeUndefined()
  })

  it('is what stands when something is set if absent, for all processes', async () => {
    await asBefore('event:1', 'before')
    const [one, other] = [await stores.open(), await stores.open()]
    expect(await one.memory.setIfAbsent(DEVICE, 'event:1', 'now', HOUR_MS)).toBe('before')
    expect(await other.memory.setIfAbsent(DEVICE, 'event:1', 'later', HOUR_MS)).toBe('before')
    expect(await other.memory.setIfAbsent(DEVICE, 'event:2', 'first', HOUR_MS)).toBe('first')
    expect(await one.memory.setIfAbsent(DEVICE, 'event:2', 'second', HOUR_MS)).toBe('first')
  })

  it('never overtakes what is stored now', async () => {
    const { queue, memory } = await stores.open()
    const [before] = await queueOrders()
    await asBefore('latest:badge', String(before))
    const [order = 0] = await queue.add([createDelivery(DEVICE)])
    expect(order).toBeGreaterThan(before)
    await memory.raise(DEVICE, 'latest:badge', order, HOUR_MS)
    expect(await memory.get(DEVICE, 'latest:badge')).toBe(String(order))
  })

  it('is not asked for where there never was such a version, nor when its time is over', async () => {
    const seen: string[] = []
    const monitor = await stores.raw.monitor()
    monitor.on('monitor', (_time: string, words: string[]) => seen.push(words.join(' ')))
    stores.begin()
    old = oldShardOf(stores.prefix, ROUTE)
    const { memory } = await stores.open()
    await memory.get(DEVICE, 'dead:device')
    await memory.setIfAbsent(DEVICE, 'event:1', 'now', HOUR_MS)
    await until('all is seen', () => seen.some((line) => line.includes('event:1')))
    expect(seen.filter((line) => line.includes(old.memoryKeys) || line.includes(old.id))).toEqual([])
    monitor.disconnect()
  })

  it('is asked for during thirty days after the last such process was there', async () => {
    await stores.open()
    const leftMs = await stores.raw.pttl(`{${stores.prefix}}:old-shards`)
    expect(leftMs).toBeGreaterThan(30 * 24 * HOUR_MS - 60_000)
    expect(leftMs).toBeLessThanOrEqual(30 * 24 * HOUR_MS)
    await asBefore('dead:device', 'before')
    await stores.raw.del(`{${stores.prefix}}:old-shards`)
    expect(await (await stores.open()).memory.get(DEVICE, 'dead:device')).toBeUndefined()
  })
})

/** The orders of the jobs that wait under the old tag. */
async function queueOrders(): Promise<readonly [number]> {
  const [id = ''] = await stores.raw.zrange(`${old.id}:prioritized`, '0', '0')
  expect(readRecord(JSON.parse((await stores.raw.hget(`${old.id}:${id}`, 'data')) ?? ''))).toBeDefined()
  return [Number(id) * 50]
}

describe.each([
  [1, 3],
  [3, 1],
  [2, 3],
])('when an app that had %i shards gets %i', (before, after) => {
  const devices = Array.from({ length: 12 }, (_, index) => `device-${index}`)
  const toAll = (): Delivery[] => devices.map((deviceHash) => createDelivery({ route: ROUTE, deviceHash }))

  it('what waits is handed out before what comes then, so that each device gets all in its order', async () => {
    const deliveries = [toAll(), toAll(), toAll(), toAll()]
    const was = await withShards(before)
    const orders: number[] = []
    for (const some of deliveries.slice(0, 2)) orders.push(...(await was.queue.add(some)))
    await was.close()
    const { queue } = await withShards(after)
    for (const some of deliveries.slice(2)) orders.push(...(await queue.add(some)))
    expect((await queue.depth(ROUTE)).waiting).toBe(4 * devices.length)
    const received = new Received()
    queue.consume(ROUTE, 1, received.handler)
    await received.atLeast(4 * devices.length)
    for (const deviceHash of devices) {
      const ids = received.all.filter(({ delivery }) => delivery.deviceHash === deviceHash)
      const expected = deliveries.flat().filter((delivery) => delivery.deviceHash === deviceHash)
      expect(ids.map(({ delivery }) => delivery.id)).toEqual(expected.map(({ id }) => id))
      expect(ids.map(({ order }) => order).toSorted((a, b) => a - b)).toEqual(ids.map(({ order }) => order))
    }
  })

  it('what is remembered is found, and dead letters are', async () => {
    const was = await withShards(before)
    for (const deviceHash of devices) {
      await was.memory.set({ route: ROUTE, deviceHash }, `dead:${deviceHash}`, 'dead', HOUR_MS)
      await was.memory.setIfAbsent({ route: ROUTE, deviceHash }, `event:${deviceHash}`, 'first', HOUR_MS)
    }
    await was.memory.set({ route: ROUTE }, 'breaker:windows', 'windows', HOUR_MS)
    await was.queue.add(toAll())
    const dying = new Received(() => ({ kind: 'dead-letter', reason: 'gone' }))
    const consumer = was.queue.consume(ROUTE, 100, dying.handler)
    await until('all are dead', async () => (await was.queue.depth(ROUTE)).dead === devices.length)
    await consumer.stop(10_000)
    await was.close()
    const { queue, memory } = await withShards(after)
    for (const deviceHash of devices) {
      const owner = { route: ROUTE, deviceHash }
      expect(await memory.get(owner, `dead:${deviceHash}`)).toBe('dead')
      expect(await memory.setIfAbsent(owner, `event:${deviceHash}`, 'second', HOUR_MS)).toBe('first')
      await memory.delete(owner, `dead:${deviceHash}`)
      expect(await memory.get(owner, `dead:${deviceHash}`)).toBeUndefined()
    }
    expect(await memory.get({ route: ROUTE }, 'breaker:windows')).toBe('windows')
    expect(await queue.listDead({}, 100)).toHaveLength(devices.length)
    expect((await queue.forget(ROUTE, 'device-3')).deadLetters).toHaveLength(1)
    expect(await queue.retryDead({}, revivedUntil(Date.now() + HOUR_MS))).toBe(devices.length - 1)
  })

  it('processes with the one number and with the other hand out what either stores', async () => {
    const timings = { lockMs: 8000, lookEveryMs: 100 }
    const one = await withShards(before, { timings })
    const fromOne = new Received()
    one.queue.consume(ROUTE, 10, fromOne.handler)
    const other = await withShards(after, { timings })
    await other.queue.add(toAll())
    await fromOne.atLeast(devices.length)
    const fromOther = new Received()
    other.queue.consume(ROUTE, 10, fromOther.handler)
    await one.queue.add(toAll())
    await until('both have handed out all', () => fromOne.all.length + fromOther.all.length === 2 * devices.length)
  })
})

describe.each([
  [1, 3],
  [3, 1],
  [2, 3],
])('while processes with %i shards and with %i run side by side', (before, after) => {
  const isKnown = async (): Promise<boolean> => (await stores.raw.hexists(`{${stores.prefix}}:routes`, ROUTE)) === 1

  it('an event that comes to both is stored once, whichever is first, and before they know of each other', async () => {
    const one = await withShards(before, { timings: SELDOM })
    await one.queue.add([createDelivery(DEVICE)])
    await until('the app is known', isKnown)
    const other = await withShards(after, { timings: SELDOM })
    for (const [first, second] of [
      [one, other],
      [other, one],
    ] as const) {
      const event = `event:${randomUUID()}`
      const accept = ({ queue }: Store) =>
        queue.accept([
          { delivery: createDelivery(DEVICE), unless: [event], claims: event, raises: [], lifetimeMs: HOUR_MS },
        ])
      expect(await accept(first)).toMatchObject([{ order: expect.anything() }])
      expect(await accept(second)).toEqual([{ found: [event] }])
    }
  })

  it('all remember in the same place, which becomes that of the one that began last', async () => {
    const timings = { lockMs: 8000, lookEveryMs: 50 }
    const one = await withShards(before, { timings })
    expect(await one.memory.setIfAbsent(DEVICE, 'event:0', 'one', HOUR_MS)).toBe('one')
    const other = await withShards(after, { timings })
    expect(await other.memory.setIfAbsent(DEVICE, 'event:0', 'other', HOUR_MS)).toBe('one')
    await other.queue.add([createDelivery(DEVICE)])
    const [ofRoute] = shardsOf(stores.prefix, ROUTE, 1)
    if (ofRoute === undefined) throw new Error('a route has a shard')
    const { memoryKeys } = shardOf(shardsOf(stores.prefix, ROUTE, after), ofRoute, DEVICE)
    await until('both remember there', async () => {
      const [key, otherKey] = [randomUUID(), randomUUID()]
      await Promise.all([
        one.memory.set(DEVICE, key, 'value', HOUR_MS),
        other.memory.set(DEVICE, otherKey, 'value', HOUR_MS),
      ])
      return (await stores.raw.exists(memoryKeys + key, memoryKeys + otherKey)) === 2
    })
    expect(await other.memory.setIfAbsent(DEVICE, 'event:0', 'other', HOUR_MS)).toBe('one')
    expect(await other.memory.setIfAbsent(DEVICE, 'event:1', 'other', HOUR_MS)).toBe('other')
    expect(await one.memory.setIfAbsent(DEVICE, 'event:1', 'one', HOUR_MS)).toBe('other')
  })
})

it('an app that many processes begin to use at once, each with another number of shards, has all of them', async () => {
  const counts = [1, 2, 3, 4, 5, 6, 7, 8]
  const all = await Promise.all(counts.map((count) => withShards(count, { timings: SELDOM })))
  const addToAll = () => Promise.all(all.map(({ queue }) => queue.add([createDelivery({ route: ROUTE })])))
  await until('each is known', async () => {
    await addToAll()
    const layout = readLayout((await stores.raw.hget(`{${stores.prefix}}:routes`, ROUTE)) ?? '')
    const known = [layout?.shards, ...(layout?.former ?? []).map(({ shards }) => shards)]
    return counts.every((count) => known.includes(count))
  })
})

describe('a store that has something to hand out', () => {
  it('is told of it at once, whoever has stored it', async () => {
    const [storing, handing] = [await stores.open({ timings: SELDOM }), await stores.open({ timings: SELDOM })]
    const received = new Received()
    handing.queue.consume(ROUTE, 10, received.handler)
    for (let count = 1; count <= 10; count += 1) {
      await storing.queue.add([
        createDelivery({ route: ROUTE, dueAtMs: count % 2 === 0 ? Date.now() + 20 : undefined }),
      ])
      await received.atLeast(count)
    }
  })
})
