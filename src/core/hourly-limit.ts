/** At most so many of a kind in an hour, counted by this process: what anybody can have written down must not fill the store. */
import { forgetOldest } from './forget-oldest.ts'

const HOUR_MS = 3600_000
/** Some megabytes at most. */
const MAX_COUNTED = 10_000

export class HourlyLimit {
  readonly #perHour: number
  readonly #nowMs: () => number
  readonly #counts = new Map<string, { readonly hour: number; count: number }>()

  constructor(perHour: number, nowMs: () => number) {
    this.#perHour = perHour
    this.#nowMs = nowMs
  }

  /** Counts one more of this kind in this hour. Returns whether it is within the limit. */
  take(kind: string): boolean {
    const hour = Math.floor(this.#nowMs() / HOUR_MS)
    let taken = this.#counts.get(kind)
    if (taken?.hour !== hour) {
      taken = { hour, count: 0 }
      this.#counts.delete(kind)
      this.#counts.set(kind, taken)
      forgetOldest(this.#counts, MAX_COUNTED)
    }
    taken.count += 1
    return taken.count <= this.#perHour
  }
}
