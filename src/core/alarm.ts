/** One timer for the earliest of many times. It does not keep the process alive. */

/** The greatest delay that a timer takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Alarm {
  readonly #nowMs: () => number
  readonly #onTime: () => void
  #timer: NodeJS.Timeout | undefined
  #atMs = Infinity

  constructor(nowMs: () => number, onTime: () => void) {
    this.#nowMs = nowMs
    this.#onTime = onTime
  }

  /** Calls `onTime` then, if not before; after that, or `clear`, it has to be set again. */
  set(atMs: number): void {
    if (atMs >= this.#atMs) return
    this.clear()
    this.#atMs = atMs
    const delayMs = Math.min(Math.max(0, atMs - this.#nowMs()), LONGEST_TIMER_MS)
    this.#timer = setTimeout(() => this.#ring(), delayMs).unref()
  }

  clear(): void {
    clearTimeout(this.#timer)
    this.#atMs = Infinity
  }

  #ring(): void {
    this.#atMs = Infinity
    this.#onTime()
  }
}
