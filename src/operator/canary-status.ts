/** What an operator is told of an app's canary pushes. Pure. */
import type { CanaryArrival } from '../memory/canary-arrivals.ts'
import type { CanaryStatus } from './status.ts'

/** In intervals. Beyond it the alert HushgateCanaryStopped fires, too. */
const LATE = 3

export interface CanaryTimes {
  readonly everyMs: number
  readonly nowMs: number
  /** Since when one could have arrived, whatever is remembered. */
  readonly awaitedSinceMs: number
}

/** `arrival`: the last one; `unknown` where the store does not answer. */
export function canaryStatus(
  arrival: CanaryArrival | 'unknown' | undefined,
  { everyMs, nowMs, awaitedSinceMs }: CanaryTimes,
): CanaryStatus {
  if (arrival === 'unknown') return { state: 'unknown', everyMs, lastArrivedAtMs: null, roundTripMs: null }
  const isLate = nowMs - (arrival?.atMs ?? awaitedSinceMs) > LATE * everyMs
  return {
    state: isLate ? 'stopped' : arrival === undefined ? 'awaited' : 'arrives',
    everyMs,
    lastArrivedAtMs: arrival?.atMs ?? null,
    roundTripMs: arrival?.roundTripMs ?? null,
  }
}
