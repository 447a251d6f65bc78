/** Lines about pushes that failed for good. They alone name a device at level info; anybody can cause thousands in a second, and the metrics count them. */
import type { Log, LogFacts } from '../core/log.ts'
import { Throttle } from '../core/throttle.ts'

const INTERVAL_MS = 1000

type Say = Exclude<keyof Log, 'debug' | 'error'>

export class FinalFailures {
  readonly #log: Log
  readonly #throttle: Throttle
  /** By the line, since it was last written. */
  readonly #unsaid = new Map<string, number>()

  constructor(log: Log, nowMs: () => number) {
    this.#log = log
    this.#throttle = new Throttle(INTERVAL_MS, nowMs)
  }

  /** False when it is left out now; then `facts` is not called. */
  tell(level: Say, message: string, facts: () => LogFacts): boolean {
    const unsaid = this.#unsaid.get(message) ?? 0
    if (!this.#throttle.allows(message)) {
      this.#unsaid.set(message, unsaid + 1)
      return false
    }
    this.#unsaid.delete(message)
    this.#log[level](message, unsaid === 0 ? facts() : { ...facts(), others_since_the_last_of_these_lines: unsaid })
    return true
  }
}
