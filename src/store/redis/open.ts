/** The store on Redis: BullMQ for deliveries, plain keys for the memory. It opens whether Redis is there or not. */
import { readFile } from 'node:fs/promises'
import type { Memory, Store, StoreHealth, StoreParts } from '../contract.ts'
import type { RedisSettings } from '../settings.ts'
import type { Arrival } from '../move.ts'
import { RedisArrival } from './arrival.ts'
import { Bell } from './bell.ts'
import { Connections, PATIENCE_MS, waitUntilReady } from './connection.ts'
import { Consumers } from './consumers.ts'
import { DeadLetters } from './dead-letters.ts'
import { FreshDeliveries } from './fresh-deliveries.ts'
import { Health } from './health.ts'
import { Layouts } from './layouts.ts'
import { MasterConditions } from './master-conditions.ts'
import { createMemory } from './memory.ts'
import { RedisQueue } from './queue.ts'
import { PATIENT_REPLICA_TIMEOUT_MS, ReplicaWaits } from './replica-waits.ts'
import { ReplicasInStep } from './replicas-in-step.ts'
import { DEFAULT_TIMINGS, ShardQueues, type Timings } from './shard-queues.ts'
import { gatewayKey, probeKeyOf } from './shard.ts'
import { Sweep } from './sweep.ts'
import { Writer } from './writer.ts'

export interface RedisStoreOptions
  extends StoreParts, Pick<RedisSettings, 'topology'>, Partial<Omit<RedisSettings, 'kind' | 'topology'>> {
  /** For tests only: how soon a process is taken to be dead. */
  readonly timings?: Timings | undefined
  /** For much that comes from another store; nobody else may use it then. */
  readonly isPatient?: boolean
}

const DEFAULT_PREFIX = 'hushgate'
/** A Redis that is there is connected within milliseconds; one that is away must not delay the start. */
const FIRST_CONNECTION_TIMEOUT_MS = 1000

/** Resolves as soon as Redis is connected, or soon without it: then nothing is writable until it comes. */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store & { readonly arrival: Arrival }> {
  const { topology, tls = false, caFile, username, password, isPatient = false } = options
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
  const store = new RedisStore(new Connections({ topology, tls, ca, username, password }, isPatient), options)
  await store.connected(isPatient ? PATIENCE_MS : FIRST_CONNECTION_TIMEOUT_MS)
  return store
}

class RedisStore implements Store {
  readonly queue: RedisQueue
  readonly memory: Memory
  readonly arrival: Arrival
  readonly #connections: Connections
  readonly #layouts: Layouts
  readonly #bell: Bell
  readonly #writer: Writer
  readonly #consumers: Consumers
  readonly #health: Health
  readonly #sweep: Sweep
  #closed: Promise<void> | undefined

  constructor(connections: Connections, options: RedisStoreOptions) {
    const { keyring, nowMs, onError, prefix = DEFAULT_PREFIX, shards = new Map(), timings = DEFAULT_TIMINGS } = options
    const { commands, work, memory } = connections
    const layouts = new Layouts({ client: work, prefix, shards, nowMs, lookEveryMs: timings.lookEveryMs })
    const queues = new ShardQueues(connections, nowMs)
    const bellChannel = gatewayKey(prefix, 'bell')
    const bell = new Bell(memory, bellChannel)
    const { replicaAcks = 0, requirePersistence = false, isPatient = false, onTime = () => {} } = options
    const replicas = new ReplicasInStep()
    const acksFor = (master: string): number =>
      replicaAcks === 'in-step' ? replicas.acksFor(master, performance.now()) : replicaAcks
    const waits = new ReplicaWaits(commands, acksFor, isPatient ? PATIENT_REPLICA_TIMEOUT_MS : undefined)
    const deadLetters = new DeadLetters({ connections, waits, layouts, keyring, nowMs })
    const fresh = new FreshDeliveries(nowMs)
    const common = { fresh, connections, layouts, queues, deadLetters, keyring, nowMs, onError, prefix }
    const consumers = new Consumers({ ...common, waits, bell, timings })
    const conditions = new MasterConditions()
    const probeKey = probeKeyOf(prefix)
    const writer = new Writer({
      ...common,
      client: commands,
      conditions,
      waits,
      probeKey,
      onStored: (shard, delayMs) => consumers.stored(shard, delayMs),
    })
    this.memory = createMemory(memory, layouts)
    this.arrival = new RedisArrival({ ...common, waits, bellChannel })
    this.queue = new RedisQueue({ ...common, memory: this.memory, writer, consumers })
    this.#connections = connections
    this.#layouts = layouts
    this.#bell = bell
    this.#writer = writer
    this.#consumers = consumers
    const toAsk = replicaAcks === 'in-step' ? replicas : undefined
    const checked = { commands, work, writer, conditions, replicas: toAsk, probeKey }
    this.#health = new Health({ ...checked, requirePersistence, onTime, onError })
    this.#sweep = new Sweep(common)
  }

  async connected(limitMs: number): Promise<void> {
    const { commands, work, memory } = this.#connections
    await Promise.all([commands, work, memory].map((client) => waitUntilReady(client, limitMs)))
    // Without it nothing is found that was stored before. If Redis is away, it is loaded when it comes.
    await Promise.all([this.#layouts.load().catch(() => {}), this.#health.check()])
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
    this.#bell.stop()
    this.#layouts.stop()
    this.#sweep.stop()
    await Promise.all([this.#consumers.stop(), this.#writer.flushed()])
    await this.#bell.flush()
    this.#connections.closeAll()
    await this.#sweep.ended
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
