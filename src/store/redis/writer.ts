/** Stores new deliveries: all of one event-loop turn, route and priority become one job (docs/facts/stores.md#batches: a third of the cost for Redis). */
import type { Delivery } from '../../core/delivery.ts'
import { StoreUnavailableError } from '../../core/errors.ts'
import type { Keyring } from '../../core/keyring.ts'
import { MAX_BATCH } from '../contract.ts'
import { callRedis, toUnavailableError } from './call-redis.ts'
import type { Client } from './connection.ts'
import { createBatch, JOB_NAME, jobOptions, orderOf } from './job.ts'
import type { RouteQueues } from './route-queues.ts'

export interface WriterOptions {
  readonly client: Client
  readonly queues: RouteQueues
  readonly keyring: Keyring
  /** Any key of the store: tells a Redis Cluster which node is meant. */
  readonly probeKey: string
  /** How many replicas must have a delivery before it counts as stored. */
  readonly replicaAcks: number
  readonly nowMs: () => number
}

/** A delivery that is to be stored. */
interface Pending {
  readonly delivery: Delivery
  readonly resolve: (order: number) => void
  readonly reject: (error: unknown) => void
}

/** Twice this is less than STORE_TIMEOUT_MS: Redis serves a connection again only when the WAIT before is over. */
const REPLICA_TIMEOUT_MS = 400
const PROBE_LIFETIME_MS = 60_000

export class Writer {
  readonly #options: WriterOptions
  readonly #writes = new Set<Promise<unknown>>()
  #turn: Pending[] = []
  #lastFailure: StoreUnavailableError | undefined
  /** The WAIT that was sent last. The next one is for all writes since. */
  #wait: Promise<void> = Promise.resolve()
  #nextWait: Promise<void> | undefined

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /** Why the last write failed; undefined when it succeeded. */
  get lastFailure(): StoreUnavailableError | undefined {
    return this.#lastFailure
  }

  async add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    return Promise.all(
      deliveries.map(
        (delivery) =>
          new Promise<number>((resolve, reject) => {
            if (this.#turn.length === 0) setImmediate(() => this.#flush())
            this.#turn.push({ delivery, resolve, reject })
          }),
      ),
    )
  }

  /** Writes something without worth, to learn whether a delivery could be stored now. */
  async probe(): Promise<void> {
    const { client, probeKey } = this.#options
    await this.#write(() => client.set(probeKey, '', 'PX', PROBE_LIFETIME_MS)).catch(() => {})
  }

  /** Resolves when all that was added so far is stored or refused. */
  async flushed(): Promise<void> {
    this.#flush()
    await Promise.all(this.#writes)
  }

  #flush(): void {
    const turn = this.#turn
    this.#turn = []
    const groups = Map.groupBy(turn, ({ delivery }) => groupOf(delivery))
    for (const group of groups.values())
      for (let start = 0; start < group.length; start += MAX_BATCH)
        this.#track(this.#storeBatch(group.slice(start, start + MAX_BATCH)))
  }

  #track(write: Promise<void>): void {
    this.#writes.add(write)
    void write.finally(() => this.#writes.delete(write))
  }

  async #storeBatch(batch: readonly Pending[]): Promise<void> {
    try {
      const jobId = await this.#store(batch.map(({ delivery }) => delivery))
      for (const [index, { resolve }] of batch.entries()) resolve(orderOf(jobId, index))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  async #store(deliveries: readonly Delivery[]): Promise<string> {
    const { queues, keyring, nowMs } = this.#options
    const { route, priority, dueAtMs } = firstOf(deliveries)
    const record = createBatch(keyring, route, deliveries)
    const delay = dueAtMs === undefined ? {} : { delay: Math.max(0, Math.ceil(dueAtMs - nowMs())) }
    const options = { ...jobOptions(priority), ...delay }
    const { id } = await this.#write(() => queues.queueOf(route).add(JOB_NAME, record, options))
    if (id === undefined) throw new StoreUnavailableError('Redis gave a job no id')
    return id
  }

  async #write<T>(action: () => Promise<T>): Promise<T> {
    try {
      const result = await callRedis(this.#options.client, async () => {
        const written = await action()
        await this.#waitForReplicas()
        return written
      })
      this.#lastFailure = undefined
      return result
    } catch (error) {
      this.#lastFailure = toUnavailableError(error)
      throw this.#lastFailure
    }
  }

  #waitForReplicas(): Promise<void> {
    if (this.#options.replicaAcks === 0) return Promise.resolve()
    this.#nextWait ??= this.#wait
      .catch(() => {})
      .then(() => {
        this.#nextWait = undefined
        this.#wait = this.#sendWait()
        return this.#wait
      })
    return this.#nextWait
  }

  /** WAIT is about the writes of its own connection. In a Redis Cluster the pipeline goes to the node of its key. */
  async #sendWait(): Promise<void> {
    const { client, replicaAcks, probeKey } = this.#options
    const replies = await client.pipeline().exists(probeKey).wait(replicaAcks, REPLICA_TIMEOUT_MS).exec()
    const [error, replicas] = replies?.[1] ?? []
    if (error instanceof Error) throw error
    if (typeof replicas !== 'number' || replicas < replicaAcks)
      throw new StoreUnavailableError('too few replicas of Redis confirmed the write')
  }
}

/** A delivery with a time of its own is a job of its own: in one job, deliveries that leave together would leave in the order in which they came. */
function groupOf({ route, priority, dueAtMs, id }: Delivery): string {
  return `${priority} ${route} ${dueAtMs === undefined ? '' : id}`
}

function firstOf(deliveries: readonly Delivery[]): Delivery {
  const [first] = deliveries
  if (first === undefined) throw new Error('a batch holds at least one delivery')
  return first
}
