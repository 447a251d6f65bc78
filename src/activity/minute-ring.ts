/** Counts by minute, for as many minutes as there are rows; what is older is forgotten. Its size never changes. */

export const MINUTE_MS = 60_000

export class MinuteRing {
  readonly #minutes: number
  readonly #width: number
  readonly #counts: Uint32Array
  /** The minute of the newest row, since 1970. */
  #newest = -1

  /** `width`: counts of one minute. */
  constructor(minutes: number, width: number) {
    this.#minutes = minutes
    this.#width = width
    this.#counts = new Uint32Array(minutes * width)
  }

  /** Counts one more in the column of this minute. Where the clock went back, in the newest minute. */
  add(nowMs: number, column: number): void {
    this.#advance(Math.floor(nowMs / MINUTE_MS))
    const index = (this.#newest % this.#minutes) * this.#width + column
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
  }

  /** A column, oldest minute first; the last one is the minute that is not over. */
  column(nowMs: number, column: number): readonly number[] {
    this.#advance(Math.floor(nowMs / MINUTE_MS))
    return Array.from({ length: this.#minutes }, (_, index) => {
      const minute = this.#newest + 1 + index
      return this.#counts[(minute % this.#minutes) * this.#width + column] ?? 0
    })
  }

  /** Each column over all minutes. */
  sums(nowMs: number): readonly number[] {
    this.#advance(Math.floor(nowMs / MINUTE_MS))
    const sums = Array.from({ length: this.#width }, () => 0)
    for (const [index, count] of this.#counts.entries())
      sums[index % this.#width] = (sums[index % this.#width] ?? 0) + count
    return sums
  }

  #advance(minute: number): void {
    if (minute <= this.#newest) return
    const passed = this.#newest < 0 ? 0 : Math.min(minute - this.#newest, this.#minutes)
    for (let each = minute - passed + 1; each <= minute; each += 1) {
      const start = (each % this.#minutes) * this.#width
      this.#counts.fill(0, start, start + this.#width)
    }
    this.#newest = minute
  }
}
