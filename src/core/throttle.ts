/** For what may happen a thousand times a second and is to be said once in a while. */
export class Throttle {
  readonly #intervalMs: number
  readonly #nowMs: () => number
  readonly #lastMs = new Map<string, number>()

  constructor(intervalMs: number, nowMs: () => number) {
    this.#intervalMs = intervalMs
    this.#nowMs = nowMs
  }

  /** True for the first time, and then not again before the interval has passed; each subject by itself. Subjects are few: they are kept. */
  allows(subject = ''): boolean {
    const nowMs = this.#nowMs()
    if (nowMs - (this.#lastMs.get(subject) ?? -Infinity) < this.#intervalMs) return false
    this.#lastMs.set(subject, nowMs)
    return true
  }
}
