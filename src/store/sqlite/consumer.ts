/**
 * The consumer of one route. What has just been stored is handed over to it from memory; the database is read for what was there before a start, for what is
 * due later, and for what memory had no room for. Only this process knows what is in flight. So handing out writes nothing, and after a crash everything is
 * there again.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Alarm } from '../../core/alarm.ts'
import type { Delivery } from '../../core/delivery.ts'
import { waitAtMost } from '../../core/time-limit.ts'
import {
  HANDLER_FAILURE_DELAY_MS,
  type Consumer,
  type Disposition,
  type Fresh,
  type GateState,
  type HandedOut,
  type Handler,
} from '../contract.ts'
import { Parked } from '../parked.ts'
import type { DatabaseThread } from './database-thread.ts'
import { HandedOver } from './handed-over.ts'
import type { DueRow, Output, RowDisposition } from './operations.ts'
import { unreadableRow } from './row-disposition.ts'
import type { Stored } from './writer.ts'

/** A delivery may have become due without a sign of it: it was refused because its time limit was over, and was stored later; or the clock was set. */
const LONGEST_SLEEP_MS = 5000
/** After a failure of the store, until it is asked again. */
const PAUSE_MS = 1000
const RELEASED_AT_ONCE = 500
/** Deliveries that are kept while the database is read, which takes some milliseconds. */
const MAX_MEANWHILE = 1000

export interface ConsumerOptions {
  readonly route: string
  readonly concurrency: number
  readonly handler: Handler
  readonly thread: DatabaseThread
  readonly nowMs: () => number
  /** Undefined when it cannot be opened. */
  readonly open: (row: DueRow) => Delivery | undefined
  /** Undefined when the memory has to be asked. */
  readonly freshnessOf: (stored: Stored) => Fresh | undefined
  /** Resolves when the row is removed. */
  readonly acknowledge: (order: number) => Promise<void>
  /** A handler rejected, or returned no disposition: a bug. */
  readonly onHandlerFailure: () => void
  readonly onStopped: () => void
}

export class SqliteConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #inFlight = new Set<number>()
  readonly #handedOver = new HandedOver()
  /** The database holds deliveries that are due and not here. Until they are here nothing is handed over, as it would overtake them. */
  #isBehind = true
  /** The database may hold something that has become due. */
  #isDue = false
  #isReading = false
  /** What was stored while the database is read; undefined when that is more than memory has room for. */
  #storedMeanwhile: Stored[] | undefined
  readonly #abort = new AbortController()
  readonly #parked = new Parked<number>()
  #gate: GateState = 'open'
  #isWaking = false
  /** When it looks into the database, if not before. */
  readonly #alarm: Alarm
  #stopped: Promise<void> | undefined
  readonly #idle = Promise.withResolvers<void>()

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.nowMs, () => {
      this.#isDue = true
      this.#wake()
    })
    this.#wake()
  }

  /** The orders of the deliveries that are handed out. */
  get inFlight(): readonly number[] {
    return [...this.#inFlight]
  }

  /** Also of those that wait here for a free slot. */
  get held(): readonly number[] {
    return [...this.#inFlight, ...this.#handedOver.orders]
  }

  setGate(state: GateState): void {
    this.#gate = state
    // A probe is one delivery: the first in the database. And what was held is there.
    this.#leaveToDatabase()
    this.#wake()
  }

  /** It has just become durable. Without effect where it was read from the database meanwhile. */
  handOver(stored: Stored): void {
    if (this.#holds(stored.order)) return
    const { dueAtMs = 0 } = stored.delivery
    if (dueAtMs > this.#options.nowMs()) return this.#lookAt(dueAtMs)
    if (this.#gate !== 'open' || this.#handedOver.isFull) this.#isBehind = true
    if (!this.#isBehind) this.#handedOver.push(stored)
    else if (this.#isReading) this.#keepMeanwhile(stored)
    this.#wake()
  }

  release(group?: string): void {
    void this.#release(this.#parked.take(group))
  }

  /** The database may hold something that is due and was not handed over. */
  readAgain(): void {
    this.#leaveToDatabase()
    this.#wake()
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    this.#gate = 'closed'
    this.#leaveToDatabase()
    this.#alarm.clear()
    if (this.#inFlight.size > 0) await waitAtMost(graceMs, this.#idle.promise)
    if (this.#inFlight.size > 0) this.#abort.abort()
    this.#inFlight.clear()
    this.#options.onStopped()
  }

  /** Step by step, so that nobody else waits long. What cannot be released now leaves at its time. */
  async #release(orders: readonly number[]): Promise<void> {
    const { thread, nowMs } = this.#options
    for (let start = 0; start < orders.length && this.#stopped === undefined; start += RELEASED_AT_ONCE) {
      const input = { orders: orders.slice(start, start + RELEASED_AT_ONCE), nowMs: nowMs() }
      await thread.run({ name: 'release', input }).catch(() => {})
      // They are older than what is handed over meanwhile.
      this.readAgain()
    }
  }

  #leaveToDatabase(): void {
    this.#handedOver.clear()
    this.#storedMeanwhile = undefined
    this.#isBehind = true
  }

  #keepMeanwhile(stored: Stored): void {
    const kept = this.#storedMeanwhile
    if (kept === undefined) return
    if (kept.length < MAX_MEANWHILE) kept.push(stored)
    else this.#storedMeanwhile = undefined
  }

  #holds(order: number): boolean {
    return this.#inFlight.has(order) || this.#handedOver.orders.has(order)
  }

  /** Waits for the end of the turn, so that slots that become free together are filled together. */
  #wake(): void {
    if (this.#isWaking) return
    this.#isWaking = true
    setImmediate(() => {
      this.#isWaking = false
      this.#fillSlots()
    })
  }

  #freeSlots(): number {
    if (this.#stopped !== undefined || this.#gate === 'closed') return 0
    const free = this.#options.concurrency - this.#inFlight.size
    return this.#gate === 'one' ? Math.min(1, free) : free
  }

  #fillSlots(): void {
    while (this.#freeSlots() > 0) {
      const stored = this.#handedOver.shift()
      if (stored === undefined) break
      const { delivery, order } = stored
      this.#handOut({ delivery, order, attempt: 1, fresh: this.#options.freshnessOf(stored) })
    }
    if ((this.#isBehind || this.#isDue) && !this.#isReading && this.#freeSlots() > 0) void this.#read(this.#freeSlots())
  }

  async #read(limit: number): Promise<void> {
    const { route, nowMs, thread } = this.#options
    this.#isReading = true
    this.#isDue = false
    this.#storedMeanwhile = []
    this.#alarm.clear()
    try {
      this.#onRead(
        await thread.run({ name: 'fetchDue', input: { route, limit, nowMs: nowMs(), inFlight: this.held } }),
        limit,
      )
      this.#wake()
    } catch {
      this.#isBehind = true
      this.#lookAt(nowMs() + PAUSE_MS)
    }
    this.#isReading = false
  }

  /** What was handed over while the database was read may be among the rows. */
  #onRead({ rows, nextAtMs = Infinity }: Output<'fetchDue'>, limit: number): void {
    const { nowMs } = this.#options
    const meanwhile = this.#storedMeanwhile
    let isAll = rows.length < limit
    for (const row of rows) {
      if (this.#holds(row.order)) continue
      if (this.#freeSlots() === 0) isAll = false
      else this.#handOutRow(row)
    }
    const isMissing = (stored: Stored): boolean => !this.#holds(stored.order)
    this.#isBehind = !isAll || meanwhile === undefined || (this.#gate !== 'open' && meanwhile.some(isMissing))
    if (!this.#isBehind) for (const stored of meanwhile ?? []) if (isMissing(stored)) this.#handedOver.push(stored)
    if (isAll) this.#lookAt(Math.min(nextAtMs, nowMs() + LONGEST_SLEEP_MS))
  }

  #handOutRow(row: DueRow): void {
    const { open, nowMs } = this.#options
    const delivery = open(row)
    if (delivery !== undefined) return this.#handOut({ delivery, order: row.order, attempt: row.attempts + 1 })
    this.#inFlight.add(row.order)
    void this.#apply(unreadableRow(row, nowMs()))
  }

  #handOut(handedOut: HandedOut): void {
    if (this.#gate === 'one') this.#gate = 'closed'
    this.#inFlight.add(handedOut.order)
    this.#parked.delete(handedOut.order)
    void this.#send(handedOut)
  }

  /** Into the database, if not before. */
  #lookAt(atMs: number): void {
    if (this.#stopped === undefined) this.#alarm.set(atMs)
  }

  async #send(handedOut: HandedOut): Promise<void> {
    const { delivery, order, attempt } = handedOut
    const disposition = await this.#callHandler(handedOut)
    // Nothing was attempted.
    const attempts = disposition.kind === 'park' ? attempt - 1 : attempt
    if (disposition.kind === 'park') this.#parked.add(disposition.group, order)
    await this.#apply({ order, id: delivery.id, attempts, disposition, nowMs: this.#options.nowMs() })
  }

  async #callHandler(handedOut: HandedOut): Promise<Disposition> {
    try {
      return await this.#options.handler(handedOut, this.#abort.signal)
    } catch {
      this.#options.onHandlerFailure()
      return { kind: 'requeue', atMs: this.#options.nowMs() + HANDLER_FAILURE_DELAY_MS }
    }
  }

  /** The delivery keeps its slot until its disposition is durable: while nothing can be written, no more is sent than a crash may repeat. */
  async #apply(row: RowDisposition): Promise<void> {
    const { disposition } = row
    if (disposition.kind !== 'hold') await this.#retryUntilStored(row)
    if (this.#abort.signal.aborted) return
    this.#inFlight.delete(row.order)
    if (this.#inFlight.size === 0 && this.#stopped !== undefined) this.#idle.resolve()
    if (disposition.kind === 'hold') this.#isBehind = true
    if (disposition.kind === 'requeue' || disposition.kind === 'park') this.#lookAt(disposition.atMs)
    this.#wake()
  }

  async #retryUntilStored(row: RowDisposition): Promise<void> {
    const { thread, acknowledge } = this.#options
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        if (row.disposition.kind === 'acknowledge') return await acknowledge(row.order)
        return await thread.run({ name: 'applyDisposition', input: row })
      } catch {
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
}
