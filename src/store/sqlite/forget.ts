/** Finds, or removes, what is stored for a device. Opens all deliveries and dead letters of its route, page by page: whose they are is sealed. What is removed is looked for in the whole table, where nothing is missed. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Held, Removed } from '../contract.ts'
import { tryOpenDeliveries } from '../envelope.ts'
import { forgetInOrder, type RemovedPart } from '../forget.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { Output, SealedRows, SealedTable } from './operations.ts'

/** So many are removed at once at most, too. */
const ROWS_PER_PAGE = 100
/** Takes about 2 ms of this thread to open, and less of the database's. */
const ROWS_SEARCHED_AT_ONCE = 250

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

/** While a page is opened, the next one is read. */
async function searchTable(table: SealedTable, search: Search): Promise<RemovedPart> {
  const { thread, route } = search
  const read = (after: readonly number[] | undefined): Promise<Output<'searchPage'>> =>
    thread.run({ name: 'searchPage', input: { table, route, after, limit: ROWS_SEARCHED_AT_ONCE } })
  // By their order: one may be met twice.
  const found = new Map<number, Delivery>()
  const unreadable = new Set<number>()
  let next: Promise<Output<'searchPage'>> | undefined = read(undefined)
  while (next !== undefined) {
    const page: Output<'searchPage'> = await next
    next = page.last && read(page.last)
    // Now, and not when this page is opened.
    thread.endTurn()
    for (const { order, opened } of openAll(page, search)) {
      if (opened === undefined) unreadable.add(order)
      else for (const delivery of opened) found.set(order, delivery)
    }
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
  { orders, sealed, ends }: SealedRows,
  { keyring, route, hashStart }: Search,
): Generator<{ readonly order: number; readonly opened: readonly Delivery[] | undefined }> {
  for (const [index, order] of orders.entries()) {
    const row = sealed.subarray(ends[index - 1] ?? 0, ends[index])
    yield { order, opened: tryOpenDeliveries(keyring, route, row, hashStart) }
  }
}
