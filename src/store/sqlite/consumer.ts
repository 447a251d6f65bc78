/**
 * The running hand-out of one route: asks the database for as many due deliveries as there are free slots, and for the time of the next one. What is
 * in flight is known here alone, so handing out writes nothing, and after a crash everything is simply there again.
 *
 * Deliveries are handed out one by one, not in batches: what becomes of a batch is known when its slowest is, while here what ends in the same
 * turn of the event loop is one transaction anyway.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Delivery } from '../../core/delivery.ts'
import type { Consumption, Disposition, GateState, HandedOut, Handler } from '../contract.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { DueRow, Output, StoredDisposition } from './operations.ts'
import { unreadable } from './sweep.ts'

/** Something may have become due without a sign of it: an add that was refused by time-out and landed late, a clock that was set. */
const LONGEST_SLEEP_MS = 5000
/** After a failure of the store, until it is asked again. */
const PAUSE_MS = 1000
/** A delivery that cannot be read (its key is missing), or whose handler failed. */
const PUT_OFF_MS = 60_000

export interface ConsumptionPorts {
  readonly route: string
  readonly concurrency: number
  readonly handler: Handler
  readonly thread: DatabaseThread
  readonly nowMs: () => number
  /** Undefined when it cannot be read. */
  readonly read: (row: DueRow) => Delivery | undefined
  /** A handler rejected, or did not say what becomes of its delivery: a bug. */
  readonly onHandlerFailure: () => void
  readonly onStopped: () => void
}

export class SqliteConsumption implements Consumption {
  readonly #ports: ConsumptionPorts
  readonly #inFlight = new Map<number, Promise<void>>()
  readonly #abort = new AbortController()
  #gate: GateState = 'open'
  #isAsking = false
  #isWanted = false
  #isWaking = false
  #timer: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined

  constructor(ports: ConsumptionPorts) {
    this.#ports = ports
    this.wake()
  }

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
      void this.#fill()
    })
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    this.#gate = 'closed'
    clearTimeout(this.#timer)
    const graceOver = new AbortController()
    await Promise.race([
      Promise.all(this.#inFlight.values()),
      delay(graceMs, undefined, { signal: graceOver.signal }).catch(() => {}),
    ])
    graceOver.abort()
    if (this.#inFlight.size > 0) this.#abort.abort()
    this.#inFlight.clear()
    this.#ports.onStopped()
  }

  #freeSlots(): number {
    if (this.#stopped !== undefined || this.#gate === 'closed') return 0
    const free = this.#ports.concurrency - this.#inFlight.size
    return this.#gate === 'one' ? Math.min(1, free) : free
  }

  async #fill(): Promise<void> {
    if (this.#isAsking) {
      this.#isWanted = true
      return
    }
    const { route, nowMs, thread } = this.#ports
    const limit = this.#freeSlots()
    if (limit === 0) return
    this.#isAsking = true
    clearTimeout(this.#timer)
    try {
      const taken = await thread.askPatiently({
        name: 'take',
        input: { route, limit, nowMs: nowMs(), except: this.inFlight },
      })
      this.#handOut(taken, limit)
    } catch {
      this.#wakeAfter(PAUSE_MS)
    }
    this.#isAsking = false
    if (!this.#isWanted) return
    this.#isWanted = false
    this.wake()
  }

  #handOut({ rows, nextAtMs = Infinity }: Output<'take'>, limit: number): void {
    for (const row of rows) {
      if (this.#freeSlots() === 0) return
      const delivery = this.#ports.read(row)
      if (delivery !== undefined && this.#gate === 'one') this.#gate = 'closed'
      this.#inFlight.set(row.order, delivery === undefined ? this.#putOff(row) : this.#send(row, delivery))
    }
    if (rows.length < limit) this.#wakeAfter(Math.min(LONGEST_SLEEP_MS, Math.max(0, nextAtMs - this.#ports.nowMs())))
  }

  #wakeAfter(afterMs: number): void {
    clearTimeout(this.#timer)
    if (this.#stopped === undefined) this.#timer = setTimeout(() => this.wake(), afterMs)
  }

  async #send({ order, attempts }: DueRow, delivery: Delivery): Promise<void> {
    const handedOut = { delivery, attempt: attempts + 1, order }
    const disposition = await this.#ask(handedOut)
    await this.#settle(order, storedDispositionOf(handedOut, disposition, this.#ports.nowMs()))
  }

  async #ask(handedOut: HandedOut): Promise<Disposition> {
    try {
      const [disposition] = await this.#ports.handler([handedOut], this.#abort.signal)
      if (disposition !== undefined) return disposition
    } catch {}
    this.#ports.onHandlerFailure()
    return { kind: 'requeue', atMs: this.#ports.nowMs() + PUT_OFF_MS }
  }

  /** Its key may come back. */
  async #putOff(row: DueRow): Promise<void> {
    const { order, attempts, expiresAtMs } = row
    const nowMs = this.#ports.nowMs()
    const disposition: StoredDisposition =
      nowMs < expiresAtMs ? { kind: 'requeue', order, attempts, atMs: nowMs + PUT_OFF_MS } : unreadable(row, nowMs)
    await this.#settle(order, disposition)
  }

  /** Keeps its slot until it is durable: while nothing can be written, no more is sent than a crash may repeat. */
  async #settle(order: number, disposition: StoredDisposition | undefined): Promise<void> {
    if (disposition !== undefined) await this.#store(disposition)
    if (this.#abort.signal.aborted) return
    this.#inFlight.delete(order)
    this.wake()
  }

  async #store(disposition: StoredDisposition): Promise<void> {
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        return await this.#ports.thread.askPatiently({ name: 'settle', input: disposition })
      } catch {
        await delay(PAUSE_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
}

function storedDispositionOf(
  { delivery, attempt, order }: HandedOut,
  disposition: Disposition,
  nowMs: number,
): StoredDisposition | undefined {
  switch (disposition.kind) {
    case 'acknowledge':
      return { kind: 'acknowledge', order }
    case 'requeue':
      return { kind: 'requeue', order, atMs: disposition.atMs, attempts: attempt }
    case 'hold':
      return undefined
    case 'dead-letter':
      return { kind: 'dead-letter', order, id: delivery.id, reason: disposition.reason, attempts: attempt, atMs: nowMs }
  }
}
