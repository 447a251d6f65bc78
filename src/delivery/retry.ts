/** When a delivery is tried again, and when it is given up. Pure. */
import type { Outcome, Retry } from '../core/outcome.ts'
import type { Disposition } from '../store/contract.ts'

export interface Circumstances {
  /** 1 for the first attempt. */
  readonly attempt: number
  readonly nowMs: number
  readonly expiresAtMs: number
  /** In [0, 1). */
  readonly random: number
}

const DEFAULT_FLOOR_MS = 1000
/** Apple's advice for 5xx is about 15 minutes (docs/facts/apns.md#server-errors); nobody gains from asking less often than that. */
const LONGEST_DELAY_MS = 15 * 60_000
/** What waits with others for a push service is released with them; this is for what a restart has made forget with whom. */
const LONGEST_WAIT_MS = 30 * 60_000
/** "At once" (nothing had been sent) is believed this often; then it is a fault like any other. */
const IMMEDIATE_ATTEMPTS = 3

export function dispositionOf(outcome: Outcome, circumstances: Circumstances): Disposition {
  switch (outcome.kind) {
    case 'delivered':
    case 'rejected':
    case 'dropped':
      return { kind: 'acknowledge' }
    case 'blocked':
      return { kind: 'hold' }
    case 'failed':
      return { kind: 'dead-letter', reason: outcome.reason }
    case 'waits': {
      const { nowMs, expiresAtMs, random } = circumstances
      const latestMs = Math.min(outcome.latestMs ?? LONGEST_WAIT_MS, LONGEST_WAIT_MS)
      const afterMs = outcome.afterMs ?? latestMs * (0.5 + random / 2)
      return { kind: 'park', group: outcome.group, atMs: Math.min(Math.ceil(nowMs + afterMs), expiresAtMs) }
    }
    case 'retry': {
      const atMs = circumstances.nowMs + retryDelayMs(outcome, circumstances)
      return atMs < circumstances.expiresAtMs
        ? { kind: 'requeue', atMs }
        : { kind: 'dead-letter', reason: `expired: ${outcome.reason}` }
    }
  }
}

/**
 * What the push service asked for is authoritative: never sooner, and at most a tenth (or a minute) later so that a thousand deliveries do not
 * come back in the same millisecond. Else exponential with full jitter above a floor.
 */
export function retryDelayMs(
  { afterMs, floorMs = DEFAULT_FLOOR_MS }: Retry,
  { attempt, random }: Circumstances,
): number {
  if (afterMs === 0 && attempt <= IMMEDIATE_ATTEMPTS) return 0
  if (afterMs !== undefined && afterMs > 0) return Math.ceil(afterMs + random * Math.min(afterMs / 10, 60_000))
  const ceilingMs = Math.max(floorMs, Math.min(floorMs * 2 ** attempt, LONGEST_DELAY_MS))
  return Math.ceil(floorMs + random * (ceilingMs - floorMs))
}
