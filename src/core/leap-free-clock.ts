/**
 * The wall clock of a process, without its leaps. It is the system's clock, or one that this process has in common with others, while that goes as evenly as time
 * passes; where that leaps, this one goes on evenly from before.
 */

export interface LeapFreeClockParts {
  /** Epoch, ms: the system's clock, which may leap. */
  readonly systemMs: () => number
  /** Ms since any moment; never leaps. */
  readonly steadyMs: () => number
  /** Whether a leap back is followed at once. */
  readonly isBackFollowed: boolean
  /** The clock is ahead by so much (behind, where negative). Once for each leap. */
  readonly onLeap: (leapMs: number) => void
  /** The system's clock is ahead of the common one by so much (behind, where negative). Once, until they agree again. */
  readonly onSkew?: (skewMs: number) => void
}

/** Between two looks at the clock it may gain or lose this much, e.g. because time servers correct it. */
const TOLERANCE_MS = 2000
/** A leap ahead is believed when it has lasted so long, e.g. after a machine was asleep. */
export const BELIEVED_AFTER_MS = 10 * 60_000
/** The common clock is known to be no more precise: smaller differences move nothing. */
const PRECISION_MS = 100
/** From such a difference of the system's clock on it is told. */
const TOLD_SKEW_MS = 5000

export class LeapFreeClock {
  readonly #parts: LeapFreeClockParts
  #knownMs: number
  #knownAtMs: number
  /** Where the clock leapt to, and since when (steady). */
  #leap: { readonly leapMs: number; readonly sinceMs: number } | undefined
  /** What the common clock said when `steadyMs` was 0. */
  #commonStartMs: number | undefined
  #isSkewTold = false

  constructor(parts: LeapFreeClockParts) {
    this.#parts = parts
    this.#knownMs = parts.systemMs()
    this.#knownAtMs = parts.steadyMs()
  }

  /** Epoch, ms. */
  readonly nowMs = (): number => {
    const steadyMs = this.#parts.steadyMs()
    const clockMs = this.#commonStartMs === undefined ? this.#parts.systemMs() : this.#commonStartMs + steadyMs
    const expectedMs = this.#knownMs + steadyMs - this.#knownAtMs
    const leapMs = clockMs - expectedMs
    if (Math.abs(leapMs) <= TOLERANCE_MS || this.#isBelieved(leapMs, steadyMs)) {
      this.#leap = undefined
      this.#knownMs = clockMs
      this.#knownAtMs = steadyMs
      return Math.trunc(clockMs)
    }
    return Math.trunc(expectedMs)
  }

  /** `timeMs` is what the common clock says now (epoch). From the first call on the system's clock is not looked at any more; that one is believed at once. */
  readonly follow = (timeMs: number): void => {
    const { systemMs, steadyMs, onSkew } = this.#parts
    const startMs = timeMs - steadyMs()
    if (this.#commonStartMs === undefined) {
      this.#knownMs = timeMs
      this.#knownAtMs = timeMs - startMs
      this.#leap = undefined
    }
    if (Math.abs(startMs - (this.#commonStartMs ?? Infinity)) > PRECISION_MS) this.#commonStartMs = startMs
    const skewMs = systemMs() - timeMs
    const isSkewed = Math.abs(skewMs) >= TOLD_SKEW_MS
    if (isSkewed && !this.#isSkewTold) onSkew?.(skewMs)
    this.#isSkewTold = isSkewed
  }

  #isBelieved(leapMs: number, steadyMs: number): boolean {
    if (this.#leap === undefined || Math.abs(leapMs - this.#leap.leapMs) > TOLERANCE_MS) {
      this.#leap = { leapMs, sinceMs: steadyMs }
      this.#parts.onLeap(leapMs)
    }
    return leapMs > 0 ? steadyMs - this.#leap.sinceMs >= BELIEVED_AFTER_MS : this.#parts.isBackFollowed
  }
}
