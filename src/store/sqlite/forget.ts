/** Removes what is stored for one device. Opens all deliveries and dead letters of its route, page by page: whose they are is sealed. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Removed } from '../contract.ts'
import { tryOpenDeliveries } from '../envelope.ts'
import { forgetInOrder, type RemovedPart } from '../forget.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { Output, SealedTable } from './operations.ts'

/** Takes about 2 ms of this thread to open, and less of the database's. */
const ROWS_PER_PAGE = 100

interface Search {
  readonly thread: DatabaseThread
  readonly keyring: Keyring
  readonly route: string
  readonly deviceHash: string
}

export function forgetDevice(search: Search): Promise<Removed> {
  return forgetInOrder(
    () => removeFrom('delivery', search),
    () => removeFrom('dead_letter', search),
  )
}

async function removeFrom(table: SealedTable, { thread, keyring, route, deviceHash }: Search): Promise<RemovedPart> {
  const removed: Delivery[] = []
  let unreadable = 0
  let after: number | undefined = 0
  while (after !== undefined) {
    const input = { table, route, after, limit: ROWS_PER_PAGE }
    const page: Output<'readPage'> = await thread.run({ name: 'readPage', input })
    const opened = page.rows.map(({ order, sealed }) => ({
      order,
      delivery: tryOpenDeliveries(keyring, route, sealed)?.[0],
    }))
    const found = opened.filter(({ delivery }) => delivery?.deviceHash === deviceHash)
    if (found.length > 0)
      await thread.run({ name: 'removeRows', input: { table, orders: found.map(({ order }) => order) } })
    removed.push(...found.flatMap(({ delivery }) => delivery ?? []))
    unreadable += opened.filter(({ delivery }) => delivery === undefined).length
    after = page.last
  }
  return { removed, unreadable }
}
