/** Deliveries of one route that have just been stored and wait in memory for a free slot: calls first, then events, then badges. Bounded by their size. */
import type { Stored } from './writer.ts'
import { PRIORITIES } from './operations.ts'

/** About 1,000 deliveries, which leave in a tenth of a second where nothing stands in their way. What is beyond waits in the database. */
const MAX_BYTES = 2 * 1024 * 1024
/** Of a delivery without its message. */
const FIXED_BYTES = 1024

export class HandedOver {
  readonly #lists: readonly Stored[][] = PRIORITIES.map(() => [])
  readonly #orders = new Set<number>()
  #bytes = 0

  /** Of all that waits here. */
  get orders(): ReadonlySet<number> {
    return this.#orders
  }

  get first(): Stored | undefined {
    return this.#lists.find(({ length }) => length > 0)?.[0]
  }

  /** Calls have as much again, so that none waits because of what is less urgent. */
  hasRoomFor({ delivery: { priority } }: Stored): boolean {
    return this.#bytes < (priority === 'call' ? 2 * MAX_BYTES : MAX_BYTES)
  }

  push(stored: Stored): void {
    this.#lists[PRIORITIES.indexOf(stored.delivery.priority)]?.push(stored)
    this.#orders.add(stored.order)
    this.#bytes += bytesOf(stored)
  }

  /** The first is handed out. */
  shift(): void {
    const first = this.#lists.find(({ length }) => length > 0)?.shift()
    if (first === undefined) return
    this.#orders.delete(first.order)
    this.#bytes -= bytesOf(first)
  }

  /** All is left to the database. */
  clear(): void {
    for (const list of this.#lists) list.length = 0
    this.#orders.clear()
    this.#bytes = 0
  }
}

function bytesOf({ delivery: { message } }: Stored): number {
  return FIXED_BYTES + message.body.length
}
