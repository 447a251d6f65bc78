/** The depth of a route is what lies in the table, whatever happened to it; and it is not counted anew. */
import fc from 'fast-check'
import { mkdtempSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DeadLetterTable } from '../../src/store/sqlite/dead-letter-table.ts'
import { DeliveryTable } from '../../src/store/sqlite/delivery-table.ts'
import { openDatabase } from '../../src/store/sqlite/schema.ts'
import { SealedPages } from '../../src/store/sqlite/sealed-pages.ts'

const NOW_MS = Date.now()
const SEALED = Uint8Array.of(1)

let folder: string
let database: DatabaseSync
let tables: ReturnType<typeof tablesOf>
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-counts-'))
  database = open()
  tables = tablesOf(database)
})
afterAll(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

function open(): DatabaseSync {
  return openDatabase({ path: join(folder, 'hushgate.db'), synchronous: 'NORMAL', maxBytes: undefined })
}

function tablesOf(of: DatabaseSync) {
  return {
    deliveries: new DeliveryTable(of),
    deadLetters: new DeadLetterTable(of),
    pages: new SealedPages(of, 'delivery'),
  }
}

function add(route: string, priority: number, dueAtMs: number): number {
  const nothing = {
    id: '',
    envelope: '',
    unless: [],
    requires: undefined,
    claims: undefined,
    raises: [],
    lifetimeMs: 0,
  }
  const row = { ...nothing, route, priority, acceptedAtMs: dueAtMs, dueAtMs, expiresAtMs: NOW_MS + 1e9 }
  return tables.deliveries.add(row, SEALED)
}

/** As one would count. */
function counted(route: string, nowMs: number, inFlight: readonly number[]) {
  const rows = database.prepare('select seq, run_at from delivery where app = ?').all(route)
  const due = rows.filter(({ run_at: runAt }) => Number(runAt) <= nowMs)
  const waiting = due.filter(({ seq }) => !inFlight.includes(Number(seq)))
  return { waiting: waiting.length, delayed: rows.length - due.length }
}

const time = fc.integer({ min: NOW_MS - 20, max: NOW_MS + 20 })
/** The row that is meant, of those that there were ever; it may be gone. */
const which = fc.nat(5)
const step = fc.oneof(
  fc.record({ do: fc.constant('add' as const), priority: fc.nat(2), atMs: time }),
  fc.record({ do: fc.constant('remove' as const), which }),
  fc.record({ do: fc.constant('remove pages' as const), which }),
  fc.record({ do: fc.constant('requeue' as const), which, atMs: time }),
  fc.record({ do: fc.constant('release' as const), which, atMs: time }),
  fc.record({ do: fc.constant('give up' as const), which }),
  fc.record({ do: fc.constant('retry' as const), atMs: time }),
  fc.record({ do: fc.constant('ask' as const), atMs: time, inFlight: fc.array(which, { maxLength: 3 }) }),
  fc.record({ do: fc.constant('undo' as const), priority: fc.nat(2), atMs: time }),
)
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never

function disposed(order: number, attempts = 1) {
  return { order, id: `id-${order}`, attempts, disposition: { kind: 'acknowledge' as const }, nowMs: NOW_MS }
}

/** What a depth was said to be, and what it is. */
type Answers = [said: object, counted: object][]

function run(route: string, orders: number[], answers: Answers, taken: Step): void {
  const { deliveries, deadLetters, pages } = tables
  const orderOf = (index: number): number => orders[index] ?? -1
  switch (taken.do) {
    case 'add':
      return void orders.push(add(route, taken.priority, taken.atMs))
    case 'remove':
      return deliveries.remove(orderOf(taken.which))
    case 'remove pages':
      return pages.remove({ table: 'delivery', orders: [orderOf(taken.which), orderOf(taken.which + 1)] })
    case 'requeue':
      return deliveries.requeue(disposed(orderOf(taken.which)), taken.atMs)
    case 'release':
      return deliveries.release({ orders: [orderOf(taken.which)], nowMs: taken.atMs })
    case 'give up':
      deadLetters.add(disposed(orderOf(taken.which)), 'reason')
      return deliveries.remove(orderOf(taken.which))
    case 'retry':
      return void deadLetters.retry({
        filter: { route },
        revival: { expiresAtMs: NOW_MS + 1e9, callMaxAgeMs: 1e9 },
        nowMs: taken.atMs,
      })
    case 'ask': {
      const inFlight = [...new Set(taken.inFlight.map(orderOf))]
      const { waiting, delayed } = deliveries.depth({ route, nowMs: taken.atMs, inFlight })
      return void answers.push([{ waiting, delayed }, counted(route, taken.atMs, inFlight)])
    }
    case 'undo':
      database.exec('begin')
      add(route, taken.priority, taken.atMs)
      deliveries.remove(orderOf(0))
      deliveries.depth({ route, nowMs: taken.atMs + 5, inFlight: [] })
      return database.exec('rollback')
  }
}

let routes = 0
it('whatever is stored, moved, removed, given up, put back and undone, and wherever the clock goes', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), time, (steps, atMs) => {
      const route = `route-${(routes += 1)}`
      const orders: number[] = []
      const answers: Answers = []
      for (const taken of [...steps, { do: 'ask' as const, atMs, inFlight: [] }]) run(route, orders, answers, taken)
      expect(answers.map(([said]) => said)).toEqual(answers.map(([, is]) => is))
    }),
    { numRuns: 300 },
  )
})

it('what lies in the file when it is opened is counted', () => {
  for (let index = 0; index < 5; index += 1) add('left', 1, NOW_MS - 5)
  add('left', 2, NOW_MS + 1e6)
  database.close()
  database = open()
  tables = tablesOf(database)
  const { waiting, delayed } = tables.deliveries.depth({ route: 'left', nowMs: NOW_MS, inFlight: [] })
  expect({ waiting, delayed }).toEqual({ waiting: 5, delayed: 1 })
})

it('what was counted is not counted again, so however much waits, it takes no longer to ask', () => {
  for (let index = 0; index < 5; index += 1) add('many', 1, NOW_MS - 5)
  const depth = (): number => tables.deliveries.depth({ route: 'many', nowMs: NOW_MS, inFlight: [] }).waiting
  expect(depth()).toBe(5)
  database.exec("update delivery_count set total = total + 1000000, due = due + 1000000 where route = 'many'")
  expect(depth()).toBe(1_000_005)
})
