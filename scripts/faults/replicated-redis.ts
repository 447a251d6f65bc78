/** Redis with replicas that take the place of a lost master: as Sentinel decides, or a Cluster. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { startCluster } from '../../test/helpers/redis-cluster.ts'
import { startRedis, startSentinel, type TestRedis } from '../../test/helpers/redis.ts'
import type { End, RedisFault } from './faults.ts'
import { strikeOne } from './one-redis.ts'
import type { Schedule } from './schedule.ts'

export interface ReplicatedRedis extends AsyncDisposable {
  /** The section `store`, as flow YAML. */
  readonly section: string
  strike(fault: RedisFault): Promise<End>
}

/** Of one master: itself, and what may take its place. */
interface Group {
  readonly nodes: readonly TestRedis[]
  /** Asks for a planned failover; rejects where there can be none at the moment. */
  failOver(replica: TestRedis): Promise<unknown>
}

const SENTINELS = 3
const QUORUM = 2
const REPLICAS = 2
const MASTERS = 3
/** A master that is silent for so long is lost. */
const CLUSTER_NODE_TIMEOUT_MS = 1500
/** After the loss of a master it takes a while until there is a replica in step again, and a failover is possible. */
const FAILOVER_POSSIBLE_MS = 60_000
const LOOK_MS = 100

export async function startReplicatedRedis(
  topology: 'sentinel' | 'cluster',
  appendfsync: Schedule['appendfsync'],
): Promise<ReplicatedRedis> {
  await using stack = new AsyncDisposableStack()
  // A replica asks for all at once; without this it is sent after five seconds.
  const settings = { appendfsync, 'repl-diskless-sync-delay': 0 }
  const { section, groups } =
    topology === 'sentinel' ? await startWithSentinels(stack, settings) : await startWithSlots(stack, settings)
  const owned = stack.move()
  return {
    section,
    strike: async (fault) => {
      const group = groups.get(fault.victim)
      if (group === undefined) throw new Error(`there is no ${fault.victim}`)
      return await strikeGroup(fault, group)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

interface Started {
  readonly section: string
  readonly groups: ReadonlyMap<string, Group>
}

type Settings = Readonly<Record<string, string | number>>

async function startWithSentinels(stack: AsyncDisposableStack, settings: Settings): Promise<Started> {
  const nodes = await Promise.all(Array.from({ length: 1 + REPLICAS }, () => startRedis({ settings })))
  for (const node of nodes) stack.defer(() => node.stop())
  const [master, ...replicas] = nodes
  if (master === undefined) throw new Error('there is a master')
  for (const replica of replicas) await followNode(replica, master.port)
  const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => startSentinel(master.port, QUORUM)))
  for (const sentinel of sentinels) stack.defer(() => sentinel.stop())
  await Promise.all(sentinels.map((sentinel) => sentinel.knowsOthers(REPLICAS, SENTINELS - 1)))
  const addresses = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')
  return {
    section: `{ url: "redis+sentinel://${addresses}/main" }`,
    groups: new Map([['redis', { nodes, failOver: async () => await sentinels[0]?.failOver() }]]),
  }
}

async function startWithSlots(stack: AsyncDisposableStack, settings: Settings): Promise<Started> {
  const cluster = await startCluster(MASTERS, { ...settings, 'cluster-node-timeout': CLUSTER_NODE_TIMEOUT_MS })
  stack.defer(() => cluster.stop())
  const groups = new Map<string, Group>()
  for (const [index, master] of cluster.masters.entries()) {
    const nodes = [master.redis, await cluster.addReplica(master)]
    groups.set(`redis-${index + 1}`, {
      nodes,
      failOver: async (replica) => (await clientOf(replica)).cluster('FAILOVER'),
    })
  }
  const nodes = cluster.masters.map(({ redis }) => `"redis://127.0.0.1:${redis.port}"`).join(', ')
  return { section: `{ cluster: [${nodes}] }`, groups }
}

async function strikeGroup(fault: RedisFault, group: Group): Promise<End> {
  if (fault.name === 'failover') {
    await failOver(group)
    return () => {}
  }
  if (fault.name !== 'lost-replica') return await strikeOne(fault.name, await untilFound(() => findMaster(group)))
  const { replica, masterPort } = await untilFound(() => findReplica(group))
  await replica.kill()
  return async () => {
    await replica.start()
    // A node of a Cluster knows by itself whose replica it is.
    if (replica.topology.kind === 'single') await followNode(replica, masterPort)
  }
}

async function failOver(group: Group): Promise<void> {
  await untilFound(async () => {
    const found = await findReplica(group)
    if (found === undefined) return undefined
    try {
      await group.failOver(found.replica)
      return true
    } catch {
      // NOGOODSLAVE, INPROG, or its master is away: not yet.
      return undefined
    }
  })
}

async function followNode(replica: TestRedis, masterPort: number): Promise<void> {
  const client = await replica.client()
  await client.replicaof('127.0.0.1', masterPort)
}

/** The one that says so, where it runs; of two that say so, as after the loss of one that came back, the one that has a replica. */
async function findMaster({ nodes }: Group): Promise<TestRedis | undefined> {
  for (const node of nodes) {
    const info = await replicationOf(node)
    if (info['role'] === 'master' && info['connected_slaves'] !== '0') return node
  }
  return undefined
}

async function findReplica({ nodes }: Group) {
  for (const replica of nodes) {
    const info = await replicationOf(replica)
    if (info['role'] === 'slave' && info['master_link_status'] === 'up')
      return { replica, masterPort: Number(info['master_port']) }
  }
  return undefined
}

/** `INFO replication`; nothing of a node that does not run, or just went. */
async function replicationOf(node: TestRedis): Promise<Readonly<Record<string, string | undefined>>> {
  if (!node.isRunning) return {}
  try {
    const client = await clientOf(node)
    const lines = (await client.info('replication')).split('\r\n')
    return Object.fromEntries(lines.map((line) => line.split(':')))
  } catch {
    return {}
  }
}

const clients = new WeakMap<TestRedis, Redis>()

/** The same again, while it is connected. */
async function clientOf(node: TestRedis): Promise<Redis> {
  const known = clients.get(node)
  if (known?.status === 'ready') return known
  const client = await node.client()
  clients.set(node, client)
  return client
}

async function untilFound<Found>(find: () => Promise<Found | undefined>): Promise<Found> {
  const deadlineMs = performance.now() + FAILOVER_POSSIBLE_MS
  for (;;) {
    const found = await find()
    if (found !== undefined) return found
    if (performance.now() > deadlineMs)
      throw new Error('no replica came in step again, so this fault could not be made')
    await sleep(LOOK_MS)
  }
}
