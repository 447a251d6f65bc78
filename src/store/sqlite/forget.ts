/** Removes what is stored for one device: opens all of its app, page by page, for the device is sealed like the rest. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Removed } from '../contract.ts'
import { tryOpenDeliveries } from '../envelope.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { Output, SealedTable } from './operations.ts'

/** About 2 ms of this thread to open, and less of the database's. */
const PAGE = 100

export interface ForgetPorts {
  readonly thread: DatabaseThread
  readonly keyring: Keyring
}

export async function forgetDevice(ports: ForgetPorts, app: string, device: string): Promise<Removed> {
  // In this order: what is given up meanwhile is found where it has gone.
  const deliveries = await removeFrom(ports, 'delivery', app, device)
  const deadLetters = await removeFrom(ports, 'dead_letter', app, device)
  return {
    deliveries: deliveries.removed,
    deadLetters: deadLetters.removed,
    unreadable: deliveries.unreadable + deadLetters.unreadable,
  }
}

async function removeFrom({ thread, keyring }: ForgetPorts, table: SealedTable, app: string, device: string) {
  const removed: Delivery[] = []
  let unreadable = 0
  let after: number | undefined = 0
  while (after !== undefined) {
    const page: Output<'page'> = await thread.askPatiently({ name: 'page', input: { table, app, after, limit: PAGE } })
    const opened = page.rows.map((row) => ({ row, delivery: tryOpenDeliveries(keyring, app, row.sealed)?.[0] }))
    const chosen = opened.filter(({ delivery }) => delivery?.device === device)
    if (chosen.length > 0)
      await thread.askPatiently({ name: 'remove', input: { table, orders: chosen.map(({ row }) => row.order) } })
    removed.push(...chosen.flatMap(({ delivery }) => delivery ?? []))
    unreadable += opened.filter(({ delivery }) => delivery === undefined).length
    after = page.last
  }
  return { removed, unreadable }
}
