/** Redis has lost its latest writes, or all: a replica that lagged took over, or it ended before they were on its disk. What is stored from then on is not lost. */
import type { Redis } from 'ioredis'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import type { Disposition } from '../../src/store/contract.ts'
import type { Shard } from '../../src/store/redis/shard.ts'
import { createDeliveries } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, createGate, Received, until } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'
import { redisStores } from './redis-stores.ts'

const ROUTE = 'com.example.app'
const TIMINGS = { lockMs: 8000, lookEveryMs: 50 }

const stores = redisStores()
let shard: Shard

beforeEach(() => {
  shard = stores.shardOf(ROUTE)
})

describe('an app', () => {
  /** One that is not asked for its layouts again during a test. */
  const SELDOM = { lockMs: 8000, lookEveryMs: 60_000 }
  const spread = { shards: new Map([[ROUTE, 3]]) }
  const isKnown = async (raw: Redis): Promise<boolean> => (await raw.hexists(`{${stores.prefix}}:routes`, ROUTE)) === 1

  it('is found again where Redis was emptied, with all that is stored from then on', async () => {
    const storing = await stores.open({ ...spread, timings: TIMINGS })
    await storing.queue.add(createDeliveries(1, { route: ROUTE }))
    await until('the app is known', () => isKnown(stores.raw))
    const running = await stores.open({ timings: TIMINGS })
    await stores.raw.flushall()
    await until('the app is known again', () => isKnown(stores.raw))
    await storing.queue.add(createDeliveries(5, { route: ROUTE }))
    await until('a process that was there counts them', async () => (await running.queue.depth(ROUTE)).waiting === 5)
    expect((await (await stores.open()).queue.depth(ROUTE)).waiting).toBe(5)
  })

  it('is found again where Redis came back without what it had', async () => {
    const redis = await startRedis({ settings: { appendonly: 'no' } })
    onTestFinished(() => redis.stop())
    const { topology } = redis
    const storing = await stores.open({ ...spread, topology, timings: SELDOM })
    await storing.queue.add(createDeliveries(1, { route: ROUTE }))
    const before = await redis.client()
    await until('the app is known', () => isKnown(before))
    await redis.kill()
    await redis.start()
    const after = await redis.client()
    await until('the app is known again', () => isKnown(after))
    await until('the rest can be stored', () =>
      storing.queue.add(createDeliveries(5, { route: ROUTE })).then(
        () => true,
        () => false,
      ),
    )
    expect((await (await stores.open({ topology })).queue.depth(ROUTE)).waiting).toBe(5)
  })
})

describe.each([
  ['when its latest writes are lost', () => Date.now],
  [
    'when its latest writes are lost, and its new master is behind in time',
    () => {
      const startedMs = performance.now()
      // Half as fast, and so ever further behind.
      return () => Math.trunc(Date.now() - (performance.now() - startedMs) / 2)
    },
  ],
])('%s', (_, clock) => {
  it('a push that is stored then is tried again like any other', async () => {
    const nowMs = clock()
    const { queue } = await stores.open({ nowMs, timings: TIMINGS })
    const [lost, later] = createDeliveries(2, { route: ROUTE })
    if (lost === undefined || later === undefined) throw new Error('two deliveries')
    const gate = createGate<Disposition>()
    const received = new Received(({ delivery, attempt }) => {
      if (delivery.id === lost.id) return gate.passed
      return attempt === 1 ? { kind: 'requeue', atMs: nowMs() + 20 } : ACKNOWLEDGE
    })
    queue.consume(ROUTE, 10, received.handler)
    const counter = `${shard.id}:id`
    await queue.add([lost])
    await received.atLeast(1)
    const lostId = Number(await stores.raw.get(counter))
    // As on a replica that never heard of the job, while it is in flight here.
    await stores.raw.del(`${shard.id}:${lostId}`, `${shard.id}:${lostId}:lock`, `${shard.id}:active`)
    gate.open({ kind: 'requeue', atMs: nowMs() + 3600_000 })
    await until('it is to be tried again', async () => (await queue.depth(ROUTE)).delayed === 1)
    await stores.raw.set(counter, lostId - 1)
    await queue.add([later])
    await received.atLeast(3)
    expect(received.all.map(({ delivery, attempt }) => [delivery.id, attempt])).toEqual([
      [lost.id, 1],
      [later.id, 1],
      [later.id, 2],
    ])
    await until('nothing but the first is left', async () => (await stores.raw.keys(`${shard.id}:[0-9]*`)).length === 1)
  })
})

it('orders grow also where the latest writes of Redis are lost', async () => {
  const { queue } = await stores.open()
  const [before = 0] = await queue.add(createDeliveries(1, { route: ROUTE }))
  await stores.raw.decrby(`${shard.id}:id`, 100)
  const [after = 0] = await queue.add(createDeliveries(1, { route: ROUTE }))
  expect(after).toBeGreaterThan(before)
})
