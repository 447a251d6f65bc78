/**
 * The consumer of one route: asks the database for as many due deliveries as there are free slots, and for the time of the next one. Only this process knows
 * what is in flight. So handing out writes nothing, and after a crash everything is there again.
 *
 * Deliveries are handed out one by one. The dispositions of a batch would be known only when its slowest delivery has ended, and those of one turn of the
 * event loop are one transaction anyway.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Delivery } from '../../core/delivery.ts'
import { waitAtMost } from '../../core/time-limit.ts'
import {
  HANDLER_FAILURE_DELAY_MS,
  type Consumer,
  type Disposition,
  type GateState,
  type HandedOut,
  type Handler,
} from '../contract.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { DueRow, Output, RowDisposition } from './operations.ts'
import { unreadableRow } from './row-disposition.ts'

/** A delivery may have become due without a sign of it: it was refused because its time limit was over, and was stored later; or the clock was set. */
const LONGEST_SLEEP_MS = 5000
/** After a failure of the store, until it is asked again. */
const PAUSE_MS = 1000

export interface ConsumerOptions {
  readonly route: string
  readonly concurrency: number
  readonly handler: Handler
  readonly thread: DatabaseThread
  readonly nowMs: () => number
  /** Undefined when it cannot be opened. */
  readonly open: (row: DueRow) => Delivery | undefined
  /** A handler rejected, or returned no disposition: a bug. */
  readonly onHandlerFailure: () => void
  readonly onStopped: () => void
}

export class SqliteConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #inFlight = new Map<number, Promise<void>>()
  readonly #abort = new AbortController()
  #gate: GateState = 'open'
  #isFetching = false
  /** There may be something new since the fetch began that is under way. */
  #isStale = false
  #isWaking = false
  #timer: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.wake()
  }

  /** The orders of the deliveries that are handed out. */
  get inFlight(): readonly number[] {
    return [...this.#inFlight.keys()]
  }

  setGate(state: GateState): void {
    this.#gate = state
    this.wake()
  }

  /** There may be something to hand out. Waits for the end of the turn, so that slots that become free together are filled together. */
  wake(): void {
    if (this.#isWaking) return
    this.#isWaking = true
    setImmediate(() => {
      this.#isWaking = false
      void this.#fillSlots()
    })
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    this.#gate = 'closed'
    clearTimeout(this.#timer)
    await waitAtMost(graceMs, Promise.all(this.#inFlight.values()))
    if (this.#inFlight.size > 0) this.#abort.abort()
    this.#inFlight.clear()
    this.#options.onStopped()
  }

  #freeSlots(): number {
    if (this.#stopped !== undefined || this.#gate === 'closed') return 0
    const free = this.#options.concurrency - this.#inFlight.size
    return this.#gate === 'one' ? Math.min(1, free) : free
  }

  async #fillSlots(): Promise<void> {
    if (this.#isFetching) {
      this.#isStale = true
      return
    }
    const { route, nowMs, thread } = this.#options
    const limit = this.#freeSlots()
    if (limit === 0) return
    this.#isFetching = true
    clearTimeout(this.#timer)
    try {
      const input = { route, limit, nowMs: nowMs(), inFlight: this.inFlight }
      this.#handOut(await thread.run({ name: 'fetchDue', input }), limit)
    } catch {
      this.#wakeAfter(PAUSE_MS)
    }
    this.#isFetching = false
    if (!this.#isStale) return
    this.#isStale = false
    this.wake()
  }

  #handOut({ rows, nextAtMs = Infinity }: Output<'fetchDue'>, limit: number): void {
    for (const row of rows) {
      if (this.#freeSlots() === 0) return
      const delivery = this.#options.open(row)
      if (delivery !== undefined && this.#gate === 'one') this.#gate = 'closed'
      const disposed =
        delivery === undefined ? this.#apply(unreadableRow(row, this.#options.nowMs())) : this.#send(row, delivery)
      this.#inFlight.set(row.order, disposed)
    }
    if (rows.length < limit) this.#wakeAfter(Math.min(LONGEST_SLEEP_MS, Math.max(0, nextAtMs - this.#options.nowMs())))
  }

  #wakeAfter(delayMs: number): void {
    clearTimeout(this.#timer)
    if (this.#stopped === undefined) this.#timer = setTimeout(() => this.wake(), delayMs)
  }

  async #send({ order, attempts }: DueRow, delivery: Delivery): Promise<void> {
    const attempt = attempts + 1
    const disposition = await this.#callHandler({ delivery, attempt, order })
    await this.#apply({ order, id: delivery.id, attempts: attempt, disposition, nowMs: this.#options.nowMs() })
  }

  async #callHandler(handedOut: HandedOut): Promise<Disposition> {
    try {
      const [disposition] = await this.#options.handler([handedOut], this.#abort.signal)
      if (disposition !== undefined) return disposition
    } catch {}
    this.#options.onHandlerFailure()
    return { kind: 'requeue', atMs: this.#options.nowMs() + HANDLER_FAILURE_DELAY_MS }
  }

  /** The delivery keeps its slot until its disposition is durable: while nothing can be written, no more is sent than a crash may repeat. */
  async #apply(row: RowDisposition): Promise<void> {
    if (row.disposition.kind !== 'hold') await this.#retryUntilStored(row)
    if (this.#abort.signal.aborted) return
    this.#inFlight.delete(row.order)
    this.wake()
  }

  async #retryUntilStored(row: RowDisposition): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        return await this.#options.thread.run({ name: 'applyDisposition', input: row })
      } catch {
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
}
