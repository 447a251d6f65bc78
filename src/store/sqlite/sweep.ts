/** One step of the sweep: deliveries that are overdue, because nobody is handed them, become what the worker would make of them. */
import type { Keyring } from '../../core/keyring.ts'
import { OVERDUE_MS } from '../contract.ts'
import { tryOpenDeliveries } from '../envelope.ts'
import { dispositionOfExpired } from '../expiry.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { OverdueRow, StoredDisposition } from './operations.ts'
import { dispositionOfUnreadableRow, toStoredDisposition } from './stored-disposition.ts'

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
  const dispositions = rows.map((row) => dispositionOf(row, keyring, nowMs)).filter((each) => each !== undefined)
  await Promise.all(dispositions.map((disposition) => thread.run({ name: 'applyDisposition', input: disposition })))
  return rows.length === ROWS_PER_STEP
}

function dispositionOf(row: OverdueRow, keyring: Keyring, nowMs: number): StoredDisposition | undefined {
  const { route, order, attempts, sealed } = row
  const [delivery] = tryOpenDeliveries(keyring, route, sealed) ?? []
  if (delivery === undefined) return dispositionOfUnreadableRow(row, nowMs)
  const attempted = { order, id: delivery.id, attempts: attempts + 1 }
  return toStoredDisposition(dispositionOfExpired(delivery), attempted, nowMs)
}
