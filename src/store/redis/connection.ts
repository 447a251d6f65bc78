/** The connections to Redis, and the only import of ioredis: how each behaves when Redis is away, frozen or demoted (docs/facts/stores.md#redis-away). */
import { Cluster, Redis, type CommonRedisOptions } from 'ioredis'
import type { Secret } from '../../core/secret.ts'
import type { RedisTopology } from '../settings.ts'
import { STORE_TIMEOUT_MS } from '../contract.ts'

export type Client = Redis | Cluster

export interface Address {
  readonly topology: RedisTopology
  readonly tls: boolean
  /** PEM: the authority that signed Redis' certificate, if not a public one. */
  readonly ca: string | undefined
  readonly username: string | undefined
  readonly password: Secret | undefined
}

/** A black hole is noticed by this silence after a command; the connection is dropped, and from then on every use fails at once. */
const SILENCE_MS = 2000
/**
 * The worker may wait longer than a homeserver, about as long as a lock lasts: a job that was fetched while nobody waited for the answer any more
 * counts as stalled.
 */
const PATIENT_MS = 8000
/** A worker blocks for at most 10 s (BullMQ's `maximumBlockTimeout`). */
const LONGEST_BLOCK_MS = 12_000
const LONGEST_RECONNECT_DELAY_MS = 1000
const CONNECT_TIMEOUT_MS = 2000

type Role = Pick<CommonRedisOptions, 'commandTimeout' | 'socketTimeout' | 'enableAutoPipelining'>

export class Connections {
  /** Stores new deliveries, and nothing else: WAIT holds it up. */
  readonly commands: Client
  /** Does for the worker what does not block, and what the operator asks. */
  readonly work: Client
  /** Small operations; those of one turn travel together. */
  readonly memory: Client
  readonly #address: Address
  readonly #clients = new Set<Client>()

  constructor(address: Address) {
    this.#address = address
    const prompt = { commandTimeout: STORE_TIMEOUT_MS, socketTimeout: SILENCE_MS }
    this.commands = this.#open(prompt)
    this.work = this.#open({ commandTimeout: PATIENT_MS, socketTimeout: PATIENT_MS })
    this.memory = this.#open({ ...prompt, enableAutoPipelining: true })
  }

  /** For one worker: a blocked connection can do nothing else. */
  openBlocking(): Client {
    return this.#open({ commandTimeout: LONGEST_BLOCK_MS, socketTimeout: LONGEST_BLOCK_MS })
  }

  /** Whatever is under way on it fails; it does not come back, even when its user tries to reconnect it. */
  close(client: Client): void {
    this.#clients.delete(client)
    client.disconnect()
  }

  closeAll(): void {
    for (const client of this.#clients) this.close(client)
  }

  #open(role: Role): Client {
    const client = createClient(this.#address, role)
    this.#clients.add(client)
    // Without a listener an EventEmitter throws; what matters of it is seen in `status` and in the commands that fail.
    client.on('error', () => {})
    // BullMQ reconnects a blocking connection that was cut under it.
    client.on('connecting', () => {
      if (!this.#clients.has(client)) client.disconnect()
    })
    return client
  }
}

/** Must be asked before every use: ioredis fails fast only once it has been connected (docs/facts/stores.md#redis-away). */
export function isReady(client: Client): boolean {
  return client.status === 'ready'
}

/** Resolves when it is ready, or after `timeoutMs`. */
export async function readyWithin(client: Client, timeoutMs: number): Promise<void> {
  if (isReady(client)) return
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, timeoutMs)
  client.once('ready', resolve)
  await promise
  clearTimeout(timer)
  client.off('ready', resolve)
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
    reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 1 : false),
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
        // The caller has given up after STORE_TIMEOUT_MS anyway.
        maxRedirections: 5,
        // A certificate names a host, not the address it resolves to.
        ...(tls ? { dnsLookup: (host, callback) => callback(null, host) } : {}),
      })
  }
}

function reconnectDelayMs(attempt: number): number {
  return Math.min(50 * 2 ** Math.min(attempt, 10), LONGEST_RECONNECT_DELAY_MS)
}
