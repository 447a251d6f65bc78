/** The store on Redis: BullMQ for deliveries, plain keys for the memory. It opens whether Redis is there or not. */
import { readFile } from 'node:fs/promises'
import type { Memory, Store, StoreHealth, StoreParts } from '../contract.ts'
import type { RedisSettings } from '../settings.ts'
import { Connections, waitUntilReady } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import { Health } from './health.ts'
import { createMemory } from './memory.ts'
import { RedisQueue } from './queue.ts'
import { DEFAULT_TIMINGS, hashTagged, RouteQueues, type Timings } from './route-queues.ts'
import { Sweep } from './sweep.ts'
import { Writer } from './writer.ts'

export interface RedisStoreOptions
  extends StoreParts, Pick<RedisSettings, 'topology'>, Partial<Omit<RedisSettings, 'kind' | 'topology'>> {
  /** For tests only: how soon a process is taken to be dead. */
  readonly timings?: Timings | undefined
}

const DEFAULT_PREFIX = 'hushgate'
/** A Redis that is there is connected within milliseconds; one that is away must not delay the start. */
const FIRST_CONNECTION_TIMEOUT_MS = 1000

/** Resolves as soon as Redis is connected, or soon without it: then nothing is writable until it comes. */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const { topology, tls = false, caFile, username, password } = options
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
  const store = new RedisStore(new Connections({ topology, tls, ca, username, password }), options)
  await store.connected()
  return store
}

class RedisStore implements Store {
  readonly queue: RedisQueue
  readonly memory: Memory
  readonly #connections: Connections
  readonly #queues: RouteQueues
  readonly #writer: Writer
  readonly #health: Health
  readonly #sweep: Sweep
  #closed: Promise<void> | undefined

  constructor(connections: Connections, options: RedisStoreOptions) {
    const { keyring, nowMs, onError, replicaAcks = 0, requirePersistence = false, timings = DEFAULT_TIMINGS } = options
    const prefix = hashTagged(options.prefix ?? DEFAULT_PREFIX)
    const probeKey = `${prefix}:probe`
    const { commands, work } = connections
    const queues = new RouteQueues(connections, prefix)
    const writer = new Writer({ client: commands, queues, keyring, probeKey, replicaAcks, nowMs })
    const deadLetters = new DeadLetters(work, prefix, keyring, nowMs)
    this.memory = createMemory(connections.memory, prefix)
    const { memory } = this
    this.queue = new RedisQueue({ connections, queues, writer, deadLetters, memory, keyring, timings, nowMs, onError })
    this.#connections = connections
    this.#queues = queues
    this.#writer = writer
    this.#health = new Health({ commands, work, writer, probeKey, requirePersistence, onError })
    this.#sweep = new Sweep({ client: work, queues, deadLetters, keyring, prefix, nowMs })
  }

  async connected(): Promise<void> {
    const { commands, work, memory } = this.#connections
    await Promise.all([commands, work, memory].map((client) => waitUntilReady(client, FIRST_CONNECTION_TIMEOUT_MS)))
    await this.#health.check()
  }

  health(): StoreHealth {
    return this.#health.current()
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#health.stop()
    this.#sweep.stop()
    await Promise.all([this.queue.close(), this.#writer.flushed()])
    await this.#queues.close()
    this.#connections.closeAll()
    await this.#sweep.ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
