/** Takes what comes from another store. The ids of jobs are derived from those of the deliveries, so what comes twice is stored once. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Owner } from '../contract.ts'
import type { Arrival, MovedDeadLetter, MovedDelivery, MovedFact } from '../move.ts'
import { sealToBase64 } from './base64-envelope.ts'
import { callRedis } from './call-redis.ts'
import { masterOf, nodesOf, type Client, type Connections } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { createSingle, JOB_NAME, jobOptions, singleId } from './job.ts'
import type { Layouts } from './layouts.ts'
import type { ReplicaWaits } from './replica-waits.ts'
import { oldShardOf, type Shard } from './shard.ts'
import type { NewJob, ShardQueues } from './shard-queues.ts'

export interface RedisArrivalParts {
  readonly connections: Connections
  readonly queues: ShardQueues
  readonly layouts: Layouts
  readonly deadLetters: DeadLetters
  readonly waits: ReplicaWaits
  readonly keyring: Keyring
  readonly prefix: string
  /** Those who send subscribe to it. */
  readonly bellChannel: string
  readonly nowMs: () => number
}

/** For a page, which is some requests for each of its shards. One that is not answered ends sooner (PATIENCE_MS of connection.ts). */
const PAGE_TIMEOUT_MS = 300_000

export class RedisArrival implements Arrival {
  readonly #parts: RedisArrivalParts
  /** The connection that the waits are about. */
  readonly #client: Client
  #isLookedForFacts = false

  constructor(parts: RedisArrivalParts) {
    this.#parts = parts
    this.#client = parts.connections.commands
  }

  addDeliveries(moved: readonly MovedDelivery[]): Promise<void> {
    return this.#inEachShard(moved, async (shard, ofShard) => {
      const timestamp = Math.trunc(this.#parts.nowMs())
      const jobs = ofShard.map((each) => this.#jobOf(each))
      await this.#parts.queues
        .queueOf(shard)
        .addBulk(jobs.map(({ opts, ...job }) => ({ ...job, opts: { ...opts, timestamp } })))
    })
  }

  /** Its order stays: it is less than all that this store gives (shard-queues.ts). */
  #jobOf({ delivery, attempts, order }: MovedDelivery): NewJob {
    const { keyring, nowMs } = this.#parts
    const attempt = attempts + 1
    const item = { delivery, attempt, order, root: `moved-${delivery.id}` }
    const dueAtMs = delivery.dueAtMs ?? delivery.acceptedAtMs
    return {
      name: JOB_NAME,
      data: createSingle(keyring, item, attempt, dueAtMs),
      opts: {
        ...jobOptions(delivery.priority),
        jobId: singleId(item, attempt),
        delay: Math.max(0, Math.ceil(dueAtMs - nowMs())),
      },
    }
  }

  addDeadLetters(moved: readonly MovedDeadLetter[]): Promise<void> {
    const { deadLetters, keyring } = this.#parts
    return this.#inEachShard(moved, (shard, ofShard) =>
      deadLetters.restore(
        shard,
        ofShard.map(({ delivery, ...facts }) => ({
          ...facts,
          acceptedAtMs: delivery.acceptedAtMs,
          sealed: sealToBase64(keyring, shard.route, [delivery]),
        })),
      ),
    )
  }

  /** A key does not say of which route it is: they go where all routes look, for as long as such facts live. */
  addFacts(facts: readonly MovedFact[]): Promise<void> {
    const { layouts, prefix } = this.#parts
    const shard = oldShardOf(prefix, '')
    return this.#call(async () => {
      if (!this.#isLookedForFacts) await layouts.lookInOldShards()
      this.#isLookedForFacts = true
      await Promise.all(facts.map((fact) => this.#set(shard, fact)))
      await this.#confirm(shard)
    })
  }

  async getFact(owner: Owner, key: string): Promise<string | undefined> {
    const { memoryKeys } = this.#parts.layouts.factShardOf(owner)
    return (await this.#call(() => this.#client.get(memoryKeys + key))) ?? undefined
  }

  setFact(owner: Owner, fact: MovedFact): Promise<void> {
    const shard = this.#parts.layouts.factShardOf(owner)
    return this.#call(async () => {
      await this.#set(shard, fact)
      await this.#confirm(shard)
    })
  }

  countListeners(): Promise<number> {
    const { bellChannel } = this.#parts
    return this.#call(async () => {
      // A node of a Cluster counts only those who are connected to itself.
      const answers = await Promise.all(nodesOf(this.#client).map((node) => node.pubsub('NUMSUB', bellChannel)))
      return answers.reduce((sum, [, count]) => sum + Number(count), 0)
    })
  }

  async #set({ memoryKeys }: Shard, { key, value, expiresAtMs }: MovedFact): Promise<void> {
    const lifetimeMs = Math.max(1, Math.ceil(expiresAtMs - this.#parts.nowMs()))
    await this.#client.set(memoryKeys + key, value, 'PX', lifetimeMs)
  }

  #inEachShard<Moved extends { readonly delivery: Delivery }>(
    moved: readonly Moved[],
    store: (shard: Shard, ofShard: readonly Moved[]) => Promise<unknown>,
  ): Promise<void> {
    const { layouts } = this.#parts
    return this.#call(async () => {
      for (const route of new Set(moved.map(({ delivery }) => delivery.route))) await layouts.register(route)
      for (const [shard, ofShard] of Map.groupBy(moved, ({ delivery }) => layouts.shardOf(delivery))) {
        await store(shard, ofShard)
        await this.#confirm(shard)
      }
    })
  }

  #call<T>(action: () => Promise<T>): Promise<T> {
    return callRedis(this.#client, action, PAGE_TIMEOUT_MS)
  }

  #confirm({ id, slot }: Shard): Promise<void> {
    return this.#parts.waits.confirm(masterOf(this.#client, slot), id)
  }
}
