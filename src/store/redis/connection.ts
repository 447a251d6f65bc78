/** The connections to Redis, and the only import of ioredis: how each behaves when Redis is away, frozen or demoted (docs/facts/stores.md#redis-away). */
import { Cluster, Redis, type CommonRedisOptions } from 'ioredis'
import type { Secret } from '../../core/secret.ts'
import { waitAtMost } from '../../core/time-limit.ts'
import { STORE_TIMEOUT_MS } from '../contract.ts'
import type { RedisTopology } from '../settings.ts'

export type Client = Redis | Cluster
export type Node = Redis

export interface Address {
  readonly topology: RedisTopology
  readonly tls: boolean
  /** PEM: the authority that signed Redis' certificate, if it is not a public one. */
  readonly ca: string | undefined
  readonly username: string | undefined
  readonly password: Secret | undefined
}

/** After a command that is not answered for so long the connection is dropped, and then every use fails at once. */
const SILENCE_TIMEOUT_MS = 2000
/**
 * A consumer may wait longer than a homeserver, about as long as a lock lasts: if it stopped waiting while it fetches a job, that job would count as
 * stalled.
 */
const WORK_TIMEOUT_MS = 8000
/** Where no homeserver waits, and what is stored is much (`hushgate move`): a slow line, or a disk that others use, must not end it. */
export const PATIENCE_MS = 30_000
/** Where there is no Cluster. */
const THE_MASTER = 'redis'
const FIRST_RECONNECT_DELAY_MS = 50
const SLOTS_REFRESH_MS = 5000
const LONGEST_RECONNECT_DELAY_MS = 1000
/** Answers to commands that were sent together come together. */
const ONE_REASON_MS = 100
const CONNECT_TIMEOUT_MS = 2000

/** How the connections differ. */
type Role = Pick<CommonRedisOptions, 'commandTimeout' | 'socketTimeout' | 'enableAutoPipelining' | 'autoResubscribe'>

export class Connections {
  /** Stores new deliveries, retries and dead letters, and does nothing else, because WAIT blocks it. */
  readonly commands: Client
  /** For the consumers, and for what an operator asks. */
  readonly work: Client
  /** For the memory: small operations; those of one turn travel together. */
  readonly memory: Client
  readonly #address: Address
  readonly #clients = new Set<Client>()
  #listening: Client | undefined

  constructor(address: Address, isPatient = false) {
    this.#address = address
    const timeouts = isPatient
      ? { commandTimeout: PATIENCE_MS, socketTimeout: PATIENCE_MS }
      : { commandTimeout: STORE_TIMEOUT_MS, socketTimeout: SILENCE_TIMEOUT_MS }
    const workTimeoutMs = isPatient ? PATIENCE_MS : WORK_TIMEOUT_MS
    this.commands = this.#open(timeouts)
    this.work = this.#open({ commandTimeout: workTimeoutMs, socketTimeout: workTimeoutMs })
    this.memory = this.#open({ ...timeouts, enableAutoPipelining: true })
  }

  /** Hears what other processes publish, and does nothing else. */
  get listening(): Client {
    // The bell subscribes again by itself; what ioredis does about it by itself, it does not catch.
    this.#listening ??= this.#open({ socketTimeout: SILENCE_TIMEOUT_MS, autoResubscribe: false })
    return this.#listening
  }

  closeAll(): void {
    const clients = [...this.#clients]
    this.#clients.clear()
    for (const client of clients) client.disconnect()
  }

  #open(role: Role): Client {
    const client = createClient(this.#address, role)
    this.#clients.add(client)
    // Without a listener an EventEmitter throws. What matters of an error is seen in `status`, and in the commands that fail.
    client.on('error', () => {})
    client.on('end', () => this.#reconnect(client))
    return client
  }

  /**
   * No client ends before it is closed. ioredis ends one for good when it hears of another master while it asks Sentinel for the master, as happens in a
   * failover (docs/facts/stores.md#redis-away).
   */
  #reconnect(client: Client): void {
    setTimeout(() => {
      if (this.#clients.has(client) && client.status === 'end') client.connect().catch(() => {})
    }, FIRST_RECONNECT_DELAY_MS)
  }
}

/** The nodes that hold keys, each by the name that `masterOf` gives it: one, or the masters of a Cluster. */
export function mastersOf(client: Client): ReadonlyMap<string, Node> {
  if (!(client instanceof Cluster)) return new Map([[THE_MASTER, client]])
  return new Map(client.nodes('master').map((node) => [`${node.options.host}:${node.options.port}`, node]))
}

/** All nodes to which somebody may be connected. */
export function nodesOf(client: Client): readonly Node[] {
  return client instanceof Cluster ? client.nodes('all') : [client]
}

/** The name of the node that holds a slot. */
export function masterOf(client: Client, slot: number): string {
  return client instanceof Cluster ? (client.slots[slot]?.[0] ?? '') : THE_MASTER
}

/** Whether keys of different slots may not be in one command. */
export function isCluster(client: Client): boolean {
  return client instanceof Cluster
}

/** Must be asked before every use: ioredis fails fast only once it has been connected (docs/facts/stores.md#redis-away). */
export function isReady(client: Client): boolean {
  return client.status === 'ready'
}

/** Resolves when it is ready, or when the limit is over. */
export async function waitUntilReady(client: Client, limitMs: number): Promise<void> {
  if (isReady(client)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  client.once('ready', resolve)
  await waitAtMost(limitMs, promise)
  client.off('ready', resolve)
}

/** A master that has become a replica is left: once, though each command that is under way is told so. */
function createReconnectOnError(): (error: Error) => 1 | false {
  let leftAtMs = Number.NEGATIVE_INFINITY
  return ({ message }) => {
    if (!message.startsWith('READONLY') || performance.now() - leftAtMs < ONE_REASON_MS) return false
    leftAtMs = performance.now()
    return 1
  }
}

function createClient({ topology, tls, ca, username, password }: Address, role: Role): Client {
  const tlsOptions = tls ? (ca === undefined ? {} : { ca }) : undefined
  const options = {
    ...role,
    ...(tlsOptions === undefined ? {} : { tls: tlsOptions }),
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password: password.reveal() }),
    maxRetriesPerRequest: 0,
    connectTimeout: CONNECT_TIMEOUT_MS,
    reconnectOnError: createReconnectOnError(),
  } as const
  const alone = { ...options, enableOfflineQueue: false, retryStrategy: reconnectDelayMs }
  switch (topology.kind) {
    case 'single':
      return new Redis({ ...alone, ...topology.node, db: topology.database })
    case 'sentinel':
      return new Redis({
        ...alone,
        db: topology.database,
        sentinels: topology.sentinels.map(({ host, port }) => ({ host, port })),
        name: topology.masterName,
        failoverDetector: true,
        sentinelRetryStrategy: reconnectDelayMs,
        enableTLSForSentinelMode: tls,
        ...(tlsOptions === undefined ? {} : { sentinelTLS: tlsOptions }),
      })
    case 'cluster':
      return new Cluster([...topology.nodes], {
        redisOptions: options,
        enableOfflineQueue: false,
        enableAutoPipelining: role.enableAutoPipelining ?? false,
        clusterRetryStrategy: reconnectDelayMs,
        // A pipeline over several slots does not renew the map of slots by itself when they have moved.
        slotsRefreshInterval: SLOTS_REFRESH_MS,
        // After STORE_TIMEOUT_MS nobody waits for the answer any more.
        maxRedirections: 5,
        // A certificate names a host, not the address it resolves to.
        ...(tls ? { dnsLookup: (host, callback) => callback(null, host) } : {}),
      })
  }
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(FIRST_RECONNECT_DELAY_MS * 2 ** Math.min(attempt, 10), LONGEST_RECONNECT_DELAY_MS)
}
