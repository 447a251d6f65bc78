/** Stores new deliveries: all of one event-loop turn, route and priority become one job (docs/facts/stores.md#batches: a third of the cost for Redis). */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import { MAX_BATCH } from '../contract.ts'
import { callRedis, toUnavailableError } from './call-redis.ts'
import { masterOf, type Client } from './connection.ts'
import type { FreshDeliveries } from './fresh-deliveries.ts'
import { createBatch, jobOptions, orderOf } from './job.ts'
import type { Layouts } from './layouts.ts'
import type { MasterConditions } from './master-conditions.ts'
import type { ReplicaWaits } from './replica-waits.ts'
import type { ShardQueues } from './shard-queues.ts'
import type { Shard } from './shard.ts'
import { slotOf } from './slot.ts'

export interface WriterOptions {
  readonly client: Client
  readonly queues: ShardQueues
  readonly layouts: Layouts
  readonly conditions: MasterConditions
  readonly waits: ReplicaWaits
  readonly keyring: Keyring
  readonly fresh: FreshDeliveries
  /** A key that nothing depends on. */
  readonly probeKey: string
  readonly nowMs: () => number
  /** Something was stored that can be fetched after so long. */
  readonly onStored: (shard: Shard, delayMs: number) => void
}

/** A delivery that is to be stored. */
interface Pending {
  readonly delivery: Delivery
  readonly resolve: (order: number) => void
  readonly reject: (error: unknown) => void
}

const PROBE_LIFETIME_MS = 60_000

export class Writer {
  readonly #options: WriterOptions
  readonly #writes = new Set<Promise<unknown>>()
  #turn: Pending[] = []

  constructor(options: WriterOptions) {
    this.#options = options
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

  /** Writes something without worth, to learn whether a delivery could be stored now: where that failed, or anywhere if it failed nowhere. */
  async probe(): Promise<void> {
    const { client, conditions, probeKey } = this.#options
    const failed = [...conditions.failures].map(([master, { key }]) => [master, key] as const)
    const probed = failed.length > 0 ? failed : [['', probeKey] as const]
    await Promise.all(
      probed.map(async ([master, key]) => {
        await this.#write(key, slotOf(key), () => client.set(key, '', 'PX', PROBE_LIFETIME_MS))
        // It may have moved to another since.
        conditions.wrote(master)
      }),
    ).catch(() => {})
  }

  /** Resolves when all that was added so far is stored or refused. */
  async flushed(): Promise<void> {
    this.#flush()
    await Promise.all(this.#writes)
  }

  #flush(): void {
    const turn = this.#turn
    this.#turn = []
    const byShard = Map.groupBy(turn, ({ delivery }) => this.#options.layouts.shardOf(delivery))
    for (const [shard, ofShard] of byShard)
      for (const group of Map.groupBy(ofShard, ({ delivery }) => groupOf(delivery)).values())
        for (let start = 0; start < group.length; start += MAX_BATCH)
          this.#track(this.#storeBatch(shard, group.slice(start, start + MAX_BATCH)))
  }

  #track(write: Promise<void>): void {
    this.#writes.add(write)
    void write.finally(() => this.#writes.delete(write))
  }

  async #storeBatch(shard: Shard, batch: readonly Pending[]): Promise<void> {
    try {
      const jobId = await this.#store(
        shard,
        batch.map(({ delivery }) => delivery),
      )
      for (const [index, { resolve }] of batch.entries()) resolve(orderOf(jobId, index))
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  async #store(shard: Shard, deliveries: readonly Delivery[]): Promise<string> {
    const { client, queues, layouts, conditions, keyring, fresh, nowMs, onStored } = this.#options
    const master = masterOf(client, shard.slot)
    const refusal = conditions.refusalOf(master)
    if (refusal !== undefined) throw refusal
    conditions.use(master)
    const { route, priority, dueAtMs } = firstOf(deliveries)
    void layouts.register(route).catch(() => {})
    const record = createBatch(keyring, route, deliveries)
    const delay = dueAtMs === undefined ? 0 : Math.max(0, Math.ceil(dueAtMs - nowMs()))
    if (delay === 0) fresh.keep(record.sealed, deliveries)
    const options = { ...jobOptions(priority), ...(delay > 0 ? { delay } : {}) }
    const id = await this.#write(shard.id, shard.slot, () => queues.add(shard, layouts, record, options))
    onStored(shard, delay)
    return id
  }

  async #write<T>(key: string, slot: number, action: () => Promise<T>): Promise<T> {
    const { client, conditions, waits } = this.#options
    const master = masterOf(client, slot)
    try {
      const result = await callRedis(client, async () => {
        const written = await action()
        await waits.confirm(master, key)
        return written
      })
      conditions.wrote(master)
      return result
    } catch (error) {
      const failure = toUnavailableError(error)
      conditions.failed(master, { error: failure, key: probeKeyIn(key) })
      throw failure
    }
  }
}

/** A key of its own in the same slot. */
function probeKeyIn(key: string): string {
  return key.endsWith(':probe') ? key : `${key}:probe`
}

/** A delivery with a time of its own is a job of its own: in one job, deliveries that leave together would leave in the order in which they came. */
function groupOf({ priority, dueAtMs, id }: Delivery): string {
  return `${priority} ${dueAtMs === undefined ? '' : id}`
}

function firstOf(deliveries: readonly Delivery[]): Delivery {
  const [first] = deliveries
  if (first === undefined) throw new Error('a batch holds at least one delivery')
  return first
}
