/**
 * What of one route is due in the database, read ahead: what was there before a start, retries, what was due later, and what memory had no room for. Calls first,
 * then events, then badges, of each the longest due first. Reading writes nothing, so after a crash everything is there again.
 */
import { Alarm } from '../../core/alarm.ts'
import type { Priority } from '../../core/delivery.ts'
import type { DatabaseThread } from './database-thread.ts'
import { PRIORITIES, type DueRow, type Output } from './operations.ts'

/** A delivery may have become due without a sign of it: it was refused because its time limit was over, and was stored later; or the clock was set. */
const LONGEST_SLEEP_MS = 5000
/** After a failure of the store, until it is asked again. */
const PAUSE_MS = 1000
/** Rows that are kept here at most: what leaves in some tens of milliseconds. */
const MOST_ROWS = 200
/** How many are asked for at least: where all places here are taken, a call may be among them. */
const LEAST_ROWS = 10

export interface DueDeliveriesOptions {
  readonly route: string
  readonly thread: DatabaseThread
  readonly nowMs: () => number
  /** Orders of the deliveries that the consumer has from elsewhere, or has handed out. */
  readonly taken: () => readonly number[]
  /** There may be something to hand out, or to read. */
  readonly onChange: () => void
}

export class DueDeliveries {
  readonly #options: DueDeliveriesOptions
  #rows: DueRow[] = []
  readonly #orders = new Set<number>()
  /** The database may hold more that is due. It is read when there is room here. */
  #isMore = true
  /** Something may have become due, which may be a call. It is read at once. */
  #isNew = false
  #isReading = false
  #isKnown = false
  /** Grows when what is here is left to the database; a read that began before is not used. */
  #era = 0
  /** When it looks into the database, if not before. */
  readonly #alarm: Alarm

  constructor(options: DueDeliveriesOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.nowMs, () => {
      this.#isNew = true
      options.onChange()
    })
  }

  get first(): DueRow | undefined {
    return this.#rows[0]
  }

  get orders(): ReadonlySet<number> {
    return this.#orders
  }

  /** What is first in the database is here, if there is anything. Until then nothing should overtake it. */
  get isKnown(): boolean {
    return this.#isKnown
  }

  /** The first is handed out. */
  shift(): void {
    const first = this.#rows.shift()
    if (first !== undefined) this.#orders.delete(first.order)
  }

  /** It is handed over from memory: it was read right after it was stored. */
  remove(order: number): void {
    if (this.#orders.delete(order)) this.#rows = this.#rows.filter((row) => row.order !== order)
  }

  /** All is left to the database, and read again. */
  clear(): void {
    this.#era += 1
    this.#isKnown = false
    this.#rows = []
    this.#orders.clear()
    this.#isMore = true
  }

  /** The database may hold something that is due, and of which only it knows. */
  expectMore(): void {
    this.#isMore = true
  }

  /** A delivery becomes due then. While there is more to read than there is room for, it is found with that; but a call is not to wait for it. */
  expectAt(atMs: number, priority: Priority): void {
    if (!this.#isMore || priority === 'call') this.#alarm.set(atMs)
  }

  /** Reads if there is a reason to; at most so many rows are kept here. */
  readAhead(most = MOST_ROWS): void {
    const isRoom = this.#rows.length <= most / 2
    if (this.#isReading || !(this.#isNew || (this.#isMore && isRoom))) return
    void this.#read(most)
  }

  stop(): void {
    this.clear()
    this.#alarm.clear()
  }

  async #read(most: number): Promise<void> {
    const { route, nowMs, thread, taken, onChange } = this.#options
    const era = this.#era
    const limit = Math.max(most - this.#rows.length, Math.min(most, LEAST_ROWS))
    this.#isReading = true
    this.#isMore = false
    this.#isNew = false
    try {
      const inFlight = [...taken(), ...this.#orders]
      const found = await thread.run({ name: 'fetchDue', input: { route, limit, nowMs: nowMs(), inFlight } })
      if (era === this.#era) this.#keep(found, limit, most)
      this.#isReading = false
      onChange()
    } catch {
      this.#isReading = false
      this.#isMore = true
      this.#alarm.set(nowMs() + PAUSE_MS)
    }
  }

  /** What was handed over from memory meanwhile may be among the rows. */
  #keep({ rows, nextAtMs = Infinity }: Output<'fetchDue'>, limit: number, most: number): void {
    const { nowMs, taken } = this.#options
    this.#isKnown = true
    const others = new Set(taken())
    const isNew = ({ order }: DueRow): boolean => !others.has(order)
    const all = [...this.#rows, ...rows.filter(isNew)].toSorted((one, other) => rank(one) - rank(other))
    this.#rows = all.slice(0, most)
    this.#orders.clear()
    for (const { order } of this.#rows) this.#orders.add(order)
    if (rows.length === limit || all.length > most) this.#isMore = true
    this.#alarm.set(Math.min(nextAtMs, nowMs() + LONGEST_SLEEP_MS))
  }
}

function rank({ priority }: DueRow): number {
  return PRIORITIES.indexOf(priority)
}
