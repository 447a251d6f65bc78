/** Dispositions as the database makes them durable. */
import type { Disposition } from '../contract.ts'
import { dispositionOfUnreadable } from '../expiry.ts'
import type { DueRow, StoredDisposition } from './operations.ts'

export interface AttemptedDelivery {
  readonly order: number
  readonly id: string
  /** How many attempts were made. */
  readonly attempts: number
}

/** Undefined when the delivery stays as it is stored. */
export function toStoredDisposition(
  disposition: Disposition,
  { order, id, attempts }: AttemptedDelivery,
  nowMs: number,
): StoredDisposition | undefined {
  switch (disposition.kind) {
    case 'acknowledge':
      return { kind: 'acknowledge', order }
    case 'requeue':
      return { kind: 'requeue', order, attempts, atMs: disposition.atMs }
    case 'hold':
      return undefined
    case 'dead-letter':
      return { kind: 'dead-letter', order, id, attempts, reason: disposition.reason, atMs: nowMs }
  }
}

/** Its own id is sealed, so a dead letter gets another. */
export function dispositionOfUnreadableRow(
  { order, attempts, expiresAtMs }: DueRow,
  nowMs: number,
): StoredDisposition | undefined {
  const id = `unreadable-${order}`
  return toStoredDisposition(dispositionOfUnreadable(expiresAtMs, nowMs), { order, id, attempts }, nowMs)
}
