/** Removes what was delivered: all of some milliseconds in one request. */
import type { DatabaseThread } from './database-thread.ts'

export class Acknowledgements {
  readonly #thread: DatabaseThread
  #orders: number[] | undefined
  #removed: Promise<void> = Promise.resolve()

  constructor(thread: DatabaseThread) {
    this.#thread = thread
  }

  /** Resolves when it is durable. Rejects with StoreUnavailableError when the transaction failed. */
  add(order: number): Promise<void> {
    if (this.#orders === undefined) {
      const orders: number[] = []
      this.#orders = orders
      this.#removed = this.#thread.collect('acknowledge', () => this.#take(orders), {
        hasTimeLimit: false,
        // A commit costs more than all that is in it, and nobody waits for this one.
        isUrgent: false,
      })
    }
    this.#orders.push(order)
    return this.#removed
  }

  #take(orders: readonly number[]): { readonly orders: readonly number[] } {
    this.#orders = undefined
    return { orders }
  }
}
