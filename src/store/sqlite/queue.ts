/** The queue's side of the SQLite store: seals what goes in, opens what comes out, and wakes whoever waits for it. */
import type { Delivery } from '../../core/delivery.ts'
import { UnsealError, type Keyring } from '../../core/keyring.ts'
import type {
  Consumption,
  DeadLetter,
  DeadLetterFilter,
  DeliveryQueue,
  Handler,
  QueueDepth,
  Removed,
} from '../contract.ts'
import { openDeliveries, sealDeliveries } from '../envelope.ts'
import { SqliteConsumption } from './consumer.ts'
import type { DatabaseThread } from './database-thread.ts'
import { forgetDevice } from './forget.ts'
import { type DueRow, type NewRow, PRIORITIES } from './operations.ts'
import { sweep } from './sweep.ts'

const TELL_EVERY_MS = 60_000

export class SqliteQueue implements DeliveryQueue {
  readonly #thread: DatabaseThread
  readonly #keyring: Keyring
  readonly #nowMs: () => number
  readonly #onError: (message: string) => void
  readonly #consumptions = new Map<string, SqliteConsumption>()
  readonly #toldAtMs = new Map<string, number>()

  constructor(thread: DatabaseThread, keyring: Keyring, nowMs: () => number, onError: (message: string) => void) {
    this.#thread = thread
    this.#keyring = keyring
    this.#nowMs = nowMs
    this.#onError = onError
  }

  async add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    if (deliveries.length === 0) return []
    const rows = deliveries.map((delivery) => this.#rowOf(delivery))
    const orders = await this.#thread.ask({ name: 'add', input: { rows } })
    for (const route of new Set(rows.map((row) => row.route))) this.#consumptions.get(route)?.wake()
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
      sealed: new Uint8Array(sealDeliveries(this.#keyring, route, [delivery])),
    }
  }

  consume(route: string, concurrency: number, handler: Handler): Consumption {
    if (this.#consumptions.has(route)) throw new Error(`${route} is consumed already`)
    const consumption = new SqliteConsumption({
      route,
      concurrency,
      handler,
      thread: this.#thread,
      nowMs: this.#nowMs,
      read: (row) => this.#read(route, row),
      onHandlerFailure: () => this.#onError(`${route}: a handler of deliveries failed`),
      onStopped: () => this.#consumptions.delete(route),
    })
    this.#consumptions.set(route, consumption)
    return consumption
  }

  #read(route: string, { sealed, acceptedAtMs, expiresAtMs }: DueRow): Delivery | undefined {
    try {
      const [delivery] = openDeliveries(this.#keyring, route, sealed)
      return delivery === undefined ? undefined : { ...delivery, acceptedAtMs, expiresAtMs }
    } catch (error) {
      this.#tellUnreadable(route, error)
      return undefined
    }
  }

  #tellUnreadable(route: string, error: unknown): void {
    const nowMs = this.#nowMs()
    if (nowMs - (this.#toldAtMs.get(route) ?? -Infinity) < TELL_EVERY_MS) return
    this.#toldAtMs.set(route, nowMs)
    const reason = error instanceof UnsealError ? error.message : 'it is damaged'
    this.#onError(`${route}: a stored delivery cannot be read (${reason}); it is kept until it expires`)
  }

  async depth(route: string): Promise<QueueDepth> {
    const nowMs = this.#nowMs()
    const active = this.#consumptions.get(route)?.inFlight ?? []
    const stored = await this.#thread.ask({ name: 'depth', input: { route, nowMs, except: active } })
    const { waiting, delayed, dead, oldestDueAtMs = nowMs } = stored
    return { waiting, delayed, active: active.length, dead, oldestAgeMs: Math.max(0, nowMs - oldestDueAtMs) }
  }

  listDead(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]> {
    return this.#thread.askPatiently({ name: 'listDead', input: { filter, limit, nowMs: this.#nowMs() } })
  }

  async retryDead(filter: DeadLetterFilter, expiresAtMs: number): Promise<number> {
    const retried = await this.#thread.askPatiently({
      name: 'retryDead',
      input: { filter, expiresAtMs, nowMs: this.#nowMs() },
    })
    for (const consumption of this.#consumptions.values()) consumption.wake()
    return retried
  }

  dropDead(filter: DeadLetterFilter): Promise<number> {
    return this.#thread.askPatiently({ name: 'dropDead', input: { filter, nowMs: this.#nowMs() } })
  }

  forget(route: string, deviceHash: string): Promise<Removed> {
    return forgetDevice({ thread: this.#thread, keyring: this.#keyring }, route, deviceHash)
  }

  /** Resolves with true when there may be more to clear away. */
  sweep(): Promise<boolean> {
    const except = [...this.#consumptions.values()].flatMap(({ inFlight }) => inFlight)
    return sweep({ thread: this.#thread, keyring: this.#keyring, nowMs: this.#nowMs(), except })
  }

  /** Gives back everything that is in flight. */
  async stop(): Promise<void> {
    await Promise.all([...this.#consumptions.values()].map((consumption) => consumption.stop(0)))
  }
}
