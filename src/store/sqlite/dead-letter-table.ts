/** Dead letters, in SQL, up to a lifetime and up to a number of each route. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { DEAD_LETTER_LIFETIME_MS, DEAD_LETTERS_PER_ROUTE, type DeadLetterFilter } from '../contract.ts'
import { PRIORITIES, type Input, type RowDisposition, type SealedDeadLetter } from './operations.ts'
import { blob, integer, text } from './rows.ts'

const MATCHES = `
  (:route is null or app = :route) and (:id is null or id = :id) and (:reason is null or reason = :reason)
  and died_at > :oldest`
const CALL = PRIORITIES.indexOf('call')
/** Not a call that is over. */
const IS_OF_USE = `(priority <> ${CALL} or accepted_at + :callMaxAge > :now)`
const PURGED_AT_ONCE = 500
/** So that what is accepted meanwhile does not wait for the whole of it. */
const CHANGED_AT_ONCE = 500
const some = (condition: string): string =>
  `seq in (select seq from dead_letter where ${condition} and died_at <= :now order by seq limit ${CHANGED_AT_ONCE})`
const listed = (condition: string): string => `
  select id, app, reason, attempts, accepted_at, died_at, case when :sealed then sealed end as sealed from dead_letter
  where ${condition} order by died_at desc, seq desc limit :limit`

export class DeadLetterTable {
  readonly #add: StatementSync
  readonly #trim: StatementSync
  readonly #list: StatementSync
  readonly #listOfRoute: StatementSync
  readonly #requeue: StatementSync
  readonly #drop: StatementSync
  readonly #dropRequeued: StatementSync
  readonly #count: StatementSync
  readonly #purge: StatementSync
  readonly #grown = new Set<string>()

  constructor(database: DatabaseSync) {
    this.#add = database.prepare(`
      insert into dead_letter (seq, id, app, reason, attempts, priority, accepted_at, died_at, sealed)
      select seq, :id, app, :reason, :attempts, priority, accepted_at, :diedAt, sealed from delivery where seq = :seq
      returning app`)
    this.#trim = database.prepare(`
      delete from dead_letter where seq in (
        select seq from dead_letter where app = :route order by died_at desc, seq desc limit -1 offset :kept)`)
    this.#list = database.prepare(listed(MATCHES))
    // By the index of the route: what others have is not read.
    this.#listOfRoute = database.prepare(listed(`app = :route and ${MATCHES}`))
    // It keeps its order: a badge update that is older than others must not look like the latest.
    this.#requeue = database.prepare(`
      insert into delivery (seq, app, priority, run_at, accepted_at, expires_at, sealed)
      select seq, app, priority, :now, accepted_at,
        case priority when ${CALL} then accepted_at + :callMaxAge else :expiresAt end, sealed
      from dead_letter where ${some(`${MATCHES} and ${IS_OF_USE}`)}`)
    this.#dropRequeued = database.prepare(`delete from dead_letter where ${some(`${MATCHES} and ${IS_OF_USE}`)}`)
    this.#drop = database.prepare(`delete from dead_letter where ${some(MATCHES)}`)
    this.#count = database.prepare('select count(*) as count from dead_letter where app = :route and died_at > :oldest')
    this.#purge = database.prepare(`
      delete from dead_letter where seq in (
        select seq from dead_letter where died_at <= :oldest limit ${PURGED_AT_ONCE})`)
  }

  /** Copies it from the deliveries, where the caller removes it. */
  add({ order, id, attempts, nowMs }: RowDisposition, reason: string): void {
    const row = this.#add.get({ seq: order, id, reason, attempts, diedAt: nowMs })
    if (row !== undefined) this.#grown.add(text(row, 'app'))
  }

  /** Called once per transaction, because it reads all that is kept of a route. */
  trimGrown(): void {
    for (const route of this.#grown) this.#trim.run({ route, kept: DEAD_LETTERS_PER_ROUTE })
    this.#grown.clear()
  }

  list({ filter, limit, isSealedWanted, nowMs }: Input<'listDead'>): readonly SealedDeadLetter[] {
    const statement = filter.route === undefined ? this.#list : this.#listOfRoute
    return statement.all({ ...parametersOf(filter, nowMs), limit, sealed: isSealedWanted ? 1 : 0 }).map((row) => ({
      id: text(row, 'id'),
      route: text(row, 'app'),
      reason: text(row, 'reason'),
      attempts: integer(row, 'attempts'),
      acceptedAtMs: integer(row, 'accepted_at'),
      diedAtMs: integer(row, 'died_at'),
      sealed: blob(row, 'sealed'),
    }))
  }

  /** Some of them; 0 when there is none left. */
  retry({ filter, revival: { expiresAtMs, callMaxAgeMs }, nowMs }: Input<'retryDead'>): number {
    const parameters = { ...parametersOf(filter, nowMs), now: nowMs, callMaxAge: callMaxAgeMs }
    this.#requeue.run({ ...parameters, expiresAt: expiresAtMs })
    return Number(this.#dropRequeued.run(parameters).changes)
  }

  /** Some of them; 0 when there is none left. */
  drop({ filter, nowMs }: Input<'dropDead'>): number {
    return Number(this.#drop.run({ ...parametersOf(filter, nowMs), now: nowMs }).changes)
  }

  count(route: string, nowMs: number): number {
    return integer(this.#count.get({ route, oldest: nowMs - DEAD_LETTER_LIFETIME_MS }), 'count')
  }

  /** True when there may be more to purge. */
  purge(nowMs: number): boolean {
    return this.#purge.run({ oldest: nowMs - DEAD_LETTER_LIFETIME_MS }).changes === PURGED_AT_ONCE
  }
}

function parametersOf({ route, id, reason }: DeadLetterFilter, nowMs: number): Record<string, string | number | null> {
  return { route: route ?? null, id: id ?? null, reason: reason ?? null, oldest: nowMs - DEAD_LETTER_LIFETIME_MS }
}
