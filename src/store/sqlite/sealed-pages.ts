/** Reads the sealed content of a table page by page, and removes rows. However many rows there are, no page takes longer. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Input, Output, SealedTable } from './operations.ts'
import { blob, integer, optionalInteger } from './rows.ts'

export class SealedPages {
  readonly #read: StatementSync
  readonly #last: StatementSync
  readonly #remove: StatementSync

  constructor(database: DatabaseSync, table: SealedTable) {
    const scanned = `select seq, app, sealed from ${table} where seq > :after order by seq limit :limit`
    this.#read = database.prepare(`select seq, sealed from (${scanned}) where app = :route`)
    this.#last = database.prepare(`select max(seq) as last from (${scanned})`)
    this.#remove = database.prepare(`delete from ${table} where seq in (select value from json_each(:orders))`)
  }

  read({ route, after, limit }: Input<'readPage'>): Output<'readPage'> {
    const rows = this.#read.all({ route, after, limit })
    return {
      rows: rows.map((row) => ({ order: integer(row, 'seq'), sealed: blob(row, 'sealed') })),
      last: optionalInteger(this.#last.get({ after, limit }), 'last'),
    }
  }

  remove({ orders }: Input<'removeRows'>): void {
    this.#remove.run({ orders: JSON.stringify(orders) })
  }
}
