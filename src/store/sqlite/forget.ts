/** Removes what is stored for one device: opens all of its route, page by page, for the device is sealed like the rest. */
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

export async function forgetDevice(ports: ForgetPorts, route: string, deviceHash: string): Promise<Removed> {
  // In this order: what is given up meanwhile is found where it has gone.
  const deliveries = await removeFrom(ports, 'delivery', route, deviceHash)
  const deadLetters = await removeFrom(ports, 'dead_letter', route, deviceHash)
  return {
    deliveries: deliveries.removed,
    deadLetters: deadLetters.removed,
    unreadable: deliveries.unreadable + deadLetters.unreadable,
  }
}

async function removeFrom({ thread, keyring }: ForgetPorts, table: SealedTable, route: string, deviceHash: string) {
  const removed: Delivery[] = []
  let unreadable = 0
  let after: number | undefined = 0
  while (after !== undefined) {
    const page: Output<'page'> = await thread.askPatiently({
      name: 'page',
      input: { table, route, after, limit: PAGE },
    })
    const opened = page.rows.map((row) => ({ row, delivery: tryOpenDeliveries(keyring, route, row.sealed)?.[0] }))
    const chosen = opened.filter(({ delivery }) => delivery?.deviceHash === deviceHash)
    if (chosen.length > 0)
      await thread.askPatiently({ name: 'remove', input: { table, orders: chosen.map(({ row }) => row.order) } })
    removed.push(...chosen.flatMap(({ delivery }) => delivery ?? []))
    unreadable += opened.filter(({ delivery }) => delivery === undefined).length
    after = page.last
  }
  return { removed, unreadable }
}
