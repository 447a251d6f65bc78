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
import { SqliteConsumption } from './consumption.ts'
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
    for (const app of new Set(rows.map((row) => row.app))) this.#consumptions.get(app)?.wake()
    return orders
  }

  #rowOf(delivery: Delivery): NewRow {
    const { app, priority, acceptedAtMs, dueAtMs = acceptedAtMs, expiresAtMs } = delivery
    return {
      app,
      priority: PRIORITIES.indexOf(priority),
      acceptedAtMs: Math.trunc(acceptedAtMs),
      dueAtMs: Math.ceil(dueAtMs),
      expiresAtMs: Math.trunc(expiresAtMs),
      // A copy of its own: a Buffer may be a view of a greater one, all of which would go to the thread.
      sealed: new Uint8Array(sealDeliveries(this.#keyring, app, [delivery])),
    }
  }

  consume(app: string, concurrency: number, handler: Handler): Consumption {
    if (this.#consumptions.has(app)) throw new Error(`${app} is consumed already`)
    const consumption = new SqliteConsumption({
      app,
      concurrency,
      handler,
      thread: this.#thread,
      nowMs: this.#nowMs,
      read: (row) => this.#read(app, row),
      onHandlerFailure: () => this.#onError(`${app}: a handler of deliveries failed`),
      onStopped: () => this.#consumptions.delete(app),
    })
    this.#consumptions.set(app, consumption)
    return consumption
  }

  #read(app: string, { sealed, acceptedAtMs, expiresAtMs }: DueRow): Delivery | undefined {
    try {
      const [delivery] = openDeliveries(this.#keyring, app, sealed)
      return delivery === undefined ? undefined : { ...delivery, acceptedAtMs, expiresAtMs }
    } catch (error) {
      this.#tellUnreadable(app, error)
      return undefined
    }
  }

  #tellUnreadable(app: string, error: unknown): void {
    const nowMs = this.#nowMs()
    if (nowMs - (this.#toldAtMs.get(app) ?? -Infinity) < TELL_EVERY_MS) return
    this.#toldAtMs.set(app, nowMs)
    const reason = error instanceof UnsealError ? error.message : 'it is damaged'
    this.#onError(`${app}: a stored delivery cannot be read (${reason}); it is kept until it expires`)
  }

  async depth(app: string): Promise<QueueDepth> {
    const nowMs = this.#nowMs()
    const active = this.#consumptions.get(app)?.inFlight ?? []
    const stored = await this.#thread.ask({ name: 'depth', input: { app, nowMs, except: active } })
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

  forget(app: string, device: string): Promise<Removed> {
    return forgetDevice({ thread: this.#thread, keyring: this.#keyring }, app, device)
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
