/** The queue of the SQLite store: seals what goes in, opens what comes out, and wakes the consumers. */
import type { Delivery } from '../../core/delivery.ts'
import { UnsealError } from '../../core/keyring.ts'
import { Throttle } from '../../core/throttle.ts'
import {
  type Consumer,
  type DeadLetter,
  type DeadLetterFilter,
  type DeliveryQueue,
  type Handler,
  type QueueDepth,
  type Removed,
  type StoreParts,
  WARNING_INTERVAL_MS,
} from '../contract.ts'
import { openDeliveries, sealDeliveries } from '../envelope.ts'
import { SqliteConsumer } from './consumer.ts'
import type { DatabaseThread } from './database-thread.ts'
import { forgetDevice } from './forget.ts'
import { type DueRow, type NewRow, PRIORITIES } from './operations.ts'
import { sweep } from './sweep.ts'

export class SqliteQueue implements DeliveryQueue {
  readonly #thread: DatabaseThread
  readonly #parts: StoreParts
  readonly #consumers = new Map<string, SqliteConsumer>()
  readonly #warnings = new Throttle(WARNING_INTERVAL_MS, () => performance.now())

  constructor(thread: DatabaseThread, parts: StoreParts) {
    this.#thread = thread
    this.#parts = parts
  }

  async add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    if (deliveries.length === 0) return []
    const rows = deliveries.map((delivery) => this.#rowOf(delivery))
    const orders = await this.#thread.runWithTimeLimit({ name: 'add', input: { rows } })
    for (const route of new Set(rows.map((row) => row.route))) this.#consumers.get(route)?.wake()
    return orders
  }

  #rowOf(delivery: Delivery): NewRow {
    const { route, priority, acceptedAtMs, dueAtMs = acceptedAtMs, expiresAtMs } = delivery
    return {
      route,
      priority: PRIORITIES.indexOf(priority),
      acceptedAtMs: Math.trunc(acceptedAtMs),
      dueAtMs: Math.ceil(dueAtMs),
      expiresAtMs: Math.trunc(expiresAtMs),
      // A copy of its own: a Buffer may be a view of a greater one, all of which would go to the thread.
      sealed: new Uint8Array(sealDeliveries(this.#parts.keyring, route, [delivery])),
    }
  }

  consume(route: string, concurrency: number, handler: Handler): Consumer {
    if (this.#consumers.has(route)) throw new Error(`${route} is consumed already`)
    const { nowMs, onError } = this.#parts
    const consumer = new SqliteConsumer({
      route,
      concurrency,
      handler,
      thread: this.#thread,
      nowMs,
      open: (row) => this.#open(route, row),
      onHandlerFailure: () => onError(`${route}: a handler of deliveries failed`),
      onStopped: () => this.#consumers.delete(route),
    })
    this.#consumers.set(route, consumer)
    return consumer
  }

  #open(route: string, { sealed, acceptedAtMs, expiresAtMs }: DueRow): Delivery | undefined {
    try {
      const [delivery] = openDeliveries(this.#parts.keyring, route, sealed)
      return delivery === undefined ? undefined : { ...delivery, acceptedAtMs, expiresAtMs }
    } catch (error) {
      const reason = error instanceof UnsealError ? error.message : 'it is damaged'
      if (this.#warnings.allows(route))
        this.#parts.onError(`${route}: a stored delivery cannot be read (${reason}); it is kept until it expires`)
      return undefined
    }
  }

  async depth(route: string): Promise<QueueDepth> {
    const nowMs = this.#parts.nowMs()
    const inFlight = this.#consumers.get(route)?.inFlight ?? []
    const stored = await this.#thread.runWithTimeLimit({ name: 'depth', input: { route, nowMs, inFlight } })
    const { waiting, delayed, dead, oldestDueAtMs = nowMs } = stored
    return { waiting, delayed, active: inFlight.length, dead, oldestAgeMs: Math.max(0, nowMs - oldestDueAtMs) }
  }

  listDead(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]> {
    return this.#thread.run({ name: 'listDead', input: { filter, limit, nowMs: this.#parts.nowMs() } })
  }

  async retryDead(filter: DeadLetterFilter, expiresAtMs: number): Promise<number> {
    const input = { filter, expiresAtMs, nowMs: this.#parts.nowMs() }
    const retried = await this.#thread.run({ name: 'retryDead', input })
    for (const consumer of this.#consumers.values()) consumer.wake()
    return retried
  }

  dropDead(filter: DeadLetterFilter): Promise<number> {
    return this.#thread.run({ name: 'dropDead', input: { filter, nowMs: this.#parts.nowMs() } })
  }

  forget(route: string, deviceHash: string): Promise<Removed> {
    return forgetDevice({ thread: this.#thread, keyring: this.#parts.keyring, route, deviceHash })
  }

  /** Resolves with true when there may be more to do. */
  sweep(): Promise<boolean> {
    const { keyring, nowMs } = this.#parts
    const inFlight = [...this.#consumers.values()].flatMap((consumer) => consumer.inFlight)
    return sweep({ thread: this.#thread, keyring, nowMs: nowMs(), inFlight })
  }

  /** Releases everything that is in flight. */
  async stop(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumer) => consumer.stop(0)))
  }
}
