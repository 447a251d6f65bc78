/**
 * Finds, or removes, what is stored for a device, page by page. Its name is sealed. A search reads how each row of the route begins, and opens few. A removal looks through the whole table, where
 * nothing is missed, and opens each row of the route.
 */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Held, Removed } from '../contract.ts'
import { mayBeFor, startBytes, tryOpenDeliveries } from '../envelope.ts'
import { forgetInOrder, type RemovedPart } from '../forget.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { Output, SealedRows, SealedTable } from './operations.ts'

/** So many are removed at once at most, too. */
const ROWS_PER_PAGE = 100
/** Takes 1 to 2 ms of the database's thread, and less of this one. Each page may wait for a commit. */
const STARTS_PER_PAGE = 400

interface Search {
  readonly thread: DatabaseThread
  readonly keyring: Keyring
  readonly route: string
  /** Of the devices. */
  readonly hashStart: string
}

export function forgetDevice(parts: Omit<Search, 'hashStart'> & { readonly deviceHash: string }): Promise<Removed> {
  const search = { ...parts, hashStart: parts.deviceHash }
  return forgetInOrder(
    () => removeFrom('delivery', search),
    () => removeFrom('dead_letter', search),
  )
}

export function searchDevices(parts: Search): Promise<Held> {
  return forgetInOrder(
    () => searchTable('delivery', parts),
    () => searchTable('dead_letter', parts),
  )
}

/** Opens those that may be for the devices: of the others only the beginning is read. */
async function searchTable(table: SealedTable, search: Search): Promise<RemovedPart> {
  const { thread, route, keyring, hashStart } = search
  // By their order: one may be met twice.
  const found = new Map<number, Delivery>()
  const unreadable = new Set<number>()
  let after: readonly number[] | undefined = []
  while (after !== undefined) {
    const input = { table, route, after, limit: STARTS_PER_PAGE, bytes: startBytes(1) }
    const page: Output<'readStarts'> = await thread.run({ name: 'readStarts', input })
    const isWanted = mayBeFor(keyring, rowsOf(page), hashStart)
    const wanted = page.orders.filter((_, index) => isWanted[index])
    for (let first = 0; first < wanted.length; first += ROWS_PER_PAGE) {
      const orders = wanted.slice(first, first + ROWS_PER_PAGE)
      const rows = await thread.run({ name: 'readRows', input: { table, orders } })
      for (const { order, opened } of openAll(rows, search)) {
        if (opened === undefined) unreadable.add(order)
        else for (const delivery of opened) found.set(order, delivery)
      }
    }
    after = page.last
  }
  return { removed: [...found.values()], unreadable: unreadable.size }
}

async function removeFrom(table: SealedTable, search: Search): Promise<RemovedPart> {
  const { thread, route } = search
  const removed: Delivery[] = []
  let unreadable = 0
  let after: number | undefined = 0
  while (after !== undefined) {
    const input = { table, route, after, limit: ROWS_PER_PAGE }
    const page: Output<'readPage'> = await thread.run({ name: 'readPage', input })
    const orders: number[] = []
    for (const { order, opened } of openAll(page, search)) {
      const [delivery] = opened ?? []
      if (opened === undefined) unreadable += 1
      else if (delivery !== undefined) {
        orders.push(order)
        removed.push(delivery)
      }
    }
    if (orders.length > 0) await thread.run({ name: 'removeRows', input: { table, orders } })
    after = page.last
  }
  return { removed, unreadable }
}

/** `opened`: those for the devices that are looked for; undefined where it cannot be opened. */
function* openAll(
  rows: SealedRows,
  { keyring, route, hashStart }: Search,
): Generator<{ readonly order: number; readonly opened: readonly Delivery[] | undefined }> {
  for (const [index, row] of rowsOf(rows).entries())
    yield { order: rows.orders[index] ?? 0, opened: tryOpenDeliveries(keyring, route, row, hashStart) }
}

function rowsOf({ sealed, ends }: SealedRows): Buffer[] {
  const all = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
  return ends.map((end, index) => all.subarray(ends[index - 1] ?? 0, end))
}
