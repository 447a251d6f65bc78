/** What becomes of a delivery that has expired, whoever notices it: the worker, or the store where nobody is handed it; and of one that cannot be opened. */
import { isKeptWhenExpired, type Delivery } from '../core/delivery.ts'
import type { Disposition } from './contract.ts'

/** A delivery that cannot be opened is looked at again after this time: its key may have come back. */
export const UNREADABLE_DELAY_MS = 60_000

export function dispositionOfExpired(delivery: Delivery, reason = 'expired'): Disposition {
  return isKeptWhenExpired(delivery) ? { kind: 'dead-letter', reason } : { kind: 'acknowledge' }
}

/** It waits for its key until it expires. Then it is for the operator to decide. */
export function dispositionOfUnreadable(expiresAtMs: number, nowMs: number): Disposition {
  return nowMs < expiresAtMs
    ? { kind: 'requeue', atMs: nowMs + UNREADABLE_DELAY_MS }
    : { kind: 'dead-letter', reason: 'unreadable' }
}
