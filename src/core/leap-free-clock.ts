/**
 * The wall clock of a process, without its leaps. While the system's clock goes as evenly as time passes it is the system's; where it leaps, this one goes on
 * evenly from before.
 */

export interface LeapFreeClockParts {
  /** Epoch, ms: the system's clock, which may leap. */
  readonly systemMs: () => number
  /** Ms since any moment; never leaps. */
  readonly steadyMs: () => number
  /** Whether the system's clock is followed at once where it leaps back. */
  readonly isBackFollowed: boolean
  /** The system's clock is ahead by so much (behind, where negative). Once for each leap. */
  readonly onLeap: (leapMs: number) => void
}

/** Between two looks at the clock it may gain or lose this much, e.g. because time servers correct it. */
const TOLERANCE_MS = 2000
/** A leap ahead is believed when it has lasted so long, e.g. after a machine was asleep. */
export const BELIEVED_AFTER_MS = 10 * 60_000

export class LeapFreeClock {
  readonly #parts: LeapFreeClockParts
  #knownMs: number
  #knownAtMs: number
  /** Where the system's clock leapt to, and since when (steady). */
  #leap: { readonly leapMs: number; readonly sinceMs: number } | undefined

  constructor(parts: LeapFreeClockParts) {
    this.#parts = parts
    this.#knownMs = parts.systemMs()
    this.#knownAtMs = parts.steadyMs()
  }

  /** Epoch, ms. */
  readonly nowMs = (): number => {
    const [systemMs, steadyMs] = [this.#parts.systemMs(), this.#parts.steadyMs()]
    const expectedMs = this.#knownMs + steadyMs - this.#knownAtMs
    const leapMs = systemMs - expectedMs
    if (Math.abs(leapMs) <= TOLERANCE_MS || this.#isBelieved(leapMs, steadyMs)) {
      this.#leap = undefined
      this.#knownMs = systemMs
      this.#knownAtMs = steadyMs
      return systemMs
    }
    return Math.trunc(expectedMs)
  }

  #isBelieved(leapMs: number, steadyMs: number): boolean {
    if (this.#leap === undefined || Math.abs(leapMs - this.#leap.leapMs) > TOLERANCE_MS) {
      this.#leap = { leapMs, sinceMs: steadyMs }
      this.#parts.onLeap(leapMs)
    }
    return leapMs > 0 ? steadyMs - this.#leap.sinceMs >= BELIEVED_AFTER_MS : this.#parts.isBackFollowed
  }
}
