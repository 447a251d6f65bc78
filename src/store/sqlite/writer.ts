/** Stores what comes in one turn of the event loop together, and hands it over to its consumers as soon as it is durable. */
import type { Delivery } from '../../core/delivery.ts'
import { forgetOldest } from '../../core/forget-oldest.ts'
import type { Accepted, NewDelivery } from '../contract.ts'
import { envelopeOf } from '../envelope.ts'
import type { DatabaseThread } from './database-thread.ts'
import { NewRowsWriter, type NewRow } from './new-rows.ts'
import { PRIORITIES, type Input, type Output } from './operations.ts'

/** A delivery that has just been stored. */
export interface Stored {
  readonly delivery: Delivery
  readonly order: number
  /** Its event belongs to it. */
  readonly isClaimed: boolean
  /** Keys of the memory that it raised. */
  readonly raises: readonly string[]
}

export interface WriterParts {
  readonly thread: DatabaseThread
  readonly nowMs: () => number
  readonly onStored: (stored: Stored) => void
}

/** What is stored in one turn of the event loop. */
interface Turn {
  readonly rows: NewRowsWriter
  readonly deliveries: NewDelivery[]
  readonly results: Promise<Output<'add'>>
}

/** Deliveries of one turn that leave without waiting for its end. Fewer would be more commits, which cost more than what is in them. */
const ENOUGH_FOR_MESSAGE = 48
/** Of so many keys the last order is known here; for others the memory is asked. */
const MAX_KNOWN_ORDERS = 10_000

export class Writer {
  readonly #parts: WriterParts
  readonly #lastOrders = new Map<string, number>()
  #turn: Turn | undefined

  constructor(parts: WriterParts) {
    this.#parts = parts
  }

  /** Rejects with StoreUnavailableError when not all are durable in time. What is stored later all the same is found in the database. */
  async accept(deliveries: readonly NewDelivery[]): Promise<readonly Accepted[]> {
    if (deliveries.length === 0) return []
    const turn = (this.#turn ??= this.#openTurn())
    const start = turn.deliveries.length
    for (const each of deliveries) {
      turn.rows.append(this.#rowOf(each))
      turn.deliveries.push(each)
    }
    // The database works side by side with us, also where one turn of the event loop brings hundreds.
    if (turn.deliveries.length >= ENOUGH_FOR_MESSAGE) this.#parts.thread.endTurn()
    const results = await turn.results
    return results.slice(start, start + deliveries.length).map((result) => {
      if (result === null) return { isRefused: true }
      return typeof result === 'number' ? { order: result } : { found: result }
    })
  }

  /** The order of the last delivery that raised a key; undefined when it is not known here. */
  lastOrderOf(key: string): number | undefined {
    return this.#lastOrders.get(key)
  }

  #openTurn(): Turn {
    const { thread, nowMs } = this.#parts
    const rows = new NewRowsWriter()
    const results = thread.collect('add', () => this.#closeTurn(rows, nowMs()), {
      hasTimeLimit: true,
      isUrgent: true,
    })
    const turn: Turn = { rows, deliveries: [], results }
    // Whoever waits for a delivery of it is told of a failure.
    results.then((orders) => this.#onStored(turn, orders)).catch(() => {})
    return turn
  }

  #closeTurn({ texts, numbers }: NewRowsWriter, nowMs: number): Input<'add'> {
    this.#turn = undefined
    return { rows: { texts, numbers }, nowMs }
  }

  #onStored({ deliveries }: Turn, results: Output<'add'>): void {
    const stored = deliveries.flatMap((each, index) => {
      const order = results[index]
      return typeof order === 'number' ? { ...each, order } : []
    })
    // All of them, before the first is handed over: one may be overtaken by another.
    for (const { raises, order } of stored) for (const key of raises) this.#raise(key, order)
    // The homeservers have their answers first.
    process.nextTick(() => {
      for (const { delivery, order, claims, unless, raises } of stored)
        this.#parts.onStored({ delivery, order, raises, isClaimed: unless.length > 0 || claims !== undefined })
    })
  }

  #raise(key: string, order: number): void {
    this.#lastOrders.delete(key)
    this.#lastOrders.set(key, order)
    forgetOldest(this.#lastOrders, MAX_KNOWN_ORDERS)
  }

  #rowOf({ delivery, unless, requires, claims, raises, lifetimeMs }: NewDelivery): NewRow {
    const { id, route, priority, acceptedAtMs, dueAtMs = acceptedAtMs, expiresAtMs } = delivery
    return {
      id,
      route,
      priority: PRIORITIES.indexOf(priority),
      acceptedAtMs: Math.trunc(acceptedAtMs),
      dueAtMs: Math.ceil(dueAtMs),
      expiresAtMs: Math.trunc(expiresAtMs),
      envelope: envelopeOf([delivery]),
      unless,
      requires,
      claims,
      raises,
      lifetimeMs,
    }
  }
}
