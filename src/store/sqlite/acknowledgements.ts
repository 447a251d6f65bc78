/** Removes what was delivered: all of some milliseconds in one request. */
import type { Note } from '../contract.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { Input } from './operations.ts'

export class Acknowledgements {
  readonly #thread: DatabaseThread
  #open: { readonly orders: number[]; readonly notes: string[]; notesExpireAtMs: number } | undefined
  #removed: Promise<void> = Promise.resolve()

  constructor(thread: DatabaseThread) {
    this.#thread = thread
  }

  /** Resolves when it is durable. Rejects with StoreUnavailableError when the transaction failed. */
  add(order: number, note: Note | undefined): Promise<void> {
    const open = this.#open ?? { orders: [], notes: [], notesExpireAtMs: 0 }
    if (this.#open === undefined) {
      this.#open = open
      this.#removed = this.#thread.collect('acknowledge', () => this.#take(open), {
        hasTimeLimit: false,
        // A commit costs more than all that is in it, and nobody waits for this one.
        isUrgent: false,
      })
    }
    open.orders.push(order)
    if (note !== undefined) {
      open.notes.push(note.key, note.text)
      open.notesExpireAtMs = Math.max(open.notesExpireAtMs, note.expiresAtMs)
    }
    return this.#removed
  }

  #take(collected: Input<'acknowledge'>): Input<'acknowledge'> {
    this.#open = undefined
    return collected
  }
}
