/** What a move from SQLite to Redis keeps of each thing that is stored, and what becomes of a move that ends on the way. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { Identities } from '../../src/core/identities.ts'
import { Deduplication, rememberedOf } from '../../src/memory/deduplication.ts'
import { KnownDevices } from '../../src/memory/known-devices.ts'
import { Pauses } from '../../src/memory/pauses.ts'
import { Receipts } from '../../src/memory/receipts.ts'
import { objectionToServing } from '../../src/memory/store-move.ts'
import { giveUpMove, moveStore } from '../../src/operator/move-store.ts'
import type { Arrival, Departure } from '../../src/store/move.ts'
import type { Memory, NewDelivery, Store } from '../../src/store/contract.ts'
import type { Delivery } from '../../src/core/delivery.ts'
import { openForDeparture } from '../../src/store/open.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { Received, takeAll } from '../helpers/received.ts'
import { redisStores } from '../store/redis-stores.ts'

const ROUTE = 'com.example.app'
const HOUR_MS = 3600_000

const redis = redisStores()
let folder: string
let path: string
let openStores: Store[]
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-move-'))
  path = join(folder, 'hushgate.db')
  openStores = []
})
afterEach(async () => {
  for (const store of openStores) await store.close()
  await rm(folder, { recursive: true })
})

const nowMs = Date.now

async function openSqlite(keyring = redis.keyring): Promise<Store> {
  const store = await openSqliteStore({ path, keyring, nowMs, synchronous: 'NORMAL', onError: () => {} })
  openStores.push(store)
  return store
}

const depart = (): Promise<Departure> =>
  openForDeparture({ kind: 'sqlite', file: path, synchronous: 'full' }, redis.keyring, nowMs)

const remembering = (delivery: Delivery): NewDelivery => ({ delivery, unless: [], ...rememberedOf(delivery) })

/** Moves all of the file, and opens the Redis as a gateway does. */
async function moveAll(): Promise<Store> {
  const to = await redis.open()
  using from = await depart()
  await moveStore({ from, to, nowMs })
  await to.close()
  return redis.open()
}

describe('what is kept', () => {
  it('of deliveries: time of acceptance, time at which they are due, attempts, priority and order', async () => {
    const sqlite = await openSqlite()
    const acceptedAtMs = Date.now() - HOUR_MS
    const tried = createDelivery({ acceptedAtMs, expiresAtMs: Date.now() + HOUR_MS })
    await sqlite.queue.add([tried])
    const retried = new Received(() => ({ kind: 'requeue', atMs: Date.now() - 1 }))
    const first = sqlite.queue.consume(ROUTE, 1, retried.handler)
    await retried.atLeast(3)
    await first.stop(60_000)
    const attempts = retried.all.length
    const later = createDelivery({ dueAtMs: Date.now() + HOUR_MS, expiresAtMs: Date.now() + 2 * HOUR_MS })
    const events = createDeliveries(3)
    const call = createDelivery({ priority: 'call' })
    await sqlite.queue.add([...events, later, call])
    await sqlite.close()
    const { queue } = await moveAll()
    expect(await queue.depth(ROUTE)).toMatchObject({ waiting: 5, delayed: 1 })
    const handed = await takeAll(queue, ROUTE)
    expect(handed.map(({ delivery }) => delivery.id)).toEqual([call, tried, ...events].map((each) => each.id))
    expect(handed[1]).toMatchObject({ attempt: attempts + 1, delivery: { acceptedAtMs } })
    expect(handed[1]?.delivery.target.reveal()).toBe(tried.target.reveal())
  })

  it('of badges: which one is the latest, also where the latest was sent before', async () => {
    const sqlite = await openSqlite()
    const badge = { priority: 'counts', latestKey: 'badge', deviceHash: 'device' } as const
    const [old, latest] = [createDelivery(badge), createDelivery(badge)]
    for (const delivery of [old, latest]) await sqlite.queue.accept([remembering(delivery)])
    const sent = new Received(({ delivery }) =>
      delivery.id === latest.id ? { kind: 'acknowledge' } : { kind: 'requeue', atMs: Date.now() - 1 },
    )
    const consumer = sqlite.queue.consume(ROUTE, 2, sent.handler)
    await sent.atLeast(2)
    await consumer.stop(60_000)
    await sqlite.close()
    const { queue, memory } = await moveAll()
    const deduplication = new Deduplication(memory)
    const [overtaken] = await takeAll(queue, ROUTE)
    expect(overtaken?.delivery.id).toBe(old.id)
    expect(overtaken && (await deduplication.claim(overtaken))).toBe('superseded')
    const newest = createDelivery(badge)
    await queue.accept([remembering(newest)])
    const [handed] = await takeAll(queue, ROUTE)
    expect(handed && (await deduplication.claim(handed))).toBeUndefined()
  })

  it('of dead letters: reason, attempts and both times', async () => {
    const sqlite = await openSqlite()
    await sqlite.queue.add(
      createDeliveries(2, { acceptedAtMs: Date.now() - HOUR_MS, expiresAtMs: Date.now() + HOUR_MS }),
    )
    const failed = new Received(() => ({ kind: 'dead-letter', reason: 'BadMessageId' }))
    const consumer = sqlite.queue.consume(ROUTE, 2, failed.handler)
    await failed.atLeast(2)
    await consumer.stop(60_000)
    const letters = await sqlite.queue.listDead({}, 10, { withDevices: true })
    await sqlite.close()
    const { queue } = await moveAll()
    const moved = await queue.listDead({}, 10, { withDevices: true })
    expect(moved).toHaveLength(2)
    expect(moved.toSorted(byId)).toEqual(letters.toSorted(byId))
    expect(await queue.retryDead({}, { expiresAtMs: Date.now() + HOUR_MS, callMaxAgeMs: 1 })).toBe(2)
  })

  it('of the memory: events that were seen, devices that are known or dead, receipts, what is paused', async () => {
    const sqlite = await openSqlite()
    const delivery = createDelivery({ deduplicationKey: 'event' })
    await sqlite.queue.accept([remembering(delivery)])
    const identities = new Identities(redis.keyring)
    const receiptsOf = ({ memory }: Store): Receipts =>
      new Receipts({ memory, identities, keyring: redis.keyring, nowMs, areKept: () => true })
    const note = receiptsOf(sqlite).noteOf(delivery, 1, { kind: 'delivered', serviceId: 'apple' })
    const sent = sqlite.queue.consume(ROUTE, 1, async () => ({ kind: 'acknowledge', note }))
    await expect.poll(() => sqlite.queue.depth(ROUTE)).toMatchObject({ waiting: 0, active: 0 })
    await sent.stop(60_000)
    const known = new KnownDevices(sqlite.memory, nowMs)
    known.note(delivery)
    await known.flush()
    await sqlite.memory.set(delivery, 'dead:device', 'tombstone', HOUR_MS)
    await new Pauses(sqlite.memory, nowMs).set([ROUTE], true)
    await sqlite.close()
    const redisStore = await moveAll()
    const { memory } = redisStore
    expect(await new Deduplication(memory).isKnown(delivery, 'event')).toBe(true)
    expect(await new KnownDevices(memory, nowMs).isKnown(delivery)).toBe(true)
    expect(await new KnownDevices(memory, nowMs).isLearning(ROUTE)).toBe(true)
    expect(await memory.get({ route: 'another', deviceHash: 'device' }, 'dead:device')).toBe('tombstone')
    expect(await receiptsOf(redisStore).find(delivery)).toMatchObject({ result: 'delivered' })
    expect((await new Pauses(memory, nowMs).read()).has(ROUTE)).toBe(true)
    // What is deleted, is deleted where it came to, too.
    await memory.delete(delivery, 'dead:device')
    expect(await memory.get(delivery, 'dead:device')).toBeUndefined()
  })
})

describe('a move that ends on the way', () => {
  let to: Awaited<ReturnType<typeof redis.open>>
  let from: Departure
  beforeEach(async () => {
    to = await redis.open()
  })
  afterEach(() => from[Symbol.dispose]())

  async function store(deliveries: readonly Delivery[]): Promise<void> {
    const sqlite = await openSqlite()
    await sqlite.queue.accept(deliveries.map(remembering))
    await sqlite.close()
    from = await depart()
  }
  /** Redis, but one that fails right after it has done its second task of this name. */
  function failing(task: keyof Arrival): Parameters<typeof moveStore>[0]['to'] {
    const { arrival, memory } = to
    let calls = 0
    const done = async (name: keyof Arrival, work: Promise<void>): Promise<void> => {
      await work
      if (name === task && (calls += 1) === 2) throw new StoreUnavailableError('Redis failed')
    }
    return {
      memory,
      arrival: {
        addFacts: (facts) => done('addFacts', arrival.addFacts(facts)),
        addDeadLetters: (letters) => done('addDeadLetters', arrival.addDeadLetters(letters)),
        addDeliveries: (deliveries) => done('addDeliveries', arrival.addDeliveries(deliveries)),
      },
    }
  }

  it.each(['addFacts', 'addDeliveries'] as const)(
    'because %s fails, is repeated, and nothing is lost or there twice',
    async (task) => {
      const deliveries = createDeliveries(1500).map((each) => ({ ...each, deduplicationKey: each.id }))
      await store(deliveries)
      await expect(moveStore({ from, to: failing(task), nowMs })).rejects.toThrow('Redis failed')
      expect(await objectionToServing(to.memory)).toContain('was not finished')
      expect(await moveStore({ from, to, nowMs })).toMatchObject({ deliveries: 1500, facts: 1500 })
      expect(await objectionToServing(to.memory)).toBeUndefined()
      expect([...from.deliveries()]).toEqual([])
      const handed = await takeAll(to.queue, ROUTE)
      expect(handed.map(({ delivery }) => delivery.id).toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted())
    },
  )

  it('before the file is emptied, copies nothing again: a gateway may have sent it meanwhile', async () => {
    await store(createDeliveries(3))
    const memory = {
      ...to.memory,
      delete: async (...fact: Parameters<Memory['delete']>) => {
        await to.memory.delete(...fact)
        throw new StoreUnavailableError('Redis failed')
      },
    }
    await expect(moveStore({ from, to: { arrival: to.arrival, memory }, nowMs })).rejects.toThrow('Redis failed')
    expect(await takeAll(to.queue, ROUTE)).toHaveLength(3)
    expect(await moveStore({ from, to, nowMs })).toMatchObject({ deliveries: 0 })
    expect(await (await redis.open()).queue.depth(ROUTE)).toMatchObject({ waiting: 0, delayed: 0 })
    expect([...from.deliveries()]).toEqual([])
    expect(() => giveUpMove(from)).toThrow('All of it is in the other store')
  })

  it('can be given up; then nothing more goes to where a part of it is', async () => {
    await store(createDeliveries(500))
    expect(giveUpMove(from)).toBe(false)
    await expect(moveStore({ from, to: failing('addDeliveries'), nowMs })).rejects.toThrow('Redis failed')
    expect(giveUpMove(from)).toBe(true)
    await expect(moveStore({ from, to, nowMs })).rejects.toThrow('a part of another move')
    expect([...from.deliveries()].flatMap(({ rows }) => rows)).toHaveLength(500)
  })
})

it('what cannot be opened stays in the file, and is counted', async () => {
  const stranger = await openSqlite(createKeyring())
  await stranger.queue.add(createDeliveries(2))
  await stranger.close()
  const sqlite = await openSqlite()
  await sqlite.queue.add(createDeliveries(3))
  await sqlite.close()
  const to = await redis.open()
  using from = await depart()
  expect(await moveStore({ from, to, nowMs })).toMatchObject({ deliveries: 3, unreadable: 2 })
  expect([...from.deliveries()]).toEqual([{ rows: [], unreadable: 2 }])
})

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1
}
