/** Deliveries that are to be handed out, in SQL. The table does not know what is in flight: the main thread says so with each request. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { Priority } from '../../core/delivery.ts'
import { DeliveryCounts } from './delivery-counts.ts'
import {
  type DueRow,
  type Input,
  type Output,
  PRIORITIES,
  type RowDisposition,
  type StoredDepth,
} from './operations.ts'
import type { NewRow } from './new-rows.ts'
import { blob, integer, optionalInteger, text } from './rows.ts'

export class DeliveryTable {
  readonly #insert: StatementSync
  readonly #due: StatementSync
  readonly #next: StatementSync
  readonly #remove: StatementSync
  readonly #overdue: StatementSync
  readonly #requeue: StatementSync
  readonly #release: StatementSync
  readonly #counts: DeliveryCounts
  readonly #countHandedOut: StatementSync
  readonly #firstDue: StatementSync
  readonly #firstWaiting: StatementSync
  readonly #firstTried: StatementSync

  constructor(database: DatabaseSync) {
    this.#insert = database.prepare(`
      insert into delivery (app, priority, run_at, accepted_at, expires_at, sealed)
      values (?, ?, ?, ?, ?, ?)`)
    this.#due = database.prepare(`
      select seq, priority, attempts, accepted_at, expires_at, sealed from delivery
      where app = :route and priority = :priority and run_at <= :now and seq not in (select value from json_each(:inFlight))
      order by run_at, seq limit :limit`)
    this.#next = database.prepare(`
      select min(run_at) as run_at from delivery where app = :route and priority = :priority and run_at > :now`)
    this.#remove = database.prepare('delete from delivery where seq = ?')
    this.#overdue = database.prepare(`
      select seq, app, priority, attempts, accepted_at, expires_at, sealed from delivery
      where expires_at < :before and seq not in (select value from json_each(:inFlight)) order by expires_at limit :limit`)
    this.#requeue = database.prepare('update delivery set run_at = :runAt, attempts = :attempts where seq = :seq')
    this.#release = database.prepare('update delivery set run_at = accepted_at where seq = ? and run_at > ?')
    this.#counts = new DeliveryCounts(database)
    // A cross join goes through what is handed out, and never through what waits.
    this.#countHandedOut = database.prepare(`
      select count(*) as count from json_each(:inFlight) as handed cross join delivery on delivery.seq = handed.value
      where app = :route and run_at <= :now`)
    this.#firstDue = database.prepare(`
      select accepted_at from delivery where app = :route and priority = :priority and run_at <= :now
      order by run_at, seq limit 1`)
    this.#firstWaiting = database.prepare(`
      select run_at from delivery where app = :route and priority = :priority and run_at <= :now
        and seq not in (select value from json_each(:inFlight))
      order by run_at, seq limit 1`)
    this.#firstTried = database.prepare(`
      select min(accepted_at) as accepted_at from delivery where app = :route and attempts > 0`)
  }

  /** Returns its order. */
  add({ route, priority, acceptedAtMs, dueAtMs, expiresAtMs }: NewRow, sealed: Uint8Array<ArrayBuffer>): number {
    const { lastInsertRowid } = this.#insert.run(route, priority, dueAtMs, acceptedAtMs, expiresAtMs, sealed)
    return Number(lastInsertRowid)
  }

  fetchDue({ route, limit, nowMs, inFlight }: Input<'fetchDue'>): Output<'fetchDue'> {
    const rows: DueRow[] = []
    for (const priority of PRIORITIES.keys()) {
      const left = limit - rows.length
      if (left === 0) break
      const found = this.#due.all({ route, priority, now: nowMs, inFlight: JSON.stringify(inFlight), limit: left })
      rows.push(...found.map(readDue))
    }
    return { rows, nextAtMs: this.#nextAtMs(route, nowMs, rows.length < limit ? PRIORITIES : ['call']) }
  }

  fetchOverdue({ beforeMs, inFlight, limit }: Input<'fetchOverdue'>): Output<'fetchOverdue'> {
    const found = this.#overdue.all({ before: beforeMs, inFlight: JSON.stringify(inFlight), limit })
    return found.map((row) => ({ ...readDue(row), route: text(row, 'app') }))
  }

  #nextAtMs(route: string, nowMs: number, among: readonly Priority[]): number | undefined {
    const times = among
      .map((priority) => ({ route, priority: PRIORITIES.indexOf(priority), now: nowMs }))
      .map((input) => optionalInteger(this.#next.get(input), 'run_at'))
    return earliest(times)
  }

  remove(order: number): void {
    this.#remove.run(order)
  }

  requeue({ order, attempts }: RowDisposition, atMs: number): void {
    this.#requeue.run({ seq: order, runAt: Math.ceil(atMs), attempts })
  }

  release({ orders, nowMs }: Input<'release'>): void {
    for (const order of orders) this.#release.run(order, nowMs)
  }

  /** Costs the same however many wait. */
  depth({ route, nowMs, inFlight }: Input<'depth'>): Omit<StoredDepth, 'dead'> {
    const { total, due } = this.#counts.at(route, nowMs)
    if (total === 0) return { waiting: 0, delayed: 0, oldestAcceptedAtMs: undefined, oldestDueAtMs: undefined }
    const handedOut = { route, now: nowMs, inFlight: JSON.stringify(inFlight) }
    const accepted = [optionalInteger(this.#firstTried.get({ route }), 'accepted_at')]
    const waitingSince: (number | undefined)[] = []
    for (const priority of PRIORITIES.keys()) {
      // What was due first was accepted first, but for what was to leave later.
      accepted.push(optionalInteger(this.#firstDue.get({ route, priority, now: nowMs }), 'accepted_at'))
      waitingSince.push(optionalInteger(this.#firstWaiting.get({ ...handedOut, priority }), 'run_at'))
    }
    return {
      waiting: due - integer(this.#countHandedOut.get(handedOut), 'count'),
      delayed: total - due,
      oldestAcceptedAtMs: earliest(accepted),
      oldestDueAtMs: earliest(waitingSince),
    }
  }
}

function earliest(times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined)
  return known.length === 0 ? undefined : Math.min(...known)
}

function readDue(row: Record<string, SQLOutputValue>): DueRow {
  return {
    order: integer(row, 'seq'),
    priority: PRIORITIES[integer(row, 'priority')] ?? 'event',
    attempts: integer(row, 'attempts'),
    acceptedAtMs: integer(row, 'accepted_at'),
    expiresAtMs: integer(row, 'expires_at'),
    sealed: blob(row, 'sealed'),
  }
}
