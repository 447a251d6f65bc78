/** The queue of the Redis store: which part does what. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import { acceptInSteps } from '../accept-in-steps.ts'
import type {
  Accepted,
  Consumer,
  DeadLetter,
  DeadLetterFilter,
  DeliveryQueue,
  Handler,
  Held,
  Memory,
  NewDelivery,
  QueueDepth,
  Removed,
  Revival,
} from '../contract.ts'
import { callRedis } from './call-redis.ts'
import type { Connections } from './connection.ts'
import type { Consumers } from './consumers.ts'
import type { DeadLetters } from './dead-letters.ts'
import { Depths } from './depth.ts'
import type { FreshDeliveries } from './fresh-deliveries.ts'
import { forgetDevice, searchDevices } from './forget.ts'
import type { Layouts } from './layouts.ts'
import type { ShardQueues } from './shard-queues.ts'
import type { Writer } from './writer.ts'

export interface RedisQueueParts {
  readonly connections: Connections
  readonly queues: ShardQueues
  readonly layouts: Layouts
  readonly writer: Writer
  readonly consumers: Consumers
  readonly deadLetters: DeadLetters
  readonly memory: Memory
  readonly fresh: FreshDeliveries
  readonly keyring: Keyring
  readonly nowMs: () => number
}

/** An operator's request may be about thousands of dead letters. */
const OPERATOR_TIMEOUT_MS = 30_000
/** All that a shard has stored is read. The command waits 5 minutes for its answer (undici, `headersTimeout`). */
const FORGET_TIMEOUT_MS = 290_000

export class RedisQueue implements DeliveryQueue {
  readonly #parts: RedisQueueParts
  readonly #depths: Depths

  constructor(parts: RedisQueueParts) {
    this.#parts = parts
    const { connections, layouts, nowMs } = parts
    this.#depths = new Depths({ client: connections.memory, layouts, nowMs })
  }

  add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    return this.#parts.writer.add(deliveries)
  }

  async accept(deliveries: readonly NewDelivery[]): Promise<readonly Accepted[]> {
    const { memory, fresh } = this.#parts
    const settles = new Map(deliveries.map(({ delivery: { id } }) => [id, fresh.begin(id)]))
    try {
      return await acceptInSteps(this, memory, deliveries, ({ id }) => settles.get(id)?.(true))
    } finally {
      for (const settle of settles.values()) settle(false)
    }
  }

  consume(route: string, concurrency: number, handler: Handler): Consumer {
    return this.#parts.consumers.consume(route, concurrency, handler)
  }

  depth(route: string): Promise<QueueDepth> {
    return this.#depths.get(route)
  }

  listDead(
    filter: DeadLetterFilter,
    limit: number,
    { withDevices } = { withDevices: false },
  ): Promise<readonly DeadLetter[]> {
    return this.#callForOperator(() => this.#parts.deadLetters.list(filter, limit, withDevices))
  }

  retryDead(filter: DeadLetterFilter, { expiresAtMs, callMaxAgeMs }: Revival): Promise<number> {
    const expiryOf = ({ priority, acceptedAtMs }: Delivery): number =>
      priority === 'call' ? acceptedAtMs + callMaxAgeMs : expiresAtMs
    return this.#callForOperator(() =>
      this.#parts.deadLetters.retry(
        filter,
        (delivery) => delivery.priority !== 'call' || expiryOf(delivery) > this.#parts.nowMs(),
        (deliveries) => this.add(deliveries.map((delivery) => ({ ...delivery, expiresAtMs: expiryOf(delivery) }))),
      ),
    )
  }

  dropDead(filter: DeadLetterFilter): Promise<number> {
    return this.#callForOperator(() => this.#parts.deadLetters.drop(filter))
  }

  forget(route: string, deviceHash: string): Promise<Removed> {
    const { connections, queues, layouts, deadLetters, keyring } = this.#parts
    const parts = { client: connections.work, queues, deadLetters, keyring }
    const owner = { route, deviceHash }
    const forget = async (): Promise<Removed> => {
      if (!layouts.isLoaded) await layouts.load()
      return forgetDevice(parts, [layouts.shardOf(owner), ...layouts.formerShardsOf(owner)], deviceHash)
    }
    return callRedis(connections.work, forget, FORGET_TIMEOUT_MS)
  }

  search(route: string, hashStart: string): Promise<Held> {
    const { connections, queues, layouts, deadLetters, keyring } = this.#parts
    const parts = { client: connections.work, queues, deadLetters, keyring }
    const search = async (): Promise<Held> => {
      if (!layouts.isLoaded) await layouts.load()
      return searchDevices(parts, layouts.allShardsOf(route), hashStart)
    }
    return callRedis(connections.work, search, FORGET_TIMEOUT_MS)
  }

  #callForOperator<T>(call: () => Promise<T>): Promise<T> {
    return callRedis(this.#parts.connections.work, call, OPERATOR_TIMEOUT_MS)
  }
}
