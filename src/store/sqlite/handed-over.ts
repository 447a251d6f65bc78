/** Deliveries of one route that have just been stored and wait in memory for a free slot: calls first, then events, then badges. Bounded by their size. */
import type { Stored } from './writer.ts'
import { PRIORITIES } from './operations.ts'

/** About 1,000 deliveries, which leave in a tenth of a second where nothing stands in their way. What is beyond waits in the database. */
const MAX_BYTES = 2 * 1024 * 1024
/** More than leaves in some hundredths of a second: sending falls behind. */
const CROWD_BYTES = MAX_BYTES / 4
/** How long acceptance waits for it at most. */
const LONGEST_CROWD_MS = 100
/** Of a delivery without its message. */
const FIXED_BYTES = 1024

export class HandedOver {
  readonly #lists: readonly Stored[][] = PRIORITIES.map(() => [])
  readonly #orders = new Set<number>()
  #bytes = 0
  #crowd: PromiseWithResolvers<void> | undefined

  /** Of all that waits here. */
  get orders(): ReadonlySet<number> {
    return this.#orders
  }

  get first(): Stored | undefined {
    return this.#lists.find(({ length }) => length > 0)?.[0]
  }

  /**
   * When sending falls behind: resolves when it has caught up, or soon, if it does not. Undefined when there is no reason to wait: also not when there is no room
   * at all, because then something else than a busy machine is in the way.
   */
  get crowd(): Promise<void> | undefined {
    if (this.#bytes < CROWD_BYTES || this.#bytes >= MAX_BYTES) return undefined
    if (this.#crowd === undefined) {
      this.#crowd = Promise.withResolvers()
      setTimeout(() => this.#endCrowd(), LONGEST_CROWD_MS).unref()
    }
    return this.#crowd.promise
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
    if (this.#bytes < CROWD_BYTES) this.#endCrowd()
  }

  /** All is left to the database. */
  clear(): void {
    for (const list of this.#lists) list.length = 0
    this.#orders.clear()
    this.#bytes = 0
    this.#endCrowd()
  }

  #endCrowd(): void {
    this.#crowd?.resolve()
    this.#crowd = undefined
  }
}

function bytesOf({ delivery: { message } }: Stored): number {
  return FIXED_BYTES + message.body.length
}
