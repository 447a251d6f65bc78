/** The disposition of a row whose content cannot be opened. */
import { dispositionOfUnreadable } from '../expiry.ts'
import type { DueRow, RowDisposition } from './operations.ts'

/** The id of the delivery is sealed, so its dead letter gets another. */
export function unreadableRow({ order, attempts, expiresAtMs }: DueRow, nowMs: number): RowDisposition {
  const disposition = dispositionOfUnreadable(expiresAtMs, nowMs)
  return { order, id: `unreadable-${order}`, attempts, disposition, nowMs }
}
