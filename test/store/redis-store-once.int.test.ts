/** What follows a job on Redis is stored once, with a mark on the job that says so. */
import type { JobsOptions } from 'bullmq'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Connections, waitUntilReady } from '../../src/store/redis/connection.ts'
import { createBatch, createRest, JOB_NAME, openRecord } from '../../src/store/redis/job.ts'
import { ShardQueues, type NewJob } from '../../src/store/redis/shard-queues.ts'
import type { Shard } from '../../src/store/redis/shard.ts'
import { renewMark, storeOnce } from '../../src/store/redis/store-once.ts'
import { createDeliveries, createKeyring } from '../helpers/delivery.ts'
import { redisStores } from './redis-stores.ts'

const ROUTE = 'com.example.*'
const stores = redisStores()
let shard: Shard
const keyring = createKeyring()
const record = createBatch(keyring, ROUTE, createDeliveries(3, { route: ROUTE }))
const items = openRecord(keyring, ROUTE, '17', record) ?? []
const rest = createRest(keyring, record, items, items.slice(1))
const followers = (...opts: readonly JobsOptions[]): NewJob[] =>
  opts.map((each, index) => ({ name: JOB_NAME, data: record, opts: { jobId: `17-${index}`, ...each } }))
const own = { id: '17', token: 'ours' }
const openConnections = (): Connections => {
  const plain = { tls: false, ca: undefined, username: undefined, password: undefined }
  return new Connections({ topology: stores.redis.topology, ...plain })
}
let key: string
let connections: Connections
let parts: Parameters<typeof storeOnce>[0]

beforeEach(async () => {
  shard = stores.shardOf(ROUTE)
  key = `${shard.id}:17`
  await stores.raw.hset(key, 'data', JSON.stringify(record))
  await stores.raw.set(`${key}:lock`, own.token)
  connections = openConnections()
  await waitUntilReady(connections.commands, 10_000)
  parts = { client: connections.commands, queues: new ShardQueues(connections, Date.now), shard }
})
afterEach(() => connections.closeAll())

const waiting = (): Promise<string[]> => stores.raw.lrange(`${shard.id}:wait`, 0, '-1')

it('is stored once, also where the replicas have to be asked again and it is gone by then', async () => {
  await storeOnce(parts, followers({}, {}), { ...own, rest })
  expect((await waiting()).toSorted()).toEqual(['17-0', '17-1'])
  expect(JSON.parse((await stores.raw.hget(key, 'data')) ?? '')).toMatchObject({ count: 2, places: [1, 2] })
  await stores.raw.del(`${shard.id}:wait`, `${shard.id}:17-0`, `${shard.id}:17-1`)
  await storeOnce(parts, followers({}, {}), { ...own, rest })
  expect(await waiting()).toEqual([])
  expect(await renewMark(parts.client, shard, '17')).toBe(false)
  // Of what is left, others follow.
  for (let round = 0; round < 2; round += 1) await storeOnce(parts, followers({}), own)
  expect(await waiting()).toEqual(['17-0'])
  expect(await renewMark(parts.client, shard, '17')).toBe(true)
})

it('is stored also where another Redis has taken over, which does not have the scripts', async () => {
  await storeOnce(parts, followers({}), { ...own, rest })
  await stores.raw.script('FLUSH')
  await storeOnce(parts, followers({}, {}), own)
  expect((await waiting()).toSorted()).toEqual(['17-0', '17-1'])
  expect(await renewMark(parts.client, shard, '17')).toBe(true)
})

it('does not count as stored where Redis has not taken all of it', async () => {
  // BullMQ takes only the first of those.
  const deduplication = { id: 'same' }
  await storeOnce(parts, followers({ deduplication }, { deduplication }), own)
  expect(await waiting()).toEqual(['17-0'])
  expect(await renewMark(parts.client, shard, '17')).toBe(false)
})

it('is stored also where the scripts do not run in their order, because Redis has one of them already', async () => {
  await stores.raw.script('FLUSH')
  const others = openConnections()
  await waitUntilReady(others.commands, 10_000)
  const elsewhere = { client: others.commands, queues: new ShardQueues(others, Date.now), shard }
  await storeOnce(parts, followers({}), { ...own, rest })
  await stores.raw.script('FLUSH')
  await storeOnce(elsewhere, [], { id: 'another', token: '' })
  await storeOnce(parts, followers({}, {}), own)
  expect(await renewMark(parts.client, shard, '17')).toBe(true)
  others.closeAll()
})

it('changes nothing of a job whose lock is lost: Redis may have lost its latest writes, and the job hold more again', async () => {
  await storeOnce(parts, followers({}), { ...own, rest })
  const whole = JSON.stringify(record)
  await stores.raw.hset(key, 'data', whole)
  await stores.raw.del(`${key}:lock`)
  expect(await storeOnce(parts, followers({}, {}), own)).toBe(true)
  const smaller = createRest(keyring, record, items, items.slice(2))
  expect(await storeOnce(parts, followers({}, {}), { ...own, rest: smaller })).toBe(true)
  expect(await stores.raw.hget(key, 'data')).toBe(whole)
  expect(await renewMark(parts.client, shard, '17')).toBe(false)
})

it('is stored where Redis has lost the job, and that is told', async () => {
  await stores.raw.del(key)
  expect(await storeOnce(parts, followers({}), { ...own, rest })).toBe(false)
  expect(await waiting()).toEqual(['17-0'])
  expect(await stores.raw.exists(key)).toBe(0)
})
