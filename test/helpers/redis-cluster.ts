/** A real Redis Cluster of several masters, each of which can be killed and brought back. */
import type { Redis } from 'ioredis'
import type { RedisTopology } from '../../src/store/settings.ts'
import { startRedis, untilClusterSays, type TestRedis, type TestRedisOptions } from './redis.ts'

export interface TestCluster {
  readonly topology: RedisTopology
  readonly masters: readonly TestMaster[]
  /** Gives a master a replica; resolves with it when it is in step. */
  addReplica(master: TestMaster): Promise<TestRedis>
  stop(): Promise<void>
}

export interface TestMaster {
  readonly redis: TestRedis
  /** Connected to this node alone; another one after it was away. */
  client(): Promise<Redis>
  has(slot: number): boolean
}

type Settings = NonNullable<TestRedisOptions['settings']>

const SLOTS = 16_384
/** One that is away takes only its own slots with it. */
const SETTINGS = { 'cluster-require-full-coverage': 'no', 'repl-diskless-sync-delay': 0 }

/** `settings` of each node, as in redis.conf. */
export async function startCluster(count: number, settings: Settings = {}): Promise<TestCluster> {
  const ofNodes = { ...SETTINGS, ...settings }
  const masters = await Promise.all(Array.from({ length: count }, (_, index) => startMaster(index, count, ofNodes)))
  const replicas: TestRedis[] = []
  const [first, ...others] = masters
  if (first === undefined) throw new Error('a cluster has masters')
  for (const other of others) await meet(await first.client(), await other.client())
  for (const master of masters)
    for (const text of [`cluster_known_nodes:${count}`, 'cluster_slots_ok:16384', 'cluster_state:ok'])
      await untilClusterSays(await master.client(), text)
  return {
    topology: { kind: 'cluster', nodes: masters.map(({ redis }) => ({ host: '127.0.0.1', port: redis.port })) },
    masters,
    async addReplica(ofMaster) {
      const master = await ofMaster.client()
      const redis = await startRedis({ mode: 'cluster', slots: 'none', settings: ofNodes })
      replicas.push(redis)
      const client = await redis.client()
      await meet(master, client)
      const id = await master.cluster('MYID')
      while (!String(await client.cluster('NODES')).includes(id)) await pause()
      await client.cluster('REPLICATE', id)
      while (!(await client.info('replication')).includes('master_link_status:up')) await pause()
      return redis
    },
    async stop() {
      for (const redis of [...replicas, ...masters.map((master) => master.redis)]) await redis.stop()
    },
  }
}

async function startMaster(index: number, count: number, settings: Settings): Promise<TestMaster> {
  const first = Math.floor((index * SLOTS) / count)
  const last = Math.floor(((index + 1) * SLOTS) / count) - 1
  const redis = await startRedis({ mode: 'cluster', slots: [first, last], settings })
  let client = await redis.client()
  await client.cluster('SET-CONFIG-EPOCH', index + 1)
  return {
    redis,
    async client() {
      if (client.status === 'end') client = await redis.client()
      return client
    },
    has: (slot) => first <= slot && slot <= last,
  }
}

async function meet(one: Redis, other: Redis): Promise<void> {
  const [port, busPort] = await Promise.all(['port', 'cluster-port'].map((name) => other.config('GET', name)))
  await one.cluster('MEET', '127.0.0.1', Number(valueIn(port)), Number(valueIn(busPort)))
}

function valueIn(reply: unknown): unknown {
  return Array.isArray(reply) ? reply[1] : undefined
}

function pause(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 10)
  })
}
