/** One step of clearing away deliveries that nobody is handed: they become what the worker would have made of them. */
import type { Keyring } from '../../core/keyring.ts'
import { OVERDUE_MS } from '../contract.ts'
import { openDeliveries } from '../envelope.ts'
import { isKeptWhenExpired } from '../../core/delivery.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { DueRow, OverdueRow, StoredDisposition } from './operations.ts'

const AT_ONCE = 100

export interface SweepPorts {
  readonly thread: DatabaseThread
  readonly keyring: Keyring
  readonly nowMs: number
  /** Orders of what is handed out. */
  readonly except: readonly number[]
}

/** Resolves with true when there may be more. Whoever is handed one meanwhile settles it alike: the second to do so finds nothing. */
export async function sweep({ thread, keyring, nowMs, except }: SweepPorts): Promise<boolean> {
  const input = { beforeMs: nowMs - OVERDUE_MS, except, limit: AT_ONCE }
  const rows = await thread.askPatiently({ name: 'overdue', input })
  const settlements = rows.map((row) => storedDispositionOf(row, keyring, nowMs))
  await Promise.all(settlements.map((disposition) => thread.askPatiently({ name: 'settle', input: disposition })))
  return rows.length === AT_ONCE
}

function storedDispositionOf(row: OverdueRow, keyring: Keyring, nowMs: number): StoredDisposition {
  const { route, order, attempts, sealed } = row
  try {
    const [delivery] = openDeliveries(keyring, route, sealed)
    if (delivery === undefined || !isKeptWhenExpired(delivery)) return { kind: 'acknowledge', order }
    return { kind: 'dead-letter', order, id: delivery.id, reason: 'expired', attempts: attempts + 1, atMs: nowMs }
  } catch {
    return unreadable(row, nowMs)
  }
}

/** What has expired and cannot be read is the operator's to decide. */
export function unreadable({ order, attempts }: DueRow, nowMs: number): StoredDisposition {
  return { kind: 'dead-letter', order, attempts, id: `unreadable-${order}`, reason: 'unreadable', atMs: nowMs }
}
