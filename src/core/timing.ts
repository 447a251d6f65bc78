/**
 * When a push may leave: later than it came only where the app's operator asks for it, so that whoever sees pushes leave learns less about which came
 * together (docs/facts/push-gateway-api.md#msc3359). Pure; calls and the apps' test push never come here.
 */

/** What an app asks for; times in ms. */
export interface Timing {
  /** Minimal mode: of the wake-ups of one registration within this time, the first leaves at once and the last at its end. */
  readonly coalesceMs?: number | undefined
  /** Everything leaves on ticks this far apart, in random order. */
  readonly releaseEveryMs?: number | undefined
}

/** When a wake-up leaves, which is what to remember next. `lastAtMs`: when the latest planned one of this registration leaves or left. */
export function planWakeUp(nowMs: number, lastAtMs: number | undefined, windowMs: number): number {
  if (lastAtMs === undefined || nowMs >= lastAtMs + windowMs) return nowMs
  const atMs = nowMs < lastAtMs ? lastAtMs : lastAtMs + windowMs
  // It was planned further ahead only where the clock was set back since, or the window was longer.
  return Math.min(atMs, nowMs + windowMs)
}

export interface Release {
  /** The tick it belongs to: all that may be shown to a push service of when it came. */
  readonly tickMs: number
  /** Shortly after the tick; the random part is what shuffles. */
  readonly atMs: number
}

const LONGEST_SPREAD_MS = 1000

/** Ticks are multiples of the interval since the epoch, so that all replicas have the same. `random` in [0, 1), from a CSPRNG. */
export function nextRelease(readyAtMs: number, everyMs: number, random: number): Release {
  const tickMs = Math.ceil(readyAtMs / everyMs) * everyMs
  return { tickMs, atMs: tickMs + Math.floor(random * Math.min(everyMs / 10, LONGEST_SPREAD_MS)) }
}
