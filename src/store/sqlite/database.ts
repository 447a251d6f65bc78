/** The thread that owns the database: what lies there together is one transaction, so an fsync never holds the event loop of the gateway. */
import type { DatabaseSync } from 'node:sqlite'
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads'
import { StoreRefusedError } from '../../core/errors.ts'
import { Sealer } from '../../core/keyring.ts'
import { noteIn, type Note } from '../contract.ts'
import { sealEnvelope } from '../envelope.ts'
import { sealNote } from '../note.ts'
import { DeadLetterTable } from './dead-letter-table.ts'
import { DeliveryTable } from './delivery-table.ts'
import { assertRoom, fillOf } from './disk-room.ts'
import { MemoryTable } from './memory-table.ts'
import { readNewRows, type NewRow } from './new-rows.ts'
import type {
  Answer,
  DatabaseSettings,
  FromThread,
  Input,
  OperationName,
  Output,
  Request,
  RowDisposition,
  ToThread,
} from './operations.ts'
import { SealedPages } from './sealed-pages.ts'
import { openDatabase, probeRoom, readNumber } from './schema.ts'

/** Free pages are given back to the file system when they are at least this many, and a quarter of the file. */
const FREE_PAGES_KEPT = 1024
const PAGES_FREED_AT_ONCE = 256

type Handlers = { readonly [Name in OperationName]: (input: Input<Name>) => Output<Name> }

function createHandlers(database: DatabaseSync, deadLetters: DeadLetterTable, settings: DatabaseSettings): Handlers {
  const { path } = settings
  const sealer = new Sealer(settings.sealingKey)
  const deliveries = new DeliveryTable(database)
  const memory = new MemoryTable(database)
  const keep = ({ key, text, expiresAtMs }: Note): void =>
    memory.setUntil(key, sealNote(sealer, key, text), expiresAtMs)
  const pages = {
    delivery: new SealedPages(database, 'delivery'),
    dead_letter: new SealedPages(database, 'dead_letter'),
  }
  return {
    add: ({ rows, nowMs }) => {
      assertRoom(database, path)
      return readNewRows(rows).map((row) => add(row, sealer, deliveries, memory, nowMs))
    },
    acknowledge: ({ orders, notes, notesExpireAtMs }) => {
      for (const order of orders) deliveries.remove(order)
      for (let index = 0; index + 1 < notes.length; index += 2)
        keep({ key: notes[index] ?? '', text: notes[index + 1] ?? '', expiresAtMs: notesExpireAtMs })
    },
    release: (input) => deliveries.release(input),
    fetchDue: (input) => deliveries.fetchDue(input),
    applyDisposition: (input) => {
      applyDisposition(input, deliveries, deadLetters)
      const note = noteIn(input.disposition)
      if (note !== undefined) keep(note)
    },
    depth: (input) => ({ ...deliveries.depth(input), dead: deadLetters.count(input.route, input.nowMs) }),
    listDead: (input) => deadLetters.list(input),
    retryDead: (input) => deadLetters.retry(input),
    dropDead: (input) => deadLetters.drop(input),
    readPage: (input) => pages[input.table].read(input),
    readStarts: (input) => pages[input.table].starts(input),
    readRows: (input) => pages[input.table].rows(input),
    removeRows: (input) => pages[input.table].remove(input),
    fetchOverdue: (input) => deliveries.fetchOverdue(input),
    get: (input) => memory.get(input),
    set: (input) => memory.set(input),
    setMany: ({ keys, ...entry }) => {
      for (const key of keys) memory.set({ key, ...entry })
    },
    setIfAbsent: (input) => memory.setIfAbsent(input),
    raise: (input) => memory.raise(input),
    delete: (input) => memory.delete(input),
    keys: (input) => memory.keys(input),
    maintain: ({ nowMs, probe }) => {
      if (probe) {
        assertRoom(database, path)
        probeRoom(database)
      }
      const steps = [deadLetters.purge(nowMs), memory.purge(nowMs), freePages(database)]
      return { isMoreToDo: steps.includes(true), fill: fillOf(database, path, settings.maxBytes) }
    },
  }
}

/** What comes with the delivery is remembered in the same transaction. So what is claimed is stored, and what is stored is claimed. */
function add(
  row: NewRow,
  sealer: Sealer,
  deliveries: DeliveryTable,
  memory: MemoryTable,
  nowMs: number,
): Output<'add'>[number] {
  const { unless, requires, claims, raises, lifetimeMs } = row
  const found = unless.filter((key) => memory.has(key, nowMs))
  if (found.length > 0) return found
  if (requires !== undefined && !memory.has(requires, nowMs)) return null
  const order = deliveries.add(row, sealEnvelope(sealer, row.route, row.envelope))
  if (claims !== undefined) memory.set({ key: claims, value: row.id, lifetimeMs, nowMs })
  for (const key of raises) memory.raise({ key, value: order, lifetimeMs, nowMs })
  return order
}

function applyDisposition(row: RowDisposition, deliveries: DeliveryTable, deadLetters: DeadLetterTable): void {
  const { order, disposition } = row
  switch (disposition.kind) {
    case 'acknowledge':
      return deliveries.remove(order)
    case 'requeue':
    case 'park':
      return deliveries.requeue(row, disposition.atMs)
    case 'hold':
      return
    case 'dead-letter':
      deadLetters.add(row, disposition.reason)
      return deliveries.remove(order)
  }
}

/** A note is of less worth than what makes room on a disk that is full. */
function withoutNotes(request: Request): Request {
  if (request.name === 'acknowledge' && request.input.notes.length > 0)
    return { ...request, input: { ...request.input, notes: [] } }
  if (request.name !== 'applyDisposition') return request
  const { disposition } = request.input
  return 'note' in disposition
    ? { ...request, input: { ...request.input, disposition: { ...disposition, note: undefined } } }
    : request
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

/** All of it is stored, or nothing. */
function transact(
  database: DatabaseSync,
  deadLetters: DeadLetterTable,
  work: () => readonly Answer[],
): readonly Answer[] {
  database.exec('begin')
  const answers = work()
  deadLetters.trimGrown()
  database.exec('commit')
  return answers
}

function serve(settings: DatabaseSettings): void {
  const database = openDatabase(settings)
  const deadLetters = new DeadLetterTable(database)
  const handlers = createHandlers(database, deadLetters, settings)
  let emptiedAtMs = performance.now()

  function transactAll(requests: readonly Request[]): readonly Answer[] {
    try {
      return transact(database, deadLetters, () => requests.map((request) => ({ output: answer(handlers, request) })))
    } catch (error) {
      recover(database)
      const failure: Answer = { failure: error instanceof Error ? error.message : 'unknown' }
      // What has been sent is removed, and so empties a full disk: that must not fail because of what is new.
      const others = requests.filter(({ name }) => name !== 'add').map(withoutNotes)
      if (others.every((request) => requests.includes(request))) return requests.map(() => failure)
      const answers = transactAll(others).values()
      return requests.map(({ name }) => (name === 'add' ? failure : (answers.next().value ?? failure)))
    }
  }

  parentPort?.on('message', (first: ToThread) => {
    const messages = parentPort === null ? [first] : [first, ...waitingAt(parentPort)]
    const requests = messages.filter((message) => message !== 'close')
    if (requests.length > 0) post({ kind: 'answers', messages: requests.length, answers: transactAll(requests.flat()) })
    if (performance.now() >= emptiedAtMs + settings.emptyLogEveryMs) {
      emptyLog(database, 'truncate')
      emptiedAtMs = performance.now()
    }
    if (requests.length === messages.length) return
    database.close()
    parentPort?.close()
  })
  post({ kind: 'opened' })
}

function waitingAt(port: MessagePort): readonly ToThread[] {
  const messages: ToThread[] = []
  for (;;) {
    const received: { readonly message: ToThread } | undefined = receiveMessageOnPort(port)
    if (received === undefined) return messages
    messages.push(received.message)
  }
}

/**
 * Undoes a failed transaction, and empties the log into the database: a log that cannot grow can then be written from its start. A disk that fails may fail
 * here too; then the next transaction fails, and comes here again.
 */
function recover(database: DatabaseSync): void {
  try {
    if (database.isTransaction) database.exec('rollback')
  } catch {}
  emptyLog(database, 'passive')
}

/** Into the database. A disk that fails may fail here too: the next transaction tells of it. */
function emptyLog(database: DatabaseSync, mode: 'passive' | 'truncate'): void {
  try {
    database.exec(`pragma wal_checkpoint(${mode})`)
  } catch {}
}

function post(message: FromThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message)
}

function start(settings: DatabaseSettings): void {
  try {
    serve(settings)
  } catch (error) {
    if (!(error instanceof StoreRefusedError)) throw error
    post({ kind: 'refused', reason: error.message })
  }
}

start(workerData)
