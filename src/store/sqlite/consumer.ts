/**
 * The consumer of one route: hands out as far as its gate and its free slots allow. What has just been stored is handed over to it from memory
 * (handed-over.ts); what else is due is read from the database (due-deliveries.ts). Only this process knows what is in flight. So handing out writes nothing, and
 * after a crash everything is there again.
 */
import type { Delivery, Priority } from '../../core/delivery.ts'
import { forgetOldest } from '../../core/forget-oldest.ts'
import { waitAtMost } from '../../core/time-limit.ts'
import type { Consumer, Fresh, GateState, HandedOut } from '../contract.ts'
import { Parked } from '../parked.ts'
import { DueDeliveries } from './due-deliveries.ts'
import { HandedOver } from './handed-over.ts'
import { Handling, type HandlingOptions } from './handling.ts'
import type { DueRow, RowDisposition } from './operations.ts'
import { unreadableRow } from './row-disposition.ts'
import { Slots, type Origin } from './slots.ts'
import type { Stored } from './writer.ts'

const RELEASED_AT_ONCE = 500
/** More groups than that are not released while one handler is under way. */
const MAX_RELEASED = 1000

export interface ConsumerOptions extends HandlingOptions {
  readonly route: string
  readonly concurrency: number
  /** Undefined when it cannot be opened. */
  readonly open: (row: DueRow) => Delivery | undefined
  /** Undefined when the memory has to be asked. */
  readonly freshnessOf: (stored: Stored) => Fresh | undefined
  readonly onStopped: () => void
}

export class SqliteConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #slots = new Slots()
  readonly #handedOver = new HandedOver()
  readonly #due: DueDeliveries
  readonly #handling: Handling
  readonly #parked = new Parked<number>()
  /** The number of the last release of each group, and of all groups. What was under way then may be parked only afterwards. */
  readonly #released = new Map<string | undefined, number>()
  #releases = 0
  #gate: GateState = 'open'
  #isWaking = false
  #stopped: Promise<void> | undefined
  readonly #idle = Promise.withResolvers<void>()

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#handling = new Handling(options)
    this.#due = new DueDeliveries({
      ...options,
      taken: () => [...this.#slots.orders, ...this.#handedOver.orders],
      onChange: () => this.#wake(),
    })
    this.#wake()
  }

  /** The orders of the deliveries that are handed out. */
  get inFlight(): readonly number[] {
    return [...this.#slots.orders]
  }

  /** Also of those that wait here for a free slot. */
  get held(): readonly number[] {
    return [...this.inFlight, ...this.#handedOver.orders, ...this.#due.orders]
  }

  setGate(state: GateState): void {
    this.#gate = state
    // A probe is one delivery: the first in the database. And what was held is there.
    this.readAgain()
  }

  /** It has just become durable. Without effect where it was read from the database and handed out meanwhile. */
  handOver(stored: Stored): void {
    const { order, delivery } = stored
    const { dueAtMs = 0, priority } = delivery
    if (this.#slots.has(order)) return
    if (dueAtMs > this.#options.nowMs()) return this.#due.expectAt(dueAtMs, priority)
    if (this.#gate === 'open' && this.#handedOver.hasRoomFor(stored)) {
      this.#due.remove(order)
      this.#handedOver.push(stored)
    } else this.#due.expectMore()
    this.#wake()
  }

  /** Resolves when sending has caught up, or soon, if it does not; undefined when it is not behind. */
  get crowd(): Promise<void> | undefined {
    return this.#handedOver.crowd
  }

  release(group?: string): void {
    this.#releases += 1
    this.#released.delete(group)
    this.#released.set(group, this.#releases)
    forgetOldest(this.#released, MAX_RELEASED)
    void this.#release(this.#parked.take(group))
  }

  /** What waits here may not be in the database any more, or not be the first there. */
  readAgain(): void {
    this.#handedOver.clear()
    this.#due.clear()
    this.#wake()
  }

  /** The database may hold something that is due and was not handed over. */
  readMore(): void {
    this.#due.expectMore()
    this.#wake()
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #stop(graceMs: number): Promise<void> {
    this.#gate = 'closed'
    this.#handedOver.clear()
    this.#due.stop()
    if (this.#slots.size > 0) await waitAtMost(graceMs, this.#idle.promise)
    if (this.#slots.size > 0) this.#handling.abort()
    this.#slots.clear()
    this.#options.onStopped()
  }

  /** Step by step, so that nobody else waits long. What cannot be released now leaves at its time. */
  async #release(orders: readonly number[]): Promise<void> {
    const { thread, nowMs } = this.#options
    for (let start = 0; start < orders.length && this.#stopped === undefined; start += RELEASED_AT_ONCE) {
      const input = { orders: orders.slice(start, start + RELEASED_AT_ONCE), nowMs: nowMs() }
      await thread.run({ name: 'release', input }).catch(() => {})
      this.readMore()
    }
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
    const free = this.#options.concurrency - this.#slots.size
    return this.#gate === 'one' ? Math.min(1, free) : free
  }

  #fillSlots(): void {
    while (this.#freeSlots() > 0) if (!this.#fillSlot()) break
    if (this.#stopped === undefined && this.#gate !== 'closed')
      this.#due.readAhead(this.#gate === 'one' ? 1 : undefined)
  }

  /** False when nothing waits. */
  #fillSlot(): boolean {
    const [stored, row] = [this.#due.isKnown ? this.#handedOver.first : undefined, this.#due.first]
    const origin = this.#slots.next(stored && { order: stored.order, priority: stored.delivery.priority }, row)
    if (origin === 'fresh' && stored !== undefined) {
      this.#handedOver.shift()
      const { delivery, order } = stored
      this.#handOut({ delivery, order, attempt: 1, fresh: this.#options.freshnessOf(stored) }, origin)
    } else if (row !== undefined) {
      this.#due.shift()
      this.#handOutRow(row)
    }
    return origin !== undefined
  }

  #handOutRow(row: DueRow): void {
    const { open, nowMs } = this.#options
    const delivery = open(row)
    if (delivery !== undefined) return this.#handOut({ delivery, order: row.order, attempt: row.attempts + 1 }, 'due')
    this.#slots.take(row.order, 'due')
    void this.#apply(unreadableRow(row, nowMs()), row.priority)
  }

  #handOut(handedOut: HandedOut, origin: Origin): void {
    if (this.#gate === 'one') this.#gate = 'closed'
    this.#slots.take(handedOut.order, origin)
    this.#parked.delete(handedOut.order)
    void this.#send(handedOut)
  }

  async #send(handedOut: HandedOut): Promise<void> {
    const { delivery, order, attempt } = handedOut
    const releases = this.#releases
    const disposition = await this.#handling.decide(handedOut)
    // Nothing was attempted.
    const attempts = disposition.kind === 'park' ? attempt - 1 : attempt
    if (disposition.kind === 'park') this.#parked.add(disposition.group, order)
    const nowMs = this.#options.nowMs()
    await this.#apply({ order, id: delivery.id, attempts, disposition, nowMs }, delivery.priority)
    if (disposition.kind === 'park' && this.#isReleasedSince(releases, disposition.group)) {
      this.#parked.delete(order)
      await this.#release([order])
    }
  }

  #isReleasedSince(releases: number, group: string): boolean {
    return [group, undefined].some((each) => (this.#released.get(each) ?? 0) > releases)
  }

  /** The delivery keeps its slot until its disposition is durable: while nothing can be written, no more is sent than a crash may repeat. */
  async #apply(row: RowDisposition, priority: Priority): Promise<void> {
    const { disposition } = row
    await this.#handling.store(row)
    if (this.#handling.isAborted) return
    this.#slots.giveBack(row.order)
    if (this.#slots.size === 0 && this.#stopped !== undefined) this.#idle.resolve()
    if (disposition.kind === 'hold') this.#due.expectMore()
    if (disposition.kind === 'requeue' || disposition.kind === 'park') this.#due.expectAt(disposition.atMs, priority)
    this.#wake()
  }
}
