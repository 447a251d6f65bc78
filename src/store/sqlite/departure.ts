/** A SQLite file that is emptied into another store. Everything is read in pages, however much there is. */
import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { StoreRefusedError } from '../../core/errors.ts'
import type { Keyring } from '../../core/keyring.ts'
import { tryOpenDeliveries } from '../envelope.ts'
import type { Departure, MovedDeadLetter, MovedDelivery, MovedFact } from '../move.ts'
import { MemoryTable } from './memory-table.ts'
import type { SealedTable } from './operations.ts'
import { blob, integer, text } from './rows.ts'
import { openDatabase } from './schema.ts'

const ROWS_PER_PAGE = 200
const FACTS_PER_PAGE = 1000

type SqlRow = Parameters<typeof integer>[0]

export class SqliteDeparture implements Departure {
  readonly #database: DatabaseSync
  readonly #keyring: Keyring
  readonly #nowMs: () => number
  readonly #memory: MemoryTable

  /** Throws StoreRefusedError, also while a gateway has the file. */
  constructor(path: string, keyring: Keyring, nowMs: () => number) {
    if (!existsSync(path)) throw new StoreRefusedError(`${path} does not exist, so there is nothing to move`)
    this.#database = openDatabase({ path, synchronous: 'FULL', maxBytes: undefined })
    this.#memory = new MemoryTable(this.#database)
    this.#keyring = keyring
    this.#nowMs = nowMs
  }

  getFact(key: string): string | undefined {
    return this.#memory.get({ key, nowMs: this.#nowMs() })
  }

  setFact({ key, value, expiresAtMs }: MovedFact): void {
    this.#memory.setUntil(key, value, expiresAtMs)
  }

  deleteFact(key: string): void {
    this.#memory.delete({ key })
  }

  *deliveries(): Generator<readonly MovedDelivery[]> {
    for (const rows of this.#pages('delivery')) yield rows.flatMap((row) => this.#readDelivery(row) ?? [])
  }

  *deadLetters(): Generator<readonly MovedDeadLetter[]> {
    for (const rows of this.#pages('dead_letter')) yield rows.flatMap((row) => this.#readDeadLetter(row) ?? [])
  }

  routes(): readonly string[] {
    const rows = this.#database.prepare('select distinct app from delivery order by app').all()
    return rows.map((row) => text(row, 'app'))
  }

  *facts(): Generator<readonly MovedFact[]> {
    const page = this.#database.prepare(`
      select key, value, expires_at from memory where key > :after and expires_at > :now order by key limit ${FACTS_PER_PAGE}`)
    for (let after = ''; ;) {
      const facts = page
        .all({ after, now: this.#nowMs() })
        .map((row) => ({ key: text(row, 'key'), value: text(row, 'value'), expiresAtMs: integer(row, 'expires_at') }))
      const last = facts.at(-1)
      if (last === undefined) return
      yield facts
      after = last.key
    }
  }

  /** The file becomes small, too. */
  empty(keptKey: string): number {
    let kept = 0
    for (const table of ['delivery', 'dead_letter'] as const) {
      const remove = this.#database.prepare(`delete from ${table} where seq in (select value from json_each(?))`)
      for (const rows of this.#pages(table)) {
        const opened = rows.filter((row) => this.#open(row) !== undefined)
        kept += rows.length - opened.length
        remove.run(JSON.stringify(opened.map((row) => integer(row, 'seq'))))
      }
    }
    this.#database.prepare('delete from memory where key <> ?').run(keptKey)
    this.#database.exec('pragma incremental_vacuum; pragma wal_checkpoint(truncate)')
    return kept
  }

  *#pages(table: SealedTable): Generator<readonly SqlRow[]> {
    const page = this.#database.prepare(`select * from ${table} where seq > :after order by seq limit ${ROWS_PER_PAGE}`)
    for (let after = 0; ;) {
      const rows = page.all({ after })
      const last = rows.at(-1)
      if (last === undefined) return
      yield rows
      after = integer(last, 'seq')
    }
  }

  #readDelivery(row: SqlRow): MovedDelivery | undefined {
    const delivery = this.#open(row)
    if (delivery === undefined) return undefined
    const due = { dueAtMs: integer(row, 'run_at'), expiresAtMs: integer(row, 'expires_at') }
    return { delivery: { ...delivery, ...due }, attempts: integer(row, 'attempts'), order: integer(row, 'seq') }
  }

  #readDeadLetter(row: SqlRow): MovedDeadLetter | undefined {
    const delivery = this.#open(row)
    if (delivery === undefined) return undefined
    const facts = { id: text(row, 'id'), reason: text(row, 'reason'), attempts: integer(row, 'attempts') }
    return { ...facts, delivery, diedAtMs: integer(row, 'died_at') }
  }

  #open(row: SqlRow): MovedDelivery['delivery'] | undefined {
    const [delivery] = tryOpenDeliveries(this.#keyring, text(row, 'app'), blob(row, 'sealed')) ?? []
    return delivery && { ...delivery, acceptedAtMs: integer(row, 'accepted_at') }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}
