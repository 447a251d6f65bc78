/** The attempts of a sender that are under way: each has the same time, and the sender closes only after the last. */
import { Deadlines } from '../../core/deadlines.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Answered } from '../../core/provider.ts'
import { Attempt } from './connections/attempt.ts'

export class Attempts {
  readonly #deadlines: Deadlines
  readonly #code: string
  readonly #ended = Promise.withResolvers<void>()
  #underWay = 0
  #isClosed = false

  /** `code`: with which one is cut off that is still under way then. */
  constructor(limitMs: number, code = 'deadline') {
    this.#deadlines = new Deadlines(limitMs)
    this.#code = code
  }

  /** Makes one, unless the sender is closed. It ends with the code `aborted` when `signal` aborts. */
  async run(signal: AbortSignal, make: (attempt: Attempt) => Promise<Outcome>, answered?: Answered): Promise<Outcome> {
    // Nothing was sent, and the app has another sender by now.
    if (this.#isClosed) return { kind: 'retry', reason: 'closed', scope: 'delivery', ambiguous: false, afterMs: 0 }
    const attempt = new Attempt(signal)
    const deadline = this.#deadlines.add(() => attempt.cutOff(this.#code))
    this.#underWay += 1
    try {
      return await make(attempt)
    } finally {
      deadline.cancel()
      attempt.finish()
      if (attempt.status !== undefined) answered?.(attempt.status)
      this.#underWay -= 1
      this.#endIfLast()
    }
  }

  /** Makes no more, and resolves when all that were begun have ended. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#endIfLast()
    await this.#ended.promise
  }

  #endIfLast(): void {
    if (this.#isClosed && this.#underWay === 0) this.#ended.resolve()
  }
}
