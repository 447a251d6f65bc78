/** How the store on Redis uses BullMQ: what becomes a job, what a job shows, and what becomes of jobs that no worker survives or can read. */
import { Queue, Worker } from 'bullmq'
import type { Redis } from 'ioredis'
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Keyring } from '../../src/core/keyring.ts'
import { Secret } from '../../src/core/secret.ts'
import { MAX_BATCH, MAX_STALLS, type Disposition, type Store } from '../../src/store/contract.ts'
import { queueName } from '../../src/store/redis/route-queues.ts'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/open.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { createGate, ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'

const APP = 'com.example.*'
const NAME = queueName(APP)
const QUICK = { lockMs: 200, stalledCheckMs: 50 }

let redis: TestRedis
let raw: Redis
let prefix: string
let keyring: Keyring
let told: string[]
const opened: Store[] = []

beforeAll(async () => {
  redis = await startRedis()
  raw = await redis.client()
})
afterAll(() => redis.stop())
beforeEach(() => {
  prefix = `{${randomUUID()}}`
  keyring = createKeyring()
  told = []
})
afterEach(async () => {
  for (const store of opened.splice(0)) await store.close()
})

async function open(options: Partial<RedisStoreOptions> = {}): Promise<Store> {
  const onError = (message: string): void => void told.push(message)
  const store = await openRedisStore({
    topology: redis.topology,
    keyring,
    nowMs: Date.now,
    prefix,
    onError,
    ...options,
  })
  opened.push(store)
  return store
}

describe('adding', () => {
  it('makes one job of all that is added for a route in one turn', async () => {
    const { queue } = await open()
    const [first, second, third] = [createDeliveries(2), createDeliveries(3), createDeliveries(1)].map((deliveries) =>
      deliveries.map((delivery) => ({ ...delivery, route: APP })),
    )
    await Promise.all([queue.add(first ?? []), queue.add(second ?? []), queue.add(third ?? [])])
    expect(await raw.zcard(`${prefix}:${NAME}:prioritized`)).toBe(1)
    expect((await queue.depth(APP)).waiting).toBe(6)
  })

  it('never mixes apps or priorities in a job, nor makes one too large', async () => {
    const { queue } = await open()
    await queue.add([
      ...createDeliveries(2 * MAX_BATCH + 1, { route: APP }),
      ...createDeliveries(2, { route: APP, priority: 'counts' }),
      ...createDeliveries(2, { route: APP, priority: 'call' }),
      ...createDeliveries(2, { route: 'other' }),
    ])
    expect(await raw.zcard(`${prefix}:${NAME}:prioritized`)).toBe(4)
    expect(await raw.llen(`${prefix}:${NAME}:wait`)).toBe(1)
    expect(await raw.zcard(`${prefix}:${queueName('other')}:prioritized`)).toBe(1)
  })

  it('counts 2,000 jobs of different sizes to within a tenth', async () => {
    const { queue } = await open()
    let count = 0
    for (let turn = 0; turn < 40; turn += 1) {
      const sizes = Array.from({ length: 50 }, (_, index) => 1 + ((turn * 7 + index) % 5))
      count += sizes.reduce((sum, size) => sum + size)
      for (const size of sizes) {
        void queue.add(createDeliveries(size, { route: APP }))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await until('all are counted', async () => Math.abs((await queue.depth(APP)).waiting / count - 1) < 0.1)
  })
})

describe('what can be seen in Redis', () => {
  it('is no pushkey, payload or key of a delivery, neither in a command nor in a file', async () => {
    const seen: string[] = []
    const monitor = await raw.monitor()
    monitor.on('monitor', (_time: string, words: string[]) => seen.push(words.join(' ')))
    const { queue, memory } = await open()
    const fates: Disposition[] = [
      { kind: 'requeue', atMs: Date.now() + 50 },
      { kind: 'dead-letter', reason: 'gone' },
      ACKNOWLEDGE,
    ]
    const received = new Received(() => fates.shift() ?? ACKNOWLEDGE)
    queue.consume(APP, 10, received.handler)
    const canary = 'Canary0123456789'
    await queue.add(
      createDeliveries(5, {
        route: APP,
        target: new Secret(canary),
        message: { headers: { topic: canary }, body: canary },
        deviceHash: canary,
        deduplicationKey: canary,
        latestKey: canary,
      }),
    )
    await received.atLeast(6)
    await queue.listDead({}, 10)
    await memory.set('last', 'word', 1000)
    await until('all was seen', () => seen.some((line) => line.includes('last')))
    monitor.disconnect()
    expect(seen.some((line) => line.includes(NAME))).toBe(true)
    expect(seen.filter((line) => line.includes(canary))).toEqual([])
    expect((await redis.appendOnlyFiles()).includes(canary)).toBe(false)
  })

  it('needs no more rights than are documented, and says so when INFO is refused', async () => {
    const rights = '-@all +@read +@write +@pubsub +@scripting +@connection +@transaction -@dangerous'.split(' ')
    const setUser = (name: string, ...more: string[]): Promise<unknown> =>
      raw.acl('SETUSER', name, 'on', '>secret', `~${prefix}:*`, `&${prefix}:*`, ...rights, ...more)
    await setUser('informed', '+info')
    await setUser('uninformed')
    await raw.acl('LOG', 'RESET')
    await raw.config('RESETSTAT')
    const store = await open({ username: 'informed', password: new Secret('secret') })
    const fates: Disposition[] = [
      { kind: 'requeue', atMs: Date.now() + 20 },
      { kind: 'dead-letter', reason: 'gone' },
    ]
    const received = new Received(() => fates.shift() ?? ACKNOWLEDGE)
    store.queue.consume(APP, 1, received.handler)
    await store.queue.add(
      (['call', 'event', 'counts'] as const).map((priority) => createDelivery({ route: APP, priority })),
    )
    await received.atLeast(4)
    await store.memory.setIfAbsent('key', 'value', 1000)
    await store.memory.raise('number', 1, 1000)
    await store.memory.addMember('set', 'member', 1000)
    await store.memory.countMembers(['set'])
    await until('one is dead', async () => (await store.queue.depth(APP)).dead === 1)
    expect(await store.queue.retryDead({}, Date.now() + 60_000)).toBe(1)
    await store.queue.add([
      createDelivery({ route: APP, deviceHash: 'one' }),
      createDelivery({ route: APP, deviceHash: 'two' }),
    ])
    await until('it is swept', async () => (await raw.info('commandstats')).includes('cmdstat_zscan'))
    await store.queue.forget(APP, 'one')
    expect(store.health()).toEqual({ writable: true, dangers: [], fit: true })
    expect(await raw.acl('LOG')).toEqual([])

    const uninformed = await open({ username: 'uninformed', password: new Secret('secret') })
    await uninformed.queue.add([createDelivery({ route: APP })])
    expect(uninformed.health()).toMatchObject({ writable: true, fit: true })
    expect(uninformed.health().dangers).toHaveLength(2)
  })
})

describe('workers that die', () => {
  /** Takes the next job and dies with it, as often as told. */
  async function dieWithIt(times: number): Promise<void> {
    const worker = new Worker(NAME, null, { connection: raw, prefix, lockDuration: 20 })
    for (let died = 0; died < times; died += 1)
      await until('there is a job', async () => (await worker.getNextJob('dies', { block: false })) !== undefined)
    await until('the last is taken to be dead', async () => (await raw.llen(`${prefix}:${NAME}:active`)) === 0)
    await worker.close(true)
  }

  it.each([
    { count: 3, stalls: MAX_STALLS - 1, becomes: 'handed out as it was', sizes: [3], dead: 0 },
    { count: 3, stalls: MAX_STALLS, becomes: 'split', sizes: [1, 1, 1], dead: 0 },
    { count: 1, stalls: MAX_STALLS - 1, becomes: 'handed out as it was', sizes: [1], dead: 0 },
    { count: 1, stalls: MAX_STALLS, becomes: 'a dead letter', sizes: [], dead: 1 },
  ])('leave $count of a job, which after $stalls times is $becomes', async ({ count, stalls, sizes, dead }) => {
    const { queue } = await open({ timings: QUICK })
    const handed: number[] = []
    const received = new Received()
    const consumption = queue.consume(APP, 10, (batch, signal) => {
      handed.push(batch.length)
      return received.handler(batch, signal)
    })
    consumption.setGate('closed')
    const deliveries = createDeliveries(count, { route: APP })
    const orders = await queue.add(deliveries)
    await dieWithIt(stalls)
    consumption.setGate('open')
    await until('it has ended', async () => {
      const depth = await queue.depth(APP)
      return depth.waiting + depth.active + depth.delayed === 0 && depth.dead === dead
    })
    expect(handed).toEqual(sizes)
    const kept = dead === 0 ? deliveries : []
    expect(received.ids.toSorted()).toEqual(kept.map(({ id }) => id).toSorted())
    expect(received.all.map(({ order }) => order).toSorted((a, b) => a - b)).toEqual(dead === 0 ? orders : [])
    const letters = await queue.listDead({ route: APP }, 10)
    expect(letters.map(({ reason }) => reason)).toEqual(dead === 0 ? [] : ['stalled'])
  })

  it('lose their lock, and their handler is told', async () => {
    const { queue } = await open({ timings: { lockMs: 400, stalledCheckMs: 50 } })
    const never = createGate<Disposition>()
    let isFirst = true
    const received = new Received(() => {
      const fate = isFirst ? never.passed : ACKNOWLEDGE
      isFirst = false
      return fate
    })
    const signals: AbortSignal[] = []
    queue.consume(APP, 10, (batch, signal) => {
      signals.push(signal)
      return received.handler(batch, signal)
    })
    await queue.add([createDelivery({ route: APP })])
    await received.atLeast(1)
    const [lock = ''] = await raw.keys(`${prefix}:*:lock`)
    await raw.del(lock)
    await received.atLeast(2)
    await until('the first is told', () => signals[0]?.aborted === true)
    // Too late: it says nothing about the job any more.
    never.open({ kind: 'dead-letter', reason: 'late' })
    await until('it is done', async () => (await queue.depth(APP)).active === 0)
    expect(await queue.listDead({}, 10)).toEqual([])
    expect(received.ids[0]).toBe(received.ids[1])
  })
})

describe('what cannot be opened', () => {
  it('waits for its key, unharmed, and is told of once', async () => {
    const deliveries = createDeliveries(2, { route: APP })
    await (await open()).queue.add(deliveries)
    await (await open()).queue.add(createDeliveries(1, { route: APP }))
    const stranger = await open({ keyring: createKeyring() })
    const none = new Received()
    const consumption = stranger.queue.consume(APP, 10, none.handler)
    await until('all are put off', async () => (await stranger.queue.depth(APP)).delayed === 3)
    expect(none.all).toEqual([])
    expect(told).toHaveLength(1)
    await consumption.stop(1000)
    const bull = new Queue(NAME, { connection: raw, prefix })
    await bull.promoteJobs()
    await bull.close()
    const received = new Received()
    ;(await open()).queue.consume(APP, 10, received.handler)
    await received.atLeast(3)
    expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  })

  it('becomes a dead letter when it has expired, and can be retried with the key', async () => {
    const store = await open()
    await store.queue.add(createDeliveries(2, { route: APP, expiresAtMs: Date.now() - 1 }))
    const stranger = await open({ keyring: createKeyring() })
    stranger.queue.consume(APP, 10, new Received().handler)
    await until('it is dead', async () => (await stranger.queue.depth(APP)).dead === 1)
    expect((await stranger.queue.listDead({}, 10)).map(({ reason }) => reason)).toEqual(['unreadable'])
    expect(await stranger.queue.retryDead({}, Date.now() + 60_000)).toBe(0)
    expect(await store.queue.retryDead({}, Date.now() + 60_000)).toBe(2)
  })
})

describe('two processes', () => {
  it('hand over at once what one of them gives back when it stops', async () => {
    const [one, other] = [await open(), await open()]
    const never = createGate<Disposition>()
    const stuck = new Received(() => never.passed)
    const stopping = one.queue.consume(APP, 10, stuck.handler)
    await one.queue.add(createDeliveries(3, { route: APP }))
    await stuck.atLeast(3)
    const received = new Received()
    other.queue.consume(APP, 10, received.handler)
    const startMs = Date.now()
    await stopping.stop(0)
    await received.atLeast(3)
    expect(Date.now() - startMs).toBeLessThan(2000)
    expect(received.ids.toSorted()).toEqual(stuck.ids.toSorted())
    never.open(ACKNOWLEDGE)
  })

  it('leave each other the route that one of them has closed', async () => {
    const [closed, working] = [await open(), await open()]
    const none = new Received()
    closed.queue.consume(APP, 10, none.handler).setGate('closed')
    const received = new Received()
    working.queue.consume(APP, 10, received.handler)
    for (let count = 1; count <= 20; count += 1) {
      await closed.queue.add([createDelivery({ route: APP })])
      await received.atLeast(count)
    }
    expect(none.all).toEqual([])
  })

  it('both heed the pause of an operator who uses the tools of BullMQ', async () => {
    const store = await open()
    const bull = new Queue(NAME, { connection: raw, prefix })
    await bull.pause()
    const received = new Received()
    store.queue.consume(APP, 10, received.handler)
    await store.queue.add([createDelivery({ route: APP })])
    const passer = new Received()
    store.queue.consume('passer-by', 10, passer.handler)
    await store.queue.add([createDelivery({ route: 'passer-by' })])
    await passer.atLeast(1)
    expect(received.all).toEqual([])
    await bull.resume()
    await received.atLeast(1)
    await bull.close()
  })
})
