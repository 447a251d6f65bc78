/** What is wrong with a Redis: whether it can be reached, its version, settings, disk, memory, clock, and the rights of our user. */
import { readFile } from 'node:fs/promises'
import { codeOf } from '../../core/error-code.ts'
import type { RedisNode, RedisSettings, RedisTopology } from '../settings.ts'
import { Connections, isReady, mastersOf, waitUntilReady, type Client, type Node } from './connection.ts'
import { dangersOf, fillIn, settingsIn } from './health.ts'
import { fieldOf, infoOf } from './info.ts'
import { gatewayKey, probeKeyOf } from './shard.ts'
import { timeIn } from './store-time.ts'

const CONNECT_MS = 5000
/** The oldest that is tested. */
const LEAST_VERSION = [6, 2] as const
const MOST_FILL = 0.9
const MOST_CLOCK_DIFFERENCE_MS = 60_000
const PROBE_LIFETIME_MS = 1000

export async function checkRedis(settings: RedisSettings, nowMs: number): Promise<readonly string[]> {
  const { topology, tls, caFile, username, password, prefix } = settings
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
  const connections = new Connections({ topology, tls, ca, username, password })
  const { work } = connections
  let lastError: unknown
  work.on('error', (error: unknown) => (lastError = error))
  try {
    await waitUntilReady(work, CONNECT_MS)
    if (!isReady(work)) return [whyUnreachable(topology, lastError)]
    const ofMasters = await Promise.all([...mastersOf(work).values()].map((node) => faultsOf(node, nowMs)))
    return [...new Set([...ofMasters.flat(), ...(await faultsOfRights(work, prefix, username))])]
  } catch (error) {
    return [`Redis does not answer (${codeOf(error)})`]
  } finally {
    connections.closeAll()
  }
}

function nodesOf(topology: RedisTopology): readonly RedisNode[] {
  switch (topology.kind) {
    case 'single':
      return [topology.node]
    case 'sentinel':
      return topology.sentinels
    case 'cluster':
      return topology.nodes
  }
}

function whyUnreachable(topology: RedisTopology, error: unknown): string {
  const where = nodesOf(topology)
    .map(({ host, port }) => `${host}:${port}`)
    .join(', ')
  const message = error instanceof Error ? error.message : ''
  const code = codeOf(error)
  if (/^(?:WRONGPASS|NOAUTH)/.test(message) || /invalid password/i.test(message))
    return `Redis at ${where} refuses our user or password: see store.username and store.password_file`
  if (code === 'ECONNREFUSED') return `nothing listens at ${where}: does Redis run there, and is store.url right?`
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return `the name of ${where} cannot be resolved: is store.url right, and does DNS work on this machine?`
  if (/CERT|SIGNED|ALTNAME|SSL/.test(code))
    return `the certificate of Redis at ${where} is not trusted (${code}): name its authority in store.ca_file, or its host as the certificate has it`
  return `Redis at ${where} does not answer (${code}): does a firewall drop it, or does it want TLS (rediss://)?`
}

async function faultsOf(node: Node, nowMs: number): Promise<readonly string[]> {
  const [server, memory, persistence, replication] = await Promise.all([
    infoOf(node, 'server'),
    infoOf(node, 'memory'),
    infoOf(node, 'persistence'),
    infoOf(node, 'replication'),
  ])
  const fill = fillIn(memory)
  const differenceMs = Math.abs((timeIn(server) ?? nowMs) - nowMs)
  const faults: readonly (readonly [boolean, string])[] = [
    [
      isTooOld(fieldOf(server, 'redis_version')),
      `Redis ${fieldOf(server, 'redis_version')} is too old: Hushgate needs ${LEAST_VERSION.join('.')}`,
    ],
    [
      fieldOf(replication, 'role') === 'slave',
      'this Redis is a replica, which takes no writes: give the address of its master in store.url, or Sentinel',
    ],
    [
      ['aof_last_write_status', 'aof_last_bgrewrite_status', 'rdb_last_bgsave_status'].some(
        (field) => fieldOf(persistence, field) === 'err',
      ),
      'Redis cannot write to its disk: is that full? Make room, and see its log',
    ],
    [
      fill > MOST_FILL,
      `Redis' memory is ${Math.round(fill * 100)} % full: nothing more is stored when it is; raise maxmemory, or see what waits`,
    ],
    [
      differenceMs > MOST_CLOCK_DIFFERENCE_MS,
      `the clocks of this machine and of Redis differ by ${Math.round(differenceMs / 1000)} s: set up a time server on both (chrony, systemd-timesyncd)`,
    ],
  ]
  const found = faults.filter(([isWrong]) => isWrong).map(([, sentence]) => sentence)
  return [...found, ...dangersOf(settingsIn(memory, persistence))]
}

function isTooOld(version: string | undefined): boolean {
  const [major = 0, minor = 0] = (version ?? '').split('.').map(Number)
  return version !== undefined && (major < LEAST_VERSION[0] || (major === LEAST_VERSION[0] && minor < LEAST_VERSION[1]))
}

/** Does what the gateway does, on a key that nothing depends on. */
async function faultsOfRights(
  client: Client,
  prefix: string,
  username: string | undefined,
): Promise<readonly string[]> {
  const key = probeKeyOf(prefix)
  const tried: readonly (readonly [string, () => Promise<unknown>])[] = [
    ['SET', () => client.set(key, '', 'PX', PROBE_LIFETIME_MS)],
    ['EVAL', () => client.eval(`return redis.call('DEL', KEYS[1])`, 1, key)],
    ['PUBLISH', () => client.publish(gatewayKey(prefix, 'bell'), '')],
    ['INFO', () => client.info('memory')],
  ]
  const faults: string[] = []
  for (const [command, run] of tried) {
    const message = await run().then(
      () => '',
      (error: unknown) => (error instanceof Error ? error.message : 'unknown'),
    )
    if (message.startsWith('NOPERM'))
      faults.push(
        `the Redis user ${username ?? 'default'} may not ${command} what Hushgate needs: give it the rights in docs/deploying.md (ACL SETUSER)`,
      )
    else if (message.startsWith('OOM')) faults.push("Redis' memory is full: raise maxmemory")
    else if (message.startsWith('MISCONF'))
      faults.push('Redis cannot write to its disk, and so takes no writes: is that full?')
    else if (message !== '') faults.push(`Redis does not do ${command} for us (${message.split(' ', 1).join('')})`)
  }
  return faults
}
