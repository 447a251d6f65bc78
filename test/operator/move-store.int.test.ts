/** What a move from SQLite to Redis keeps of each thing that is stored, and what becomes of a move that ends on the way. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { Identities } from '../../src/core/identities.ts'
import { createEncryptionLine, createKeyFile, type Keyring } from '../../src/core/keyring.ts'
import { Deduplication, rememberedOf } from '../../src/memory/deduplication.ts'
import { KnownDevices } from '../../src/memory/known-devices.ts'
import { Pauses } from '../../src/memory/pauses.ts'
import { Receipts } from '../../src/memory/receipts.ts'
import { objectionToUse } from '../../src/memory/store-move.ts'
import { giveUpMove, moveStore, type Moved } from '../../src/operator/move-store.ts'
import type { Arrival, Departure } from '../../src/store/move.ts'
import { STORE_TIMEOUT_MS, type NewDelivery, type Store } from '../../src/store/contract.ts'
import type { Delivery } from '../../src/core/delivery.ts'
import { openForDeparture } from '../../src/store/open.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createDeliveries, createDelivery, keyringIn } from '../helpers/delivery.ts'
import { Received, takeAll } from '../helpers/received.ts'
import { startCluster } from '../helpers/redis-cluster.ts'
import { redisStores } from '../store/redis-stores.ts'
import { startSlowRelay } from '../store/slow-relay.ts'

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

const depart = (keyring = redis.keyring): Promise<Departure> =>
  openForDeparture({ kind: 'sqlite', file: path, synchronous: 'full' }, keyring, nowMs)

/** As `hushgate move` does it. */
function move(from: Departure, to: Arrival, { keyring = redis.keyring, shards = 'none' } = {}): Promise<Moved> {
  return moveStore({ from, to, setUp: { keys: keyring.openingHash, shards }, nowMs })
}

/** All that a gateway on the Redis would send. It is gone when this resolves. */
async function takeFromRedis(): Promise<string[]> {
  await using store = await redis.open()
  return (await takeAll(store.queue, ROUTE)).map(({ delivery }) => delivery.id)
}

const waitingIn = (from: Departure): readonly string[] => [...from.deliveries()].flat().map((each) => each.delivery.id)

/** As it is, but for what is given. */
function arrivalLike(arrival: Arrival, other: Partial<Arrival>): Arrival {
  return {
    addFacts: (facts) => arrival.addFacts(facts),
    addDeadLetters: (letters) => arrival.addDeadLetters(letters),
    addDeliveries: (deliveries) => arrival.addDeliveries(deliveries),
    getFact: (owner, key) => arrival.getFact(owner, key),
    setFact: (owner, fact) => arrival.setFact(owner, fact),
    countListeners: () => arrival.countListeners(),
    ...other,
  }
}

const remembering = (delivery: Delivery): NewDelivery => ({ delivery, unless: [], ...rememberedOf(delivery) })

/** Moves all of the file, and opens the Redis as a gateway does. */
async function moveAll(): Promise<Store> {
  const to = await redis.open()
  using from = await depart()
  await move(from, to.arrival)
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

it('pauses of both stores are kept, each since it was first', async () => {
  const sqlite = await openSqlite()
  await new Pauses(sqlite.memory, () => 2000).set([ROUTE, 'in both'], true)
  await sqlite.close()
  const before = await redis.open()
  await new Pauses(before.memory, () => 1000).set(['in both', 'there'], true)
  const { memory } = await moveAll()
  expect(Object.fromEntries(await new Pauses(memory, nowMs).read())).toEqual({
    [ROUTE]: 2000,
    'in both': 1000,
    there: 1000,
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
  function failing(task: 'addFacts' | 'addDeliveries'): Arrival {
    const { arrival } = to
    let calls = 0
    const done = async (name: typeof task, work: Promise<void>): Promise<void> => {
      await work
      if (name === task && (calls += 1) === 2) throw new StoreUnavailableError('Redis failed')
    }
    return arrivalLike(arrival, {
      addFacts: (facts) => done('addFacts', arrival.addFacts(facts)),
      addDeliveries: (deliveries) => done('addDeliveries', arrival.addDeliveries(deliveries)),
    })
  }
  /** Redis, but one that fails before or after it has all. */
  function failingAtEnd(moment: 'before' | 'after'): Arrival {
    return arrivalLike(to.arrival, {
      async setFact(owner, fact) {
        const isEnd = fact.value.includes('arrived')
        if (!isEnd || moment === 'after') await to.arrival.setFact(owner, fact)
        if (isEnd) throw new StoreUnavailableError('Redis failed')
      },
    })
  }

  it.each(['addFacts', 'addDeliveries'] as const)(
    'because %s fails, is repeated, and nothing is lost or there twice',
    async (task) => {
      const deliveries = createDeliveries(1500).map((each) => ({ ...each, deduplicationKey: each.id }))
      await store(deliveries)
      await expect(move(from, failing(task))).rejects.toThrow('Redis failed')
      expect(await objectionToUse(to.memory)).toContain('was not finished')
      expect(await move(from, to.arrival)).toMatchObject({ deliveries: 1500, facts: 1500 })
      expect(await objectionToUse(to.memory)).toBeUndefined()
      expect(waitingIn(from)).toEqual([])
      expect((await takeFromRedis()).toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted())
    },
  )

  it('before the file is emptied, copies nothing again: a gateway may have sent it meanwhile', async () => {
    await store(createDeliveries(3))
    await expect(move(from, failingAtEnd('after'))).rejects.toThrow('Redis failed')
    expect(await objectionToUse(to.memory)).toBeUndefined()
    expect(await takeFromRedis()).toHaveLength(3)
    expect(await move(from, to.arrival)).toMatchObject({ deliveries: 0, unreadable: 0 })
    expect(await takeFromRedis()).toEqual([])
    expect(waitingIn(from)).toEqual([])
    await expect(giveUpMove(from)).rejects.toThrow('The move is finished')
  })

  it('before Redis is told that it has all, is repeated, and nothing is lost or there twice', async () => {
    await store(createDeliveries(3))
    const ids = waitingIn(from)
    await expect(move(from, failingAtEnd('before'))).rejects.toThrow('Redis failed')
    expect(await objectionToUse(to.memory)).toContain('was not finished')
    await move(from, to.arrival)
    expect((await takeFromRedis()).toSorted()).toEqual([...ids].toSorted())
  })

  it('empties the file only where the Redis has what was in it; if that Redis is lost, it can be given up', async () => {
    await store(createDeliveries(3))
    await expect(move(from, failingAtEnd('before'))).rejects.toThrow('Redis failed')
    const { arrival: another } = await redis.open({ prefix: 'another' })
    await expect(move(from, another)).rejects.toThrow('another store than that')
    expect(waitingIn(from)).toHaveLength(3)
    await expect(giveUpMove(from)).rejects.toThrow('All of it is in the other store')
    await expect(giveUpMove(from, to.arrival)).rejects.toThrow('run the same hushgate move again')
    await redis.raw.flushall()
    await expect(move(from, to.arrival)).rejects.toThrow('another store than that')
    expect(await giveUpMove(from, to.arrival)).toBe(true)
    expect(waitingIn(from)).toHaveLength(3)
  })

  it('is not repeated with another number of shards: all that was copied would be there twice', async () => {
    await store(createDeliveries(500))
    await expect(move(from, failing('addDeliveries'))).rejects.toThrow('Redis failed')
    await expect(move(from, to.arrival, { shards: 'four' })).rejects.toThrow('store.shards is another')
    await move(from, to.arrival)
    expect(await takeFromRedis()).toHaveLength(500)
  })

  it('can be given up; then nothing more goes to where a part of it is', async () => {
    await store(createDeliveries(500))
    expect(await giveUpMove(from)).toBe(false)
    await expect(move(from, failing('addDeliveries'))).rejects.toThrow('Redis failed')
    expect(await giveUpMove(from)).toBe(true)
    await expect(move(from, to.arrival)).rejects.toThrow('a part of another move')
    expect(waitingIn(from)).toHaveLength(500)
  })
})

describe('what cannot be opened', () => {
  const [file, newLine] = [createKeyFile(), createEncryptionLine()]
  const hashLine = file.split('\n').find((line) => line.startsWith('hash')) ?? ''
  const [oldKey, newKey, bothKeys] = [file, `${hashLine}\n${newLine}`, `${newLine}\n${file}`].map(keyringIn)
  let to: Arrival
  let sealed: { readonly old: readonly Delivery[]; readonly new: readonly Delivery[] }
  beforeEach(async () => {
    to = (await redis.open()).arrival
    sealed = { old: createDeliveries(2), new: createDeliveries(3) }
    for (const [keyring, deliveries] of [
      [oldKey, sealed.old],
      [newKey, sealed.new],
    ] as const) {
      await using sqlite = await openSqlite(keyring)
      await sqlite.queue.add(deliveries)
    }
  })

  async function moveWith(keyring: Keyring | undefined, there = to): Promise<Moved> {
    using from = await depart(keyring)
    return await move(from, there, { keyring: keyring ?? redis.keyring })
  }
  async function objection(): Promise<string | undefined> {
    return objectionToUse((await openSqlite(bothKeys)).memory)
  }
  const ids = (deliveries: readonly Delivery[]): string[] => deliveries.map(({ id }) => id)

  it('stays in the file, is counted, and is moved once its key is back', async () => {
    expect(await moveWith(newKey)).toMatchObject({ deliveries: 3, unreadable: 2 })
    expect(await takeFromRedis()).toEqual(ids(sealed.new))
    const said = await objection()
    expect(said).toContain('2 pushes could not')
    expect(said).not.toContain('delete this file')
    await Promise.all(openStores.map((store) => store.close()))
    expect(await moveWith(bothKeys)).toMatchObject({ deliveries: 2, unreadable: 0 })
    expect(await takeFromRedis()).toEqual(ids(sealed.old))
    expect(await objection()).toContain('delete this file')
  })

  it('is not deleted where its key comes back before a move has ended', async () => {
    const failing = arrivalLike(to, {
      async setFact(owner, fact) {
        await to.setFact(owner, fact)
        if (fact.value.includes('arrived')) throw new StoreUnavailableError('Redis failed')
      },
    })
    await expect(moveWith(newKey, failing)).rejects.toThrow('Redis failed')
    await expect(moveWith(bothKeys)).rejects.toThrow('The key file has other keys')
    expect(await moveWith(newKey)).toMatchObject({ deliveries: 0, unreadable: 2 })
    expect(await moveWith(bothKeys)).toMatchObject({ deliveries: 2, unreadable: 0 })
    expect((await takeFromRedis()).toSorted()).toEqual(ids([...sealed.old, ...sealed.new]).toSorted())
  })

  it('when it is moved, the Redis that serves the rest is not given up', async () => {
    await moveWith(newKey)
    const failing = arrivalLike(to, { addDeliveries: () => Promise.reject(new StoreUnavailableError('Redis failed')) })
    await expect(moveWith(bothKeys, failing)).rejects.toThrow('Redis failed')
    {
      using from = await depart(bothKeys)
      await expect(giveUpMove(from)).rejects.toThrow('was in use before this move')
    }
    await moveWith(bothKeys)
    expect((await takeFromRedis()).toSorted()).toEqual(ids([...sealed.old, ...sealed.new]).toSorted())
  })
})

describe('the Redis that it goes to', () => {
  async function storeThree(): Promise<Departure> {
    await using sqlite = await openSqlite()
    await sqlite.queue.add(createDeliveries(3))
    await sqlite.close()
    return depart()
  }

  it('must have no gateway, wherever its admin port is: nothing is begun', async () => {
    using from = await storeThree()
    const { arrival } = await redis.open()
    const gateway = await redis.open()
    gateway.queue.consume(ROUTE, 1, async () => ({ kind: 'acknowledge' }))
    await expect.poll(() => arrival.countListeners()).toBe(1)
    await expect(move(from, arrival)).rejects.toThrow('A gateway runs on the store to move to')
    expect(await giveUpMove(from)).toBe(false)
    await gateway.close()
    await expect.poll(() => arrival.countListeners()).toBe(0)
    expect(await move(from, arrival)).toMatchObject({ deliveries: 3 })
  })

  it('must have no gateway, whichever node of a Cluster that listens to', async () => {
    await using stack = new AsyncDisposableStack()
    const cluster = await startCluster(3)
    stack.defer(() => cluster.stop())
    const { topology } = cluster
    const { arrival } = await redis.open({ topology })
    const gateways = await Promise.all(Array.from({ length: 4 }, () => redis.open({ topology })))
    for (const { queue } of gateways) queue.consume(ROUTE, 1, async () => ({ kind: 'acknowledge' }))
    await expect.poll(() => arrival.countListeners()).toBe(4)
    for (const store of gateways) await store.close()
  })

  it('may answer slowly: slower than a homeserver would wait', async () => {
    using from = await storeThree()
    await using relay = await startSlowRelay(redis.redis.port)
    const topology = { kind: 'single', node: { host: '127.0.0.1', port: relay.port }, database: 0 } as const
    const to = await redis.open({ topology, isPatient: true })
    relay.delayMs = STORE_TIMEOUT_MS + 100
    expect(await move(from, to.arrival)).toMatchObject({ deliveries: 3 })
    relay.delayMs = 0
    expect(await takeFromRedis()).toHaveLength(3)
  }, 60_000)

  it('has its mark on its replicas, too, before anything follows from it', async () => {
    using from = await storeThree()
    const { arrival } = await redis.open({ replicaAcks: 1 })
    const asked: string[] = []
    const watched = arrivalLike(arrival, {
      addFacts: async () => void asked.push('addFacts'),
      addDeliveries: async () => void asked.push('addDeliveries'),
    })
    // There is no replica that could confirm it.
    await expect(move(from, watched)).rejects.toThrow('too few replicas')
    expect(asked).toEqual([])
  })
})

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1
}
