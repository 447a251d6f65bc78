/** The thread that owns the database: one message is one transaction, so an fsync never holds the event loop of the gateway. */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import { DeadLetterTable } from './dead-letter-table.ts'
import { DeliveryTable } from './delivery-table.ts'
import { MemoryTable } from './memory-table.ts'
import type {
  DatabaseSettings,
  FromThread,
  Input,
  OperationName,
  Output,
  Request,
  Settlement,
  ToThread,
} from './operations.ts'
import { openDatabase, readNumber, Refused, touch } from './schema.ts'

/** Free pages are given back to the file system when they are this many and a quarter of the file; so many at once. */
const FREE_PAGES_KEPT = 1024
const PAGES_FREED_AT_ONCE = 1024

type Handlers = { readonly [Name in OperationName]: (input: Input<Name>) => Output<Name> }

function createHandlers(database: DatabaseSync, deadLetters: DeadLetterTable): Handlers {
  const deliveries = new DeliveryTable(database)
  const memory = new MemoryTable(database)
  return {
    add: (input) => deliveries.add(input),
    take: (input) => deliveries.take(input),
    settle: (settlement) => settle(settlement, deliveries, deadLetters),
    depth: (input) => ({ ...deliveries.depth(input), dead: deadLetters.count(input.app, input.nowMs) }),
    listDead: (input) => deadLetters.list(input),
    retryDead: (input) => deadLetters.retry(input),
    dropDead: (input) => deadLetters.drop(input),
    get: (input) => memory.get(input),
    set: (input) => memory.set(input),
    setIfAbsent: (input) => memory.setIfAbsent(input),
    raise: (input) => memory.raise(input),
    delete: (input) => memory.delete(input),
    maintain: ({ nowMs, probe }) => {
      if (probe) touch(database)
      const steps = [deadLetters.purge(nowMs), memory.purge(nowMs), freePages(database)]
      return { isMoreToDo: steps.includes(true) }
    },
  }
}

function settle(settlement: Settlement, deliveries: DeliveryTable, deadLetters: DeadLetterTable): void {
  if (settlement.kind === 'later') return deliveries.delay(settlement)
  if (settlement.kind === 'dead') deadLetters.bury(settlement)
  deliveries.remove(settlement.order)
}

/** True when there is more to give back. */
function freePages(database: DatabaseSync): boolean {
  const free = readNumber(database, 'pragma freelist_count')
  if (free < FREE_PAGES_KEPT || free < readNumber(database, 'pragma page_count') / 4) return false
  database.exec(`pragma incremental_vacuum(${PAGES_FREED_AT_ONCE})`)
  return true
}

function answer<Name extends OperationName>(handlers: Handlers, request: Request<Name>): Output<Name> {
  const handler: (input: Input<Name>) => Output<Name> = handlers[request.name]
  return handler(request.input)
}

function transact(
  database: DatabaseSync,
  handlers: Handlers,
  deadLetters: DeadLetterTable,
  requests: readonly Request[],
): FromThread {
  try {
    database.exec('begin')
    const outputs = requests.map((request) => answer(handlers, request))
    deadLetters.trimGrown()
    database.exec('commit')
    return { kind: 'committed', outputs }
  } catch (error) {
    rollBack(database)
    return { kind: 'failed', reason: error instanceof Error ? error.message : 'unknown' }
  }
}

/** A disk that fails may fail here too; then the next transaction cannot begin, fails, and comes here again. */
function rollBack(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec('rollback')
  } catch {}
}

function serve(settings: DatabaseSettings): void {
  const database = openDatabase(settings)
  const deadLetters = new DeadLetterTable(database)
  const handlers = createHandlers(database, deadLetters)
  parentPort?.on('message', (message: ToThread) => {
    if (message !== 'close') return say(transact(database, handlers, deadLetters, message))
    database.close()
    parentPort?.close()
  })
  say({ kind: 'opened' })
}

function say(message: FromThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message)
}

function start(settings: DatabaseSettings): void {
  try {
    serve(settings)
  } catch (error) {
    if (!(error instanceof Refused)) throw error
    say({ kind: 'refused', reason: error.message })
  }
}

start(workerData)
