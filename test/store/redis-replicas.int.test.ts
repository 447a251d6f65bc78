/** Replicas of a Redis that lag: nothing is accepted that the one which takes over would not have. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Disposition, Store } from '../../src/store/contract.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'
import { createDelivery, createKeyring } from '../helpers/delivery.ts'
import { createGate, Received, until } from '../helpers/received.ts'
import { startWithReplicas, type TestRedis } from '../helpers/redis.ts'

const ROUTE = 'com.example.app'

let stack: AsyncDisposableStack
let master: TestRedis
let replicas: readonly TestRedis[]
let store: Store
let warnings: string[]

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  ;({ master, replicas } = await startWithReplicas(stack))
  warnings = []
  const onError = (message: string): void => void warnings.push(message)
  const { topology } = master
  const options = { topology, keyring: createKeyring(), nowMs: Date.now, onError }
  store = stack.use(await openRedisStore({ ...options, replicaAcks: 'in-step' }))
})
afterEach(() => stack.disposeAsync())

const isAdded = (): Promise<boolean> =>
  store.queue.add([createDelivery()]).then(
    () => true,
    () => false,
  )

/** Of the replicas; resolves with a client of it, by which it can be given back. */
async function takeReplicaAway() {
  const client = await replicas[0]?.client()
  await client?.replicaof('NO', 'ONE')
  return client
}

it('a push is refused from the moment on in which Sentinel makes a replica the master, while the old one still takes it', async () => {
  await until('it is accepted', isAdded)
  const [promoted] = replicas
  // The first that Sentinel does in a failover; the old master hears of it later, and the other replica still follows that one.
  await (await promoted?.client())?.replicaof('NO', 'ONE')
  await expect(store.queue.add([createDelivery()])).rejects.toThrow('too few replicas')
})

it('a push is refused while a replica is frozen, and accepted when it goes on', async () => {
  await until('it is accepted', isAdded)
  replicas[0]?.freeze()
  // On a busy machine the time for Redis is over before that for its replicas has begun.
  await expect(store.queue.add([createDelivery()])).rejects.toThrow(/too few replicas|did not answer in time/)
  expect(store.health().writable).toBe(false)
  replicas[0]?.thaw()
  await until('it is accepted again', isAdded)
})

it.each([
  ['a dead letter', (): Disposition => ({ kind: 'dead-letter', reason: 'failed' })],
  ['a retry', (): Disposition => ({ kind: 'requeue', atMs: Date.now() + 3600_000 })],
])('what becomes %s is not removed before the replicas have that', async (_, disposition) => {
  await until('a push is accepted', isAdded)
  const gate = createGate()
  const received = new Received(() => gate.passed.then(disposition))
  store.queue.consume(ROUTE, 10, received.handler)
  await received.atLeast(1)
  const client = await takeReplicaAway()
  gate.open()
  // This takes longer than to remove it.
  expect(await isAdded()).toBe(false)
  expect((await store.queue.depth(ROUTE)).active).toBeGreaterThan(0)
  await client?.replicaof('127.0.0.1', master.port)
  await until('it is removed', async () => (await store.queue.depth(ROUTE)).active === 0)
})

it('a retry that has left before the replicas confirm it is not handed out again', async () => {
  await until('a push is accepted', isAdded)
  const gate = createGate()
  const received = new Received(async ({ attempt }): Promise<Disposition> => {
    await gate.passed
    return attempt === 1 ? { kind: 'requeue', atMs: Date.now() } : { kind: 'acknowledge' }
  })
  store.queue.consume(ROUTE, 10, received.handler)
  await received.atLeast(1)
  const client = await takeReplicaAway()
  gate.open()
  await until('it is tried again', () => received.all.some(({ attempt }) => attempt === 2))
  const admin = await master.client()
  const asked = async (): Promise<number> =>
    Number(/^cmdstat_wait:calls=(\d+)/m.exec(await admin.info('commandstats'))?.[1])
  const before = await asked()
  await until('the replicas were asked several times more', async () => (await asked()) >= before + 6)
  await client?.replicaof('127.0.0.1', master.port)
  await until('all is removed', async () => {
    const { waiting, delayed, active } = await store.queue.depth(ROUTE)
    return waiting + delayed + active === 0
  })
  const attempts = received.all.map(({ delivery, attempt }) => `${delivery.id} ${attempt}`)
  expect(attempts.toSorted()).toEqual([...new Set(attempts)].toSorted())
})

it('what a retry follows is not handed out again where the process goes before the replicas confirm the retry', async () => {
  await until('a push is accepted', isAdded)
  const gate = createGate()
  const received = new Received(async ({ attempt }): Promise<Disposition> => {
    await gate.passed
    return attempt === 1 ? { kind: 'requeue', atMs: Date.now() } : { kind: 'acknowledge' }
  })
  const consumer = store.queue.consume(ROUTE, 10, received.handler)
  await received.atLeast(1)
  const client = await takeReplicaAway()
  const before = received.all.length
  gate.open()
  await until('each is tried again', () => received.all.filter(({ attempt }) => attempt === 2).length === before)
  await consumer.stop(0)
  const next = new Received()
  store.queue.consume(ROUTE, 10, next.handler)
  await client?.replicaof('127.0.0.1', master.port)
  await until('all is removed', async () => {
    const { waiting, delayed, active } = await store.queue.depth(ROUTE)
    return waiting + delayed + active === 0
  })
  expect(next.all.map(({ attempt }) => attempt)).not.toContain(1)
})

it('a push is accepted without a replica that is gone for longer, and it is said', async () => {
  await replicas[0]?.kill()
  await expect(store.queue.add([createDelivery()])).rejects.toThrow(/too few replicas|did not answer in time/)
  await until('it is accepted', isAdded)
  const said = 'Redis has fewer replicas than before: from now on a push is accepted when 1 of them has it'
  await until('it is said', () => warnings.includes(said))
})
