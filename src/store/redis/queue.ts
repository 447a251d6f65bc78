/** The queue on Redis: which part does what. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type {
  Consumption,
  DeadLetter,
  DeadLetterFilter,
  DeliveryQueue,
  Handler,
  QueueDepth,
  Removed,
} from '../contract.ts'
import type { RouteQueues, Timings } from './route-queues.ts'
import { isReady, type Connections } from './connection.ts'
import { RedisConsumption } from './consumer.ts'
import type { DeadLetters } from './dead-letters.ts'
import { Depth } from './depth.ts'
import { forgetDevice } from './forget.ts'
import { promptly, unavailable } from './call-redis.ts'
import type { Writer } from './writer.ts'

export interface RedisQueueOptions {
  readonly connections: Connections
  readonly queues: RouteQueues
  readonly writer: Writer
  readonly deadLetters: DeadLetters
  readonly keyring: Keyring
  readonly timings: Timings
  readonly nowMs: () => number
  readonly onError: (message: string) => void
}

/** An operator's question over thousands of dead letters takes its time. */
const OPERATOR_TIMEOUT_MS = 30_000
/** All that a route has stored is read; the command waits for its answer for 5 minutes (undici, `headersTimeout`). */
const FORGET_TIMEOUT_MS = 290_000
/** What goes on and on is told once in so long. */
const TOLD_EVERY_MS = 60_000

export class RedisQueue implements DeliveryQueue {
  readonly #options: RedisQueueOptions
  readonly #consumptions = new Map<string, Consumption>()
  readonly #depths = new Map<string, Depth>()
  readonly #toldAtMs = new Map<string, number>()

  constructor(options: RedisQueueOptions) {
    this.#options = options
  }

  add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    return this.#options.writer.add(deliveries)
  }

  consume(route: string, concurrency: number, handler: Handler): Consumption {
    if (this.#consumptions.has(route)) throw new Error(`the deliveries of ${route} are being consumed already`)
    const { connections, queues, deadLetters, keyring, timings, nowMs, onError } = this.#options
    const blocking = connections.openBlocking()
    const running = new RedisConsumption({
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
        this.#tell(
          `deliveries of ${route} cannot be opened: the key file lacks the key they were sealed with, or a newer Hushgate stored them`,
        ),
      onFetchFailed: (error) => {
        // That Redis is away is told by health.ts, once for all apps.
        if (isReady(connections.work))
          this.#tell(`deliveries of ${route} cannot be fetched: ${unavailable(error).message}`)
      },
      // Only its name: the message of a parser quotes what it could not parse.
      onBug: (error) => onError(`deliveries of ${route} are put off: ${error instanceof Error ? error.name : 'a bug'}`),
      disconnect: () => connections.close(blocking),
    })
    const consumption: Consumption = {
      setGate: (state) => running.setGate(state),
      stop: async (graceMs) => {
        await running.stop(graceMs)
        if (this.#consumptions.get(route) === consumption) this.#consumptions.delete(route)
      },
    }
    this.#consumptions.set(route, consumption)
    return consumption
  }

  depth(route: string): Promise<QueueDepth> {
    const { connections, queues, deadLetters, nowMs } = this.#options
    let depth = this.#depths.get(route)
    if (depth === undefined) {
      const keys = { queueKeyPrefix: queues.keyPrefixOf(route), deadKey: deadLetters.countKeyOf(route) }
      depth = new Depth(connections.work, keys, nowMs)
      this.#depths.set(route, depth)
    }
    return depth.get()
  }

  listDead(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]> {
    return this.#asked(() => this.#options.deadLetters.list(filter, limit))
  }

  retryDead(filter: DeadLetterFilter, expiresAtMs: number): Promise<number> {
    return this.#asked(() =>
      this.#options.deadLetters.retry(filter, (deliveries) =>
        this.add(deliveries.map((delivery) => ({ ...delivery, expiresAtMs }))),
      ),
    )
  }

  dropDead(filter: DeadLetterFilter): Promise<number> {
    return this.#asked(() => this.#options.deadLetters.drop(filter))
  }

  forget(route: string, deviceHash: string): Promise<Removed> {
    const { connections, queues, deadLetters, keyring } = this.#options
    const { work: client } = connections
    return promptly(
      client,
      () => forgetDevice({ client, queues, deadLetters, keyring }, route, deviceHash),
      FORGET_TIMEOUT_MS,
    )
  }

  async close(): Promise<void> {
    await Promise.all([...this.#consumptions.values()].map((consumption) => consumption.stop(0)))
  }

  #asked<T>(question: () => Promise<T>): Promise<T> {
    return promptly(this.#options.connections.work, question, OPERATOR_TIMEOUT_MS)
  }

  #tell(message: string): void {
    const nowMs = performance.now()
    if (nowMs - (this.#toldAtMs.get(message) ?? -Infinity) < TOLD_EVERY_MS) return
    this.#toldAtMs.set(message, nowMs)
    this.#options.onError(message)
  }
}
