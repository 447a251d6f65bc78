/** How the store on Redis uses BullMQ: what becomes a job, what a job shows, and what becomes of a job with which processes die, or that cannot be opened. */
import { Queue, Worker } from 'bullmq'
import { readFile } from 'node:fs/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { Secret } from '../../src/core/secret.ts'
import {
  MAX_BATCH,
  MAX_STALLS,
  MAX_STALLS_ALONE,
  MAX_STALLS_OF_BATCH,
  type Disposition,
} from '../../src/store/contract.ts'
import type { Shard } from '../../src/store/redis/shard.ts'
import { createDeliveries, createDelivery, createKeyring, revivedUntil } from '../helpers/delivery.ts'
import { createGate, ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import { isInTime } from './in-time.ts'
import { redisStores } from './redis-stores.ts'

const ROUTE = 'com.example.*'
/** Locks last so long that no busy machine loses one. */
const TIMINGS = { lockMs: 8000, lookEveryMs: 50 }

const stores = redisStores()
/** Where the route's jobs lie, and those of another. */
let shard: Shard
let otherShard: Shard

beforeEach(() => {
  shard = stores.shardOf(ROUTE)
  otherShard = stores.shardOf('other')
})

describe('adding', () => {
  it('makes one job of all that is added for a route in one turn', async () => {
    const { queue } = await stores.open()
    const [first, second, third] = [createDeliveries(2), createDeliveries(3), createDeliveries(1)].map((deliveries) =>
      deliveries.map((delivery) => ({ ...delivery, route: ROUTE })),
    )
    await Promise.all([queue.add(first ?? []), queue.add(second ?? []), queue.add(third ?? [])])
    expect(await stores.raw.zcard(`${shard.id}:prioritized`)).toBe(1)
    expect((await queue.depth(ROUTE)).waiting).toBe(6)
  })

  it('never mixes routes or priorities in a job, and makes none too large', async () => {
    const { queue } = await stores.open()
    await queue.add([
      ...createDeliveries(2 * MAX_BATCH + 1, { route: ROUTE }),
      ...createDeliveries(2, { route: ROUTE, priority: 'counts' }),
      ...createDeliveries(2, { route: ROUTE, priority: 'call' }),
      ...createDeliveries(2, { route: 'other' }),
    ])
    expect(await stores.raw.zcard(`${shard.id}:prioritized`)).toBe(4)
    expect(await stores.raw.llen(`${shard.id}:wait`)).toBe(1)
    expect(await stores.raw.zcard(`${otherShard.id}:prioritized`)).toBe(1)
  })

  it('counts 2,000 jobs of different sizes to within a tenth', async () => {
    const { queue } = await stores.open()
    let count = 0
    for (let turn = 0; turn < 40; turn += 1) {
      const sizes = Array.from({ length: 50 }, (_, index) => 1 + ((turn * 7 + index) % 5))
      count += sizes.reduce((sum, size) => sum + size)
      for (const size of sizes) {
        void queue.add(createDeliveries(size, { route: ROUTE }))
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    await until('all are counted', async () => Math.abs((await queue.depth(ROUTE)).waiting / count - 1) < 0.1)
  })
})

describe('jobs that are fetched together', () => {
  it('are handed out in their order also where the gate closes meanwhile', async () => {
    const { queue } = await stores.open()
    const calls = createDeliveries(12, { route: ROUTE, priority: 'call' })
    // Each a job of its own.
    for (const call of calls) await queue.add([call])
    const received = new Received(() => {
      // One, one, two and three were fetched at once, and four are under way.
      if (received.ids.length === 7) setImmediate(() => consumer.setGate('closed'))
      return ACKNOWLEDGE
    })
    const consumer = queue.consume(ROUTE, 1000, received.handler)
    await received.atLeast(7)
    await until('none is under way', async () => (await queue.depth(ROUTE)).active === 0)
    consumer.setGate('open')
    await received.atLeast(12)
    expect(received.ids).toEqual(calls.map(({ id }) => id))
  })
})

describe('a job of which one delivery was tried, to see whether things work again', () => {
  it.each<[what: string, tried: Disposition, later: number]>([
    ['is tried again', { kind: 'requeue', atMs: Number.MAX_SAFE_INTEGER / 4096 }, 1],
    ['is done', ACKNOWLEDGE, 0],
  ])('goes back with the others as one, in their order, when that %s', async (_, tried, later) => {
    const { queue } = await stores.open()
    const deliveries = createDeliveries(6, { route: ROUTE })
    const received = new Received(() => (received.all.length === 1 ? tried : ACKNOWLEDGE))
    const consumer = queue.consume(ROUTE, 10, received.handler)
    consumer.setGate('closed')
    const orders = await queue.add(deliveries)
    expect((await queue.depth(ROUTE)).waiting).toBe(6)
    consumer.setGate('one')
    await until('one was tried', async () => (await queue.depth(ROUTE)).waiting === 5)
    expect(await stores.raw.zcard(`${shard.id}:prioritized`)).toBe(1)
    expect(await stores.raw.zcard(`${shard.id}:delayed`)).toBe(later)
    expect((await stores.raw.keys(`${shard.id}:*-1`)).length).toBe(0)
    consumer.setGate('one')
    await until('another was tried', async () => (await queue.depth(ROUTE)).waiting === 4)
    consumer.setGate('open')
    await received.atLeast(6)
    expect(received.ids).toEqual(deliveries.map(({ id }) => id))
    expect(received.all.map(({ order }) => order)).toEqual(orders)
    expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1, 1, 1])
    await until('what is left is what is tried again', async () => {
      const { waiting, active, delayed } = await queue.depth(ROUTE)
      return waiting === 0 && active === 0 && delayed === later
    })
  })
})

describe('a depth', () => {
  it('follows when the jobs come to hold more, also where nothing happens after that', async () => {
    const { queue } = await stores.open()
    const addJobs = async (jobs: number, size: number): Promise<void> => {
      for (let job = 0; job < jobs; job += 1) await queue.add(createDeliveries(size, { route: ROUTE }))
    }
    await addJobs(50, 1)
    await until('each counts as one', async () => (await queue.depth(ROUTE)).waiting === 50)
    await addJobs(9, 30)
    await until('none is taken for one like the others', async () => {
      const { waiting } = await queue.depth(ROUTE)
      return Math.abs(waiting / (50 + 9 * 30) - 1) < 0.15
    })
  })

  it('counts no delivery that was forgotten out of its job', async () => {
    const { queue } = await stores.open()
    const deliveries = createDeliveries(5, { route: ROUTE })
    await queue.add(deliveries)
    expect((await queue.depth(ROUTE)).waiting).toBe(5)
    await (await stores.open()).queue.forget(ROUTE, deliveries[0]?.deviceHash ?? '')
    await until('it is counted no more', async () => (await queue.depth(ROUTE)).waiting === 4)
  })
})

describe('what can be seen in Redis', () => {
  it('is no pushkey, payload or key of a delivery, neither in a command nor in a file', async () => {
    const seen: string[] = []
    const monitor = await stores.raw.monitor()
    monitor.on('monitor', (_time: string, words: string[]) => seen.push(words.join(' ')))
    const { queue, memory } = await stores.open()
    const dispositions: Disposition[] = [
      { kind: 'requeue', atMs: Date.now() + 50 },
      { kind: 'dead-letter', reason: 'gone' },
      ACKNOWLEDGE,
    ]
    const received = new Received(() => dispositions.shift() ?? ACKNOWLEDGE)
    queue.consume(ROUTE, 10, received.handler)
    const canary = 'Canary0123456789'
    await queue.add(
      createDeliveries(5, {
        route: ROUTE,
        target: new Secret(canary),
        message: { headers: { topic: canary }, body: canary },
        deviceHash: canary,
        deduplicationKey: canary,
        latestKey: canary,
      }),
    )
    await received.atLeast(6)
    await queue.listDead({}, 10)
    await memory.set({ route: ROUTE }, 'last', 'word', 1000)
    await until('all was seen', () => seen.some((line) => line.includes('last')))
    monitor.disconnect()
    expect(seen.some((line) => line.includes(shard.id))).toBe(true)
    expect(seen.filter((line) => line.includes(canary))).toEqual([])
    expect((await stores.redis.appendOnlyFiles()).includes(canary)).toBe(false)
  })

  it('needs no more rights than are documented, and says so when INFO is refused', async () => {
    const rights = await documentedRights()
    const setUser = (name: string, ofUser: readonly string[]): Promise<unknown> =>
      stores.raw.acl(
        'SETUSER',
        name,
        'on',
        '>secret',
        ...ofUser.map((right) => right.replace('hushgate', stores.prefix)),
      )
    await setUser('informed', rights)
    await setUser(
      'uninformed',
      rights.filter((right) => right !== '+info'),
    )
    await stores.raw.acl('LOG', 'RESET')
    await stores.raw.config('RESETSTAT')
    await stores.raw.sadd(`{${stores.prefix}}:apps`, 'old-route')
    const shards = new Map([[ROUTE, 3]])
    const store = await stores.open({ username: 'informed', password: new Secret('secret'), shards })
    await until(
      'what an old version left is taken over',
      async () => (await stores.raw.exists(`{${stores.prefix}}:apps`)) === 0,
    )
    const dispositions: Disposition[] = [
      { kind: 'requeue', atMs: Date.now() + 20 },
      { kind: 'dead-letter', reason: 'gone' },
    ]
    const received = new Received(() => dispositions.shift() ?? ACKNOWLEDGE)
    store.queue.consume(ROUTE, 1, received.handler)
    await store.queue.add(
      (['call', 'event', 'counts'] as const).map((priority) => createDelivery({ route: ROUTE, priority })),
    )
    await received.atLeast(4)
    await store.memory.setIfAbsent({ route: ROUTE }, 'key', 'value', 1000)
    await store.memory.raise({ route: ROUTE }, 'number', 1, 1000)
    await store.memory.addMembers({ route: ROUTE }, 'set', ['member'], 1000)
    await store.memory.countMembers({ route: ROUTE }, ['set'])
    await until('one is a dead letter', async () => (await store.queue.depth(ROUTE)).dead === 1)
    expect(await store.queue.retryDead({}, revivedUntil(Date.now() + 60_000))).toBe(1)
    // Nobody consumes this route, so there is something to sweep. Each store sweeps soon after it is opened.
    await store.queue.add([
      createDelivery({ route: 'other', deviceHash: 'one' }),
      createDelivery({ route: 'other', deviceHash: 'two' }),
    ])
    await stores.open({ username: 'informed', password: new Secret('secret') })
    await until('it is swept', async () => (await stores.raw.info('commandstats')).includes('cmdstat_zscan'))
    await store.queue.forget('other', 'one')
    expect(store.health()).toEqual({ writable: true, dangers: [], fit: true, fill: 0 })
    expect(await stores.raw.acl('LOG')).toEqual([])

    const uninformed = await stores.open({ username: 'uninformed', password: new Secret('secret') })
    await uninformed.queue.add([createDelivery({ route: ROUTE })])
    expect(uninformed.health()).toMatchObject({ writable: true, fit: true })
    expect(uninformed.health().dangers).toHaveLength(2)
  })

  it('is not ready where it has only the rights of a version before 0.2', async () => {
    const rights = (await documentedRights()).filter((right) => right !== '~{hushgate:*')
    await stores.raw.acl(
      'SETUSER',
      'old',
      'on',
      '>secret',
      ...rights.map((right) => right.replace('hushgate', stores.prefix)),
    )
    const store = await stores.open({ username: 'old', password: new Secret('secret') })
    expect(store.health().writable).toBe(false)
    await until('the operator is told', () => stores.warnings.length > 0)
    expect(stores.warnings).toEqual(['nothing can be stored: Redis does not allow its user what Hushgate needs'])
  })
})

/** Of the user in the example, which the document repeats. */
async function documentedRights(): Promise<readonly string[]> {
  const root = new URL('../../', import.meta.url)
  const compose = await readFile(new URL('config/examples/compose/compose.yaml', root), 'utf8')
  const [, rights = ''] = /^ *rights='(.+)'$/m.exec(compose) ?? []
  expect(await readFile(new URL('docs/deploying.md', root), 'utf8')).toContain(`\`${rights}\``)
  return rights.split(' ')
}

describe('a process that dies', () => {
  /** Fetches the next job and dies with it, so many times. */
  async function dieWithIt(times: number): Promise<void> {
    const worker = new Worker(shard.queueName, null, { connection: stores.raw, prefix: shard.prefix, lockDuration: 20 })
    for (let died = 0; died < times; died += 1)
      await until('there is a job', async () => (await worker.getNextJob('dies', { block: false })) !== undefined)
    await until('the last counts as stalled', async () => (await stores.raw.llen(`${shard.id}:active`)) === 0)
    await worker.close(true)
  }

  it.each([
    { count: 3, stalls: MAX_STALLS_OF_BATCH - 1, becomes: 'handed out as it was', sizes: [3], dead: 0 },
    { count: 3, stalls: MAX_STALLS_OF_BATCH, becomes: 'split', sizes: [1, 1, 1], dead: 0 },
    { count: 1, stalls: MAX_STALLS - 1, becomes: 'handed out as it was', sizes: [1], dead: 0 },
    { count: 1, stalls: MAX_STALLS + MAX_STALLS_ALONE, becomes: 'a dead letter', sizes: [], dead: 1 },
  ])('leaves a job of $count, which after $stalls times is $becomes', async ({ count, stalls, sizes, dead }) => {
    const { queue } = await stores.open({ timings: TIMINGS })
    // Deliveries of one job share a signal.
    const handed = new Map<AbortSignal, number>()
    const received = new Received()
    const consumer = queue.consume(ROUTE, 10, (handedOut, signal) => {
      handed.set(signal, (handed.get(signal) ?? 0) + 1)
      return received.handler(handedOut, signal)
    })
    consumer.setGate('closed')
    const deliveries = createDeliveries(count, { route: ROUTE })
    const orders = await queue.add(deliveries)
    await dieWithIt(stalls)
    consumer.setGate('open')
    await until('it has ended', async () => {
      const depth = await queue.depth(ROUTE)
      return depth.waiting + depth.active + depth.delayed === 0 && depth.dead === dead
    })
    expect([...handed.values()]).toEqual(sizes)
    const kept = dead === 0 ? deliveries : []
    expect(received.ids.toSorted()).toEqual(kept.map(({ id }) => id).toSorted())
    expect(received.all.map(({ order }) => order).toSorted((a, b) => a - b)).toEqual(dead === 0 ? orders : [])
    const letters = await queue.listDead({ route: ROUTE }, 10)
    expect(letters.map(({ reason }) => reason)).toEqual(dead === 0 ? [] : ['stalled'])
  })

  it('leaves a delivery that may be why processes die to wait, and then to be handed out while nothing else is', async () => {
    const { queue } = await stores.open({ timings: TIMINGS })
    const [suspect, other] = [createDelivery({ route: ROUTE }), createDelivery({ route: ROUTE })]
    const ids: string[] = []
    const together: number[] = []
    let inFlight = 0
    const first = createGate<Disposition>()
    const consumer = queue.consume(ROUTE, 10, async ({ delivery: { id } }) => {
      ids.push(id)
      inFlight += 1
      together.push(inFlight)
      const disposition = id === other.id ? await first.passed : ACKNOWLEDGE
      inFlight -= 1
      return disposition
    })
    consumer.setGate('closed')
    await queue.add([suspect])
    await dieWithIt(MAX_STALLS)
    consumer.setGate('open')
    await until('it is put aside', async () => (await queue.depth(ROUTE)).delayed === 1)
    expect(ids).toEqual([])
    await queue.add([other])
    await until('another is handed out', () => ids.length === 1)
    const [jobId = ''] = await stores.raw.zrange(`${shard.id}:delayed`, 0, '0')
    // BullMQ keeps the time that it is due at above twelve bits.
    await stores.raw.zadd(`${shard.id}:delayed`, String(Date.now() * 0x1000), jobId)
    await until('it waits no longer', async () => (await stores.raw.zcard(`${shard.id}:delayed`)) === 0)
    first.open(ACKNOWLEDGE)
    await until('all have gone', async () => {
      const { waiting, active, delayed } = await queue.depth(ROUTE)
      return waiting + active + delayed === 0
    })
    expect(ids).toEqual([other.id, suspect.id])
    expect(together).toEqual([1, 1])
    expect(await queue.listDead({ route: ROUTE }, 10)).toEqual([])
  })

  it('or stops renewing a lock loses it, and its handler is aborted', async () => {
    const { queue } = await stores.open({ timings: { lockMs: 400, lookEveryMs: 50 } })
    const never = createGate<Disposition>()
    let isFirst = true
    const received = new Received(() => {
      const disposition = isFirst ? never.passed : ACKNOWLEDGE
      isFirst = false
      return disposition
    })
    const signals: AbortSignal[] = []
    queue.consume(ROUTE, 10, (handedOut, signal) => {
      signals.push(signal)
      return received.handler(handedOut, signal)
    })
    await queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(1)
    const [lock = ''] = await stores.raw.keys(`${shard.id}:*:lock`)
    await stores.raw.del(lock)
    await received.atLeast(2)
    await until('the first is aborted', () => signals[0]?.aborted === true)
    // Too late: the job is another's.
    never.open({ kind: 'dead-letter', reason: 'late' })
    await until('it is done', async () => (await queue.depth(ROUTE)).active === 0)
    expect(await queue.listDead({}, 10)).toEqual([])
    expect(received.ids[0]).toBe(received.ids[1])
  })
})

it('what this process has just stored and claimed is handed out as such; what it only stored is not', async () => {
  const { queue } = await stores.open()
  const received = new Received()
  queue.consume(ROUTE, 10, received.handler)
  const [claimed, plain] = createDeliveries(2, { route: ROUTE })
  if (claimed === undefined || plain === undefined) throw new Error('two deliveries')
  await queue.accept([{ delivery: claimed, unless: ['event:e'], claims: 'event:e', raises: [], lifetimeMs: 60_000 }])
  await queue.add([plain])
  await received.atLeast(2)
  const isFresh = ({ id }: Delivery) => received.all.find(({ delivery }) => delivery.id === id)?.fresh !== undefined
  expect([isFresh(claimed), isFresh(plain)]).toEqual([true, false])
})

describe('a job that cannot be opened', () => {
  it('waits for its key, and there is one warning', async () => {
    const deliveries = createDeliveries(2, { route: ROUTE })
    await (await stores.open()).queue.add(deliveries)
    await (await stores.open()).queue.add(createDeliveries(1, { route: ROUTE }))
    const stranger = await stores.open({ keyring: createKeyring() })
    const none = new Received()
    const consumer = stranger.queue.consume(ROUTE, 10, none.handler)
    await until('all are delayed', async () => (await stranger.queue.depth(ROUTE)).delayed === 3)
    expect(none.all).toEqual([])
    expect(stores.warnings).toHaveLength(1)
    await consumer.stop(1000)
    const bull = new Queue(shard.queueName, { connection: stores.raw, prefix: shard.prefix })
    await bull.promoteJobs()
    await bull.close()
    const received = new Received()
    ;(await stores.open()).queue.consume(ROUTE, 10, received.handler)
    await received.atLeast(3)
    expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
  })

  it('becomes a dead letter when it has expired, and can be retried with the key', async () => {
    const store = await stores.open()
    await store.queue.add(createDeliveries(2, { route: ROUTE, expiresAtMs: Date.now() - 1 }))
    const stranger = await stores.open({ keyring: createKeyring() })
    stranger.queue.consume(ROUTE, 10, new Received().handler)
    await until('it is a dead letter', async () => (await stranger.queue.depth(ROUTE)).dead === 1)
    expect((await stranger.queue.listDead({}, 10)).map(({ reason }) => reason)).toEqual(['unreadable'])
    expect(await stranger.queue.retryDead({}, revivedUntil(Date.now() + 60_000))).toBe(0)
    expect(await store.queue.retryDead({}, revivedUntil(Date.now() + 60_000))).toBe(2)
  })
})

describe('who looks for what is stored for a device', () => {
  it('finds it also in what an older Hushgate stored, and is told how much cannot be opened', async () => {
    const { queue } = await stores.open()
    const wanted = createDeliveries(3, { route: ROUTE, deviceHash: 'wanted' })
    // Each a job of its own, with another device's.
    for (const delivery of wanted) await queue.add([createDelivery({ route: ROUTE }), delivery])
    const [older = '', broken = ''] = await stores.raw.zrange(`${shard.id}:prioritized`, '0', '-1')
    const reseal = async (id: string, change: (envelope: { v: number; deliveries: object[] }) => Buffer) => {
      const record = JSON.parse((await stores.raw.hget(`${shard.id}:${id}`, 'data')) ?? '')
      const envelope = JSON.parse(stores.keyring.open(Buffer.from(record.sealed, 'base64'), ROUTE).toString())
      const sealed = change(envelope).toString('base64')
      await stores.raw.hset(`${shard.id}:${id}`, 'data', JSON.stringify({ ...record, sealed }))
    }
    await reseal(older, ({ v, deliveries }) =>
      stores.keyring.seal(Buffer.from(JSON.stringify({ v, deliveries })), ROUTE),
    )
    await reseal(broken, () => Buffer.from('neither sealed nor long'))
    const held = await queue.search(ROUTE, 'wanted')
    expect(new Set(held.deliveries.map(({ id }) => id))).toEqual(new Set([wanted[0]?.id, wanted[2]?.id]))
    expect(held.unreadable).toBe(2)
  })
})

describe('two processes', () => {
  it('hand over at once what one of them releases when it stops', async () => {
    const [one, other] = [await stores.open(), await stores.open()]
    const never = createGate<Disposition>()
    const stuck = new Received(() => never.passed)
    const stopping = one.queue.consume(ROUTE, 10, stuck.handler)
    await one.queue.add(createDeliveries(3, { route: ROUTE }))
    await stuck.atLeast(3)
    const received = new Received()
    other.queue.consume(ROUTE, 10, received.handler)
    await stopping.stop(0)
    // Long before their locks are lost.
    expect(await isInTime(received.atLeast(3), 5000)).toBe(true)
    expect(received.ids.toSorted()).toEqual(stuck.ids.toSorted())
    never.open(ACKNOWLEDGE)
  })

  it('leave each other the route whose gate one of them has closed', async () => {
    const [closed, working] = [await stores.open(), await stores.open()]
    const none = new Received()
    closed.queue.consume(ROUTE, 10, none.handler).setGate('closed')
    const received = new Received()
    working.queue.consume(ROUTE, 10, received.handler)
    for (let count = 1; count <= 20; count += 1) {
      await closed.queue.add([createDelivery({ route: ROUTE })])
      await received.atLeast(count)
    }
    expect(none.all).toEqual([])
  })

  it('both pause when an operator pauses the queue with the tools of BullMQ', async () => {
    const store = await stores.open()
    const bull = new Queue(shard.queueName, { connection: stores.raw, prefix: shard.prefix })
    await bull.pause()
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    await store.queue.add([createDelivery({ route: ROUTE })])
    const other = new Received()
    store.queue.consume('other-route', 10, other.handler)
    await store.queue.add([createDelivery({ route: 'other-route' })])
    await other.atLeast(1)
    expect(received.all).toEqual([])
    await bull.resume()
    await received.atLeast(1)
    await bull.close()
  })
})
