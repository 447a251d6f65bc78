/** The attempts of a sender that are under way, so that it closes only after the last. */
import type { Outcome } from '../../core/outcome.ts'

export class InFlight {
  readonly #attempts = new Set<Promise<Outcome>>()
  #isClosed = false

  /** Makes an attempt, unless the sender is closed. */
  async run(attempt: () => Promise<Outcome>): Promise<Outcome> {
    // Nothing was sent, and the app has another sender by now.
    if (this.#isClosed) return { kind: 'retry', reason: 'closed', scope: 'delivery', ambiguous: false, afterMs: 0 }
    const outcome = attempt()
    this.#attempts.add(outcome)
    try {
      return await outcome
    } finally {
      this.#attempts.delete(outcome)
    }
  }

  /** Takes no more, and resolves when all that was taken has ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.allSettled(this.#attempts)
  }
}
