/** Who looks for what an app has stored reads what that app has stored, and nothing else. */
import { mkdtempSync, rmSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/store/sqlite/schema.ts'
import { SealedPages } from '../../src/store/sqlite/sealed-pages.ts'

const PAGE = 10

let folder: string
let database: DatabaseSync
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-pages-'))
  database = openDatabase({ path: join(folder, 'hushgate.db'), synchronous: 'NORMAL', maxBytes: undefined })
})
afterAll(() => {
  database.close()
  rmSync(folder, { recursive: true })
})

const INSERT = {
  delivery: `insert into delivery (seq, app, priority, run_at, accepted_at, expires_at, sealed)
    values (:seq, :app, :seq % 3, :seq % 7, 0, 0, zeroblob(100))`,
  dead_letter: `insert into dead_letter (seq, id, app, reason, attempts, priority, accepted_at, died_at, sealed)
    values (:seq, :seq, :app, '', 1, 1, 0, :seq % 7, zeroblob(100))`,
}

describe.each(['delivery', 'dead_letter'] as const)('of the table %s', (table) => {
  it('each row comes once, in as many pages as the app itself needs', () => {
    const insert = database.prepare(INSERT[table])
    const mine: number[] = []
    for (let seq = 1; seq <= 1000; seq += 1) {
      const isMine = seq % 40 === 0
      insert.run({ seq, app: isMine ? 'mine' : 'other' })
      if (isMine) mine.push(seq)
    }
    const pages = new SealedPages(database, table)
    const found: number[] = []
    let count = 0
    for (let after: readonly number[] | undefined = []; after !== undefined; count += 1) {
      const { orders, ends, last } = pages.starts({ table, route: 'mine', after, limit: PAGE, bytes: 3 })
      expect(ends).toEqual(orders.map((_, index) => 3 * (index + 1)))
      found.push(...orders)
      after = last
    }
    expect(found.toSorted((one, other) => one - other)).toEqual(mine)
    expect(count).toBe(Math.ceil(mine.length / PAGE))
  })
})
