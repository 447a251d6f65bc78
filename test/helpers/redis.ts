/** A real Redis of a test's own, on loopback, in a folder of its own; it can be killed, frozen and brought back, and does not outlive the test. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { createAuthority } from '../../src/simulators/certificate.ts'
import type { RedisTopology } from '../../src/store/settings.ts'
import { freePort } from './free-port.ts'
import { until } from './received.ts'

export interface TestRedis {
  readonly port: number
  /** Where the store finds it. */
  readonly topology: RedisTopology
  /** PEM file, when it speaks TLS. */
  readonly caFile: string | undefined
  /** A client of the test's own, connected; closed by `stop`. */
  client(): Promise<Redis>
  /** All that is in its append-only files. */
  appendOnlyFiles(): Promise<Buffer>
  /** False where it was killed, or ended by itself. */
  readonly isRunning: boolean
  kill(): Promise<void>
  start(): Promise<void>
  freeze(): void
  thaw(): void
  /** Ends it for good. */
  stop(): Promise<void>
}

type Settings = Readonly<Record<string, string | number>>

export interface TestRedisOptions {
  /** Cluster: one node that has all slots, unless told otherwise. */
  readonly mode?: 'single' | 'cluster' | 'tls'
  /** Of a node of a Cluster, the first and the last; `redis-cluster.ts` makes a whole one. */
  readonly slots?: readonly [number, number] | 'none'
  /** As in redis.conf. */
  readonly settings?: Settings
  /** False: only a port is reserved until `start`. */
  readonly isStarted?: boolean
}

const READY = 'Ready to accept connections'

export async function startRedis({
  mode = 'single',
  slots = [0, 16_383],
  settings = {},
  isStarted = true,
}: TestRedisOptions = {}): Promise<TestRedis> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-redis-'))
  const node = { host: '127.0.0.1', port }
  const clients: Redis[] = []
  const commandLine = flags({
    port,
    bind: '127.0.0.1',
    dir: folder,
    save: '',
    appendonly: 'yes',
    // What is acknowledged is in the page cache and survives a kill; `everysec` holds writes back while a sync is slow, for up to 2 s
    // (redis/src/aof.c, `flushAppendOnlyFile`).
    appendfsync: 'no',
    'maxmemory-policy': 'noeviction',
    ...(mode === 'cluster' ? await clusterSettings() : {}),
    ...(mode === 'tls' ? await tlsSettings(folder, port) : {}),
    ...settings,
  })
  let child: ChildProcess | undefined
  const killNow = (): void => void child?.kill('SIGKILL')
  process.on('exit', killNow)

  const redis: TestRedis = {
    port,
    topology: mode === 'cluster' ? { kind: 'cluster', nodes: [node] } : { kind: 'single', node, database: 0 },
    caFile: mode === 'tls' ? join(folder, 'ca.pem') : undefined,
    async client() {
      const client = new Redis({ ...node, lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: null })
      client.on('error', () => {})
      clients.push(client)
      await client.connect()
      return client
    },
    async appendOnlyFiles() {
      const files = await readdir(folder, { recursive: true, withFileTypes: true })
      const contents = files.filter((file) => file.isFile()).map((file) => readFile(join(file.parentPath, file.name)))
      return Buffer.concat(await Promise.all(contents))
    },
    get isRunning() {
      return child !== undefined && child.exitCode === null && child.signalCode === null
    },
    async kill() {
      if (child === undefined || !redis.isRunning) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
    async start() {
      child = await spawnRedis(commandLine)
      if (mode === 'cluster' && slots !== 'none') await assignSlots(await redis.client(), slots)
    },
    freeze: () => void child?.kill('SIGSTOP'),
    thaw: () => void child?.kill('SIGCONT'),
    async stop() {
      for (const client of clients) client.disconnect()
      await redis.kill()
      process.off('exit', killNow)
      // A child that Redis forked to save or to fill a replica may still write.
      await rm(folder, { recursive: true, force: true, maxRetries: 20 })
    },
  }
  if (isStarted) await redis.start()
  return redis
}

/** Nodes talk to each other on a second port; without a free one it is 10,000 more than the first, which another program may have. */
async function clusterSettings(): Promise<Settings> {
  return { 'cluster-enabled': 'yes', 'cluster-announce-ip': '127.0.0.1', 'cluster-port': await freePort() }
}

async function spawnRedis(commandLine: readonly string[], readyText = READY): Promise<ChildProcess> {
  const child = spawn('redis-server', commandLine, { stdio: ['ignore', 'pipe', 'inherit'] })
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error) =>
      reject(new Error('redis-server is not installed: apt-get install redis-server', { cause: error })),
    )
    child.once('exit', () => reject(new Error(`redis-server ended:\n${log}`)))
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      log += text
      if (log.includes(readyText)) resolve()
    })
  })
  child.removeAllListeners('exit')
  return child
}

/** Resolves when the cluster works, if it has all slots by then. */
async function assignSlots(client: Redis, [first, last]: readonly [number, number]): Promise<void> {
  if ((await client.cluster('INFO')).includes('cluster_slots_assigned:0'))
    await client.cluster('ADDSLOTSRANGE', first, last)
  if (first === 0 && last === 16_383) await untilClusterSays(client, 'cluster_state:ok')
}

export async function untilClusterSays(client: Redis, text: string): Promise<void> {
  while (!(await client.cluster('INFO')).includes(text)) await new Promise((resolve) => setTimeout(resolve, 10))
}

async function tlsSettings(folder: string, port: number): Promise<Settings> {
  const authority = createAuthority()
  const { key, cert } = authority.issue({ commonName: 'redis', hosts: ['127.0.0.1'] })
  const files = { 'ca.pem': authority.certificate, 'key.pem': key, 'cert.pem': cert }
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return {
    port: 0,
    'tls-port': port,
    'tls-auth-clients': 'no',
    'tls-cert-file': join(folder, 'cert.pem'),
    'tls-key-file': join(folder, 'key.pem'),
    'tls-ca-cert-file': join(folder, 'ca.pem'),
  }
}

function flags(settings: Settings): string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)])
}

export interface TestSentinel {
  readonly port: number
  readonly topology: Extract<RedisTopology, { kind: 'sentinel' }>
  /** Resolves when it could fail over. */
  knowsReplica(): Promise<void>
  /** Resolves when it knows so many replicas, and so many sentinels beside itself. */
  knowsOthers(replicas: number, sentinels: number): Promise<void>
  /** Asks for a planned failover; rejects where there can be none. */
  failOver(): Promise<void>
  stop(): Promise<void>
}

/** One sentinel that watches the master at this port and decides alone, unless a `quorum` of several has to agree. */
export async function startSentinel(masterPort: number, quorum = 1): Promise<TestSentinel> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-sentinel-'))
  const file = join(folder, 'sentinel.conf')
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor main 127.0.0.1 ${masterPort} ${quorum}`,
    'sentinel down-after-milliseconds main 500',
    'sentinel failover-timeout main 2000',
  ]
  await writeFile(file, lines.join('\n'))
  const child = await spawnRedis([file, '--sentinel'], 'Sentinel ID is')
  const killNow = (): void => void child.kill('SIGKILL')
  process.on('exit', killNow)
  const client = new Redis({ host: '127.0.0.1', port })
  client.on('error', () => {})
  return {
    port,
    topology: { kind: 'sentinel', sentinels: [{ host: '127.0.0.1', port }], masterName: 'main', database: 0 },
    async knowsReplica() {
      while (!String(await client.call('SENTINEL', 'REPLICAS', 'main')).includes('127.0.0.1'))
        await new Promise((resolve) => setTimeout(resolve, 50))
    },
    async knowsOthers(replicas, sentinels) {
      const count = async (what: string): Promise<number> => {
        const known = await client.call('SENTINEL', what, 'main')
        return Array.isArray(known) ? known.length : 0
      }
      while ((await count('REPLICAS')) < replicas || (await count('SENTINELS')) < sentinels)
        await new Promise((resolve) => setTimeout(resolve, 50))
    },
    async failOver() {
      await client.call('SENTINEL', 'FAILOVER', 'main')
    },
    async stop() {
      client.disconnect()
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      process.off('exit', killNow)
      await rm(folder, { recursive: true, force: true, maxRetries: 20 })
    },
  }
}

/** A master and two replicas that are in step with it. `stack` stops them. */
export async function startWithReplicas(
  stack: AsyncDisposableStack,
): Promise<{ readonly master: TestRedis; readonly replicas: readonly [TestRedis, TestRedis] }> {
  const settings = { 'repl-diskless-sync-delay': 0 }
  const master = await startRedis({ settings })
  stack.defer(() => master.stop())
  const following = { settings: { ...settings, replicaof: `127.0.0.1 ${master.port}` } }
  const replicas = await Promise.all([startRedis(following), startRedis(following)])
  for (const replica of replicas) stack.defer(() => replica.stop())
  const client = await master.client()
  await until('both are in step', async () => (await client.info('replication')).split('state=online').length === 3)
  return { master, replicas }
}
