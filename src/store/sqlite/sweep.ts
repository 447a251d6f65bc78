/** One step of the sweep: deliveries that are overdue, because nobody is handed them, become what the worker would make of them. */
import type { Keyring } from '../../core/keyring.ts'
import { OVERDUE_MS } from '../contract.ts'
import { tryOpenDeliveries } from '../envelope.ts'
import { dispositionOfExpired } from '../expiry.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { OverdueRow, RowDisposition } from './operations.ts'
import { unreadableRow } from './row-disposition.ts'

const ROWS_PER_STEP = 100

export interface SweepOptions {
  readonly thread: DatabaseThread
  readonly keyring: Keyring
  readonly nowMs: number
  /** Orders of the deliveries that are handed out. */
  readonly inFlight: readonly number[]
}

/** Resolves with true when there may be more. A consumer that is handed one of them meanwhile decides alike; the second of the two finds no row. */
export async function sweep({ thread, keyring, nowMs, inFlight }: SweepOptions): Promise<boolean> {
  const input = { beforeMs: nowMs - OVERDUE_MS, inFlight, limit: ROWS_PER_STEP }
  const rows = await thread.run({ name: 'fetchOverdue', input })
  const dispositions = rows.map((row) => dispositionOf(row, keyring, nowMs))
  await Promise.all(dispositions.map((each) => thread.run({ name: 'applyDisposition', input: each })))
  return rows.length === ROWS_PER_STEP
}

function dispositionOf(row: OverdueRow, keyring: Keyring, nowMs: number): RowDisposition {
  const { route, order, attempts, sealed } = row
  const [delivery] = tryOpenDeliveries(keyring, route, sealed) ?? []
  if (delivery === undefined) return unreadableRow(row, nowMs)
  return { order, id: delivery.id, attempts: attempts + 1, disposition: dispositionOfExpired(delivery), nowMs }
}
