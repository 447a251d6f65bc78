/** The queue of the Redis store: which part does what. */
import type { Delivery } from '../../core/delivery.ts'
import { Throttle } from '../../core/throttle.ts'
import { acceptInSteps } from '../accept-in-steps.ts'
import {
  type Accepted,
  type Consumer,
  type DeadLetter,
  type DeadLetterFilter,
  type DeliveryQueue,
  type Handler,
  type Memory,
  type NewDelivery,
  type QueueDepth,
  type Removed,
  type StoreParts,
  WARNING_INTERVAL_MS,
} from '../contract.ts'
import { callRedis, toUnavailableError } from './call-redis.ts'
import { isReady, type Connections } from './connection.ts'
import { RedisConsumer } from './consumer.ts'
import type { DeadLetters } from './dead-letters.ts'
import { Depth } from './depth.ts'
import { forgetDevice } from './forget.ts'
import type { RouteQueues, Timings } from './route-queues.ts'
import type { Writer } from './writer.ts'

export interface RedisQueueParts extends StoreParts {
  readonly connections: Connections
  readonly queues: RouteQueues
  readonly writer: Writer
  readonly deadLetters: DeadLetters
  readonly memory: Memory
  readonly timings: Timings
}

/** An operator's request may be about thousands of dead letters. */
const OPERATOR_TIMEOUT_MS = 30_000
/** All that a route has stored is read. The command waits 5 minutes for its answer (undici, `headersTimeout`). */
const FORGET_TIMEOUT_MS = 290_000

export class RedisQueue implements DeliveryQueue {
  readonly #parts: RedisQueueParts
  readonly #consumers = new Map<string, Consumer>()
  readonly #depths = new Map<string, Depth>()
  readonly #warnings = new Throttle(WARNING_INTERVAL_MS, () => performance.now())

  constructor(parts: RedisQueueParts) {
    this.#parts = parts
  }

  add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    return this.#parts.writer.add(deliveries)
  }

  accept(deliveries: readonly NewDelivery[]): Promise<readonly Accepted[]> {
    return acceptInSteps(this, this.#parts.memory, deliveries)
  }

  consume(route: string, concurrency: number, handler: Handler): Consumer {
    if (this.#consumers.has(route)) throw new Error(`${route} is consumed already`)
    const { connections, queues, deadLetters, keyring, timings, nowMs, onError } = this.#parts
    const blocking = connections.openBlocking()
    const consumer = new RedisConsumer({
      route,
      concurrency,
      handler,
      queue: queues.queueOf(route),
      worker: queues.createWorker(route, blocking, timings),
      lockMs: timings.lockMs,
      deadLetters,
      keyring,
      nowMs,
      onUnreadable: () =>
        this.#warn(
          `deliveries of ${route} cannot be opened: the key file lacks the key they were sealed with, or a newer Hushgate stored them`,
        ),
      onFetchFailed: (error) => {
        // When Redis is away, health.ts says so, once for all routes.
        if (isReady(connections.work))
          this.#warn(`deliveries of ${route} cannot be fetched: ${toUnavailableError(error).message}`)
      },
      // Only the name of the error: the message of a parser quotes what it could not parse.
      onBug: (error) => onError(`deliveries of ${route} are put off: ${error instanceof Error ? error.name : 'a bug'}`),
      disconnect: () => connections.close(blocking),
      onStopped: () => this.#consumers.delete(route),
    })
    this.#consumers.set(route, consumer)
    return consumer
  }

  depth(route: string): Promise<QueueDepth> {
    const { connections, queues, deadLetters, nowMs } = this.#parts
    let depth = this.#depths.get(route)
    if (depth === undefined) {
      const keys = { queueKeyPrefix: queues.keyPrefixOf(route), deadKey: deadLetters.countKeyOf(route) }
      depth = new Depth(connections.work, keys, nowMs)
      this.#depths.set(route, depth)
    }
    return depth.get()
  }

  listDead(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]> {
    return this.#callForOperator(() => this.#parts.deadLetters.list(filter, limit))
  }

  retryDead(filter: DeadLetterFilter, expiresAtMs: number): Promise<number> {
    return this.#callForOperator(() =>
      this.#parts.deadLetters.retry(filter, (deliveries) =>
        this.add(deliveries.map((delivery) => ({ ...delivery, expiresAtMs }))),
      ),
    )
  }

  dropDead(filter: DeadLetterFilter): Promise<number> {
    return this.#callForOperator(() => this.#parts.deadLetters.drop(filter))
  }

  forget(route: string, deviceHash: string): Promise<Removed> {
    const { connections, queues, deadLetters, keyring } = this.#parts
    const parts = { client: connections.work, queues, deadLetters, keyring }
    return callRedis(connections.work, () => forgetDevice(parts, route, deviceHash), FORGET_TIMEOUT_MS)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumer) => consumer.stop(0)))
  }

  #callForOperator<T>(call: () => Promise<T>): Promise<T> {
    return callRedis(this.#parts.connections.work, call, OPERATOR_TIMEOUT_MS)
  }

  #warn(message: string): void {
    if (this.#warnings.allows(message)) this.#parts.onError(message)
  }
}
