/** Deliveries of one route that have just been stored and wait in memory for a free slot: calls first, then events, then badges. Bounded by their size. */
import type { Stored } from './writer.ts'
import { PRIORITIES } from './operations.ts'

/** About 1,000 deliveries, which leave in a tenth of a second where nothing stands in their way. What is beyond is read from the database. */
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

  get isFull(): boolean {
    return this.#bytes >= MAX_BYTES
  }

  push(stored: Stored): void {
    this.#lists[PRIORITIES.indexOf(stored.delivery.priority)]?.push(stored)
    this.#orders.add(stored.order)
    this.#bytes += bytesOf(stored)
  }

  shift(): Stored | undefined {
    const next = this.#lists.find(({ length }) => length > 0)?.shift()
    if (next === undefined) return undefined
    this.#orders.delete(next.order)
    this.#bytes -= bytesOf(next)
    return next
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
