/** What a store itself decides about a delivery: one that has expired and is handed to nobody, and one that cannot be opened. */
import { isKeptWhenExpired, type Delivery } from '../core/delivery.ts'
import type { Disposition } from './contract.ts'

/** A delivery that cannot be opened is looked at again after this time: its key may have come back. */
export const UNREADABLE_DELAY_MS = 60_000

/** As the worker would decide (src/delivery/worker.ts). */
export function dispositionOfExpired(delivery: Delivery): Disposition {
  return isKeptWhenExpired(delivery) ? { kind: 'dead-letter', reason: 'expired' } : { kind: 'acknowledge' }
}

/** It waits for its key until it expires. Then it is for the operator to decide. */
export function dispositionOfUnreadable(expiresAtMs: number, nowMs: number): Disposition {
  return nowMs < expiresAtMs
    ? { kind: 'requeue', atMs: nowMs + UNREADABLE_DELAY_MS }
    : { kind: 'dead-letter', reason: 'unreadable' }
}
