/** What routes cost in which nothing happens, and that they are awake as soon as something does. */
import { Queue } from 'bullmq'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Disposition, Store } from '../../src/store/contract.ts'
import { createBatch, JOB_NAME } from '../../src/store/redis/job.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, createGate, Received, until } from '../helpers/received.ts'
import { isInTime } from './in-time.ts'
import { redisStores } from './redis-stores.ts'

const ROUTES = Array.from({ length: 100 }, (_, index) => `com.example.app${index}`)
const ROUTE = 'com.example.app'
/** So many are asked for in one command. */
const SHARDS_AT_ONCE = 32
/** INFO is also asked for to know the health of the store. */
const OURS = new Set(['config', 'info', 'client', 'pubsub', 'hlen'])

const stores = redisStores()

async function connections(): Promise<number> {
  return String(await stores.raw.client('LIST'))
    .trim()
    .split('\n').length
}

/** How often each command was given since the statistics were reset, but for those of the test itself. */
async function commandCounts(): Promise<ReadonlyMap<string, number>> {
  const stats = await stores.raw.info('commandstats')
  const calls = [...stats.matchAll(/^cmdstat_([a-z]+)\S*:calls=(\d+)/gm)].map(
    ([, name = '', count]) => [name, Number(count)] as const,
  )
  return new Map(calls.filter(([name]) => !OURS.has(name)))
}

describe('a hundred routes that are consumed, and idle', () => {
  const received = new Received()

  it('cost one connection more than none, together, and four commands a look', async () => {
    const store = await stores.open({ timings: { lockMs: 8000, lookEveryMs: 50 } })
    const before = await connections()
    for (const route of ROUTES) store.queue.consume(route, 10, received.handler)
    await until('all are known', async () => (await stores.raw.hlen(`{${stores.prefix}}:routes`)) === ROUTES.length)
    await until(
      'it listens',
      async () => Number((await stores.raw.pubsub('NUMSUB', `{${stores.prefix}}:bell`))[1]) === 1,
    )
    expect((await connections()) - before).toBe(1)
    const perLook = Math.ceil(ROUTES.length / SHARDS_AT_ONCE)
    await stores.raw.config('RESETSTAT')
    let counts = await commandCounts()
    await until('it has looked often', async () => {
      counts = await commandCounts()
      return (counts.get('exists') ?? 0) >= 20 * perLook
    })
    const countOf = (command: string): number => counts.get(command) ?? 0
    // Once a look it is asked whether the layouts have changed; now and then they are read. SET and DEL are the lease of the sweep; by
    // SUBSCRIBE it is asked whether it still hears.
    expect(Math.abs(countOf('exists') / perLook - countOf('get'))).toBeLessThanOrEqual(3)
    for (const command of ['hgetall', 'smembers', 'set', 'del', 'subscribe'])
      expect(countOf(command)).toBeLessThanOrEqual(3)
    const expected = new Set(['exists', 'get', 'hgetall', 'smembers', 'set', 'del', 'subscribe'])
    expect([...counts.keys()].filter((command) => !expected.has(command))).toEqual([])
  })

  it('are counted in four commands', async () => {
    const { queue } = await stores.open()
    await queue.depth(ROUTE)
    await stores.raw.config('RESETSTAT')
    const depths = await Promise.all(ROUTES.map((route) => queue.depth(route)))
    const counts = await commandCounts()
    expect(depths.every(({ waiting, dead }) => waiting === 0 && dead === 0)).toBe(true)
    expect([...counts].filter(([name]) => name !== 'get')).toEqual([['exists', 4]])
  })
})

describe('ten routes in which much waits', () => {
  const some = ROUTES.slice(0, 10)

  /** In as many jobs. */
  async function addToEach(store: Store, count: number): Promise<void> {
    for (let added = 0; added < count; added += 1) await store.queue.add(some.map((route) => createDelivery({ route })))
  }

  /** Of what was stored since they were opened, by a store that has not looked yet. */
  async function commandsOfDepths(): Promise<ReadonlyMap<string, number>> {
    const { queue } = await stores.open()
    await queue.depth('another')
    await stores.raw.config('RESETSTAT')
    await Promise.all(some.map((route) => queue.depth(route)))
    const counts = new Map(await commandCounts())
    counts.delete('get')
    return counts
  }

  it('are counted in as many commands however much that is', async () => {
    const store = await stores.open()
    await addToEach(store, 40)
    const before = await commandsOfDepths()
    await addToEach(store, 120)
    expect(await commandsOfDepths()).toEqual(before)
    expect((await store.queue.depth(some[0] ?? '')).waiting).toBe(160)
    expect(before.get('eval')).toBe(1)
  })

  it('are looked into again only where something has changed', async () => {
    const store = await stores.open()
    await addToEach(store, 40)
    const waiting = (): Promise<readonly number[]> =>
      Promise.all(some.map(async (route) => (await store.queue.depth(route)).waiting))
    expect(await waiting()).toEqual(some.map(() => 40))
    await stores.raw.config('RESETSTAT')
    const isAskedAgain = async (): Promise<boolean> => {
      expect(await waiting()).toEqual(some.map(() => 40))
      return (await commandCounts()).has('eval')
    }
    await until('Redis is asked again', isAskedAgain)
    expect((await commandCounts()).get('hget')).toBeUndefined()
    await store.queue.add([createDelivery({ route: some[0] ?? '' })])
    await stores.raw.config('RESETSTAT')
    await until('it is counted', async () => (await waiting())[0] === 41)
    // Of one route no more than a few jobs; meanwhile the sweep may have looked at the first of each.
    expect((await commandCounts()).get('hget')).toBeLessThanOrEqual(32 + some.length)
  })
})

describe('two processes', () => {
  it('share what one of them stores when it has much in flight, and only then', async () => {
    const timings = { lockMs: 8000, lookEveryMs: 60_000 }
    const [storing, other] = [await stores.open({ timings }), await stores.open({ timings })]
    const never = createGate<Disposition>()
    const [own, helped] = [new Received(() => never.passed), new Received(() => never.passed)]
    storing.queue.consume(ROUTE, 1000, own.handler)
    other.queue.consume(ROUTE, 1000, helped.handler)
    const total = (): number => own.all.length + helped.all.length
    for (let count = 1; count <= 16; count += 1) {
      await storing.queue.add([createDelivery({ route: ROUTE })])
      await until('it is handed out', () => total() === count)
    }
    // But for one, where its first look comes when something is there already.
    expect(helped.all.length).toBeLessThan(2)
    const before = helped.all.length
    // More than one process fetches at once, each as a job of its own.
    const burst = Array.from({ length: 300 }, async (_, index) => {
      for (let turn = 0; turn < index; turn += 1) await nextTurn()
      await storing.queue.add([createDelivery({ route: ROUTE })])
    })
    await Promise.all(burst)
    await until('all are handed out', () => total() === 316)
    expect(helped.all.length).toBeGreaterThan(before)
    never.open(ACKNOWLEDGE)
  })
})

describe('a route that is idle', () => {
  it('is awake within five seconds also when nobody tells of what was stored', async () => {
    const { queue } = await stores.open()
    const received = new Received()
    queue.consume(ROUTE, 10, received.handler)
    await queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(1)
    // As a process does that dies before it can tell.
    const shard = stores.shardOf(ROUTE)
    const bull = new Queue(shard.queueName, { connection: stores.raw, prefix: shard.prefix })
    await bull.add(JOB_NAME, createBatch(stores.keyring, ROUTE, [createDelivery({ route: ROUTE })]), {
      priority: 1,
    })
    expect(await isInTime(received.atLeast(2), 5000)).toBe(true)
    await bull.close()
  })

  it('hears of it again after the connection by which it hears was cut', async () => {
    const timings = { lockMs: 8000, lookEveryMs: 60_000 }
    const [storing, handing] = [await stores.open({ timings }), await stores.open({ timings })]
    const received = new Received()
    handing.queue.consume(ROUTE, 10, received.handler)
    await storing.queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(1)
    await stores.raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub')
    // What is stored while it is deaf is found when it hears again.
    await storing.queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(2)
    await until(
      'it listens',
      async () => Number((await stores.raw.pubsub('NUMSUB', `{${stores.prefix}}:bell`))[1]) === 1,
    )
    await storing.queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(3)
  })
})
