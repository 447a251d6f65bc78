/** Reads the sealed content of a table page by page, and removes rows. However many rows there are, no page takes longer. */
import type { DatabaseSync, SQLOutputValue, StatementSync } from 'node:sqlite'
import type { Input, Output, SealedRows, SealedTable } from './operations.ts'
import { blob, integer, optionalInteger } from './rows.ts'

/** What an index has after the route. */
const INDEXED = { delivery: ['priority', 'run_at', 'seq'], dead_letter: ['died_at', 'seq'] } as const
/** Before all of them. */
const START = -1

export class SealedPages {
  readonly #columns: readonly string[]
  readonly #starts: StatementSync
  readonly #rows: StatementSync
  readonly #read: StatementSync
  readonly #last: StatementSync
  readonly #remove: StatementSync

  constructor(database: DatabaseSync, table: SealedTable) {
    const scanned = `select seq, app, sealed from ${table} where seq > :after order by seq limit :limit`
    this.#read = database.prepare(`select seq, sealed from (${scanned}) where app = :route`)
    this.#last = database.prepare(`select max(seq) as last from (${scanned})`)
    this.#columns = INDEXED[table]
    const columns = this.#columns.join(', ')
    const after = this.#columns.map((column) => `:${column}`).join(', ')
    this.#starts = database.prepare(`
      select ${columns}, substr(sealed, 1, :bytes) as sealed from ${table} where app = :route and (${columns}) > (${after})
      order by ${columns} limit :limit`)
    this.#rows = database.prepare(`
      select seq, sealed from ${table} where seq in (select value from json_each(:orders))`)
    this.#remove = database.prepare(`delete from ${table} where seq in (select value from json_each(:orders))`)
  }

  read({ route, after, limit }: Input<'readPage'>): Output<'readPage'> {
    return {
      ...inOnePiece(this.#read.all({ route, after, limit })),
      last: optionalInteger(this.#last.get({ after, limit }), 'last'),
    }
  }

  starts({ route, after, limit, bytes }: Input<'readStarts'>): Output<'readStarts'> {
    const place = Object.fromEntries(this.#columns.map((column, index) => [column, after[index] ?? START]))
    const found = this.#starts.all({ ...place, route, limit, bytes })
    const last = found.length < limit ? undefined : found.at(-1)
    return {
      ...inOnePiece(found),
      last: last && this.#columns.map((column) => integer(last, column)),
    }
  }

  rows({ orders }: Input<'readRows'>): Output<'readRows'> {
    return inOnePiece(this.#rows.all({ orders: JSON.stringify(orders) }))
  }

  remove({ orders }: Input<'removeRows'>): void {
    this.#remove.run({ orders: JSON.stringify(orders) })
  }
}

function inOnePiece(rows: readonly Record<string, SQLOutputValue>[]): SealedRows {
  const all = rows.map((row) => blob(row, 'sealed'))
  let end = 0
  return {
    orders: rows.map((row) => integer(row, 'seq')),
    sealed: Buffer.concat(all),
    ends: all.map(({ length }) => (end += length)),
  }
}
