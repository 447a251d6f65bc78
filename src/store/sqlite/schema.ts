/** Opens the database file: durability, the exclusive lock, the tables and their version. Runs in the database's thread. */
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { StoreRefusedError } from '../../core/errors.ts'
import type { DatabaseSettings } from './operations.ts'

export const VERSION = 1
export const PAGE_BYTES = 4096
/** The write-ahead log is cut back to this after a burst. */
const LOG_BYTES = 16 * 1024 * 1024
/** When that is nearly full (a page takes 24 bytes more there) it is emptied into the database: what came and went until then never gets there. */
const CHECKPOINT_PAGES = 4000
/** The keys of the memory are hashes, so they touch pages all over the file. */
const CACHE_KIB = 16 * 1024
const SQLITE_BUSY = 5
const SQLITE_NOTADB = 26

/**
 * A `seq` is never used again (autoincrement), because badge updates are compared by it. The due deliveries of a route are a range of the index. The column
 * `app` holds the name of the route.
 */
const SCHEMA = `
  create table delivery (
    seq integer primary key autoincrement,
    app text not null,
    priority integer not null,
    run_at integer not null,
    attempts integer not null default 0,
    accepted_at integer not null,
    expires_at integer not null,
    sealed blob not null
  ) strict;
  create index delivery_due on delivery (app, priority, run_at, seq);
  create table dead_letter (
    seq integer primary key,
    id text not null,
    app text not null,
    reason text not null,
    attempts integer not null,
    priority integer not null,
    accepted_at integer not null,
    died_at integer not null,
    sealed blob not null
  ) strict;
  create index dead_letter_app on dead_letter (app, died_at, seq);
  create index dead_letter_age on dead_letter (died_at);
  create table memory (
    key text primary key,
    value text not null,
    expires_at integer not null
  ) strict, without rowid;
  create index memory_age on memory (expires_at);
`
/** Not a part of the version: older files lack them, and an older Hushgate is not disturbed by them. Few rows are in the second, so it costs next to nothing. */
const LATER_INDEXES = `
  create index if not exists delivery_expiry on delivery (expires_at);
  create index if not exists delivery_tried on delivery (app, accepted_at) where attempts > 0;
`

/** Throws StoreRefusedError. */
export function openDatabase({
  path,
  synchronous,
  maxBytes,
}: Pick<DatabaseSettings, 'path' | 'synchronous' | 'maxBytes'>): DatabaseSync {
  let database: DatabaseSync | undefined
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    // SQLite gives its log the mode of the database, so it is enough to create this one.
    closeSync(openSync(path, 'a', 0o600))
    database = new DatabaseSync(path)
    configure(database, synchronous)
    createTables(database, path)
    if (maxBytes !== undefined) database.exec(`pragma max_page_count = ${Math.ceil(maxBytes / PAGE_BYTES)}`)
    return database
  } catch (error) {
    database?.close()
    throw refusal(error, path)
  }
}

function configure(database: DatabaseSync, synchronous: 'FULL' | 'NORMAL'): void {
  database.exec(`
    pragma page_size = ${PAGE_BYTES};
    pragma auto_vacuum = incremental;
    pragma locking_mode = exclusive;
    pragma journal_mode = wal;
    pragma synchronous = ${synchronous};
    pragma secure_delete = on;
    pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
    pragma journal_size_limit = ${LOG_BYTES};
    pragma temp_store = memory;
    pragma cache_size = -${CACHE_KIB};
  `)
}

function createTables(database: DatabaseSync, path: string): void {
  // Takes the exclusive lock, whatever is to be done.
  database.exec('begin immediate')
  const version = readNumber(database, 'pragma user_version')
  if (version > VERSION)
    throw new StoreRefusedError(
      `${path} was written by a newer Hushgate (its version is ${version}, this one knows ${VERSION}): run that Hushgate, or use another file`,
    )
  if (version === 0) {
    if (readNumber(database, 'select count(*) from sqlite_schema') > 0)
      throw new StoreRefusedError(`${path} is the database of another program: use another file`)
    database.exec(`${SCHEMA}; pragma user_version = ${VERSION}`)
  }
  database.exec(`${LATER_INDEXES} commit`)
}

export function readNumber(database: DatabaseSync, sql: string): number {
  const [value] = Object.values(database.prepare(sql).get() ?? {})
  return Number(value)
}

/** The errors of the file system and of SQLite as sentences that name the file. */
function refusal(error: unknown, path: string): StoreRefusedError {
  if (error instanceof StoreRefusedError) return error
  const { errcode, message } = describe(error)
  if (errcode === SQLITE_BUSY)
    return new StoreRefusedError(
      `${path} is in use by another Hushgate: only one process can use a SQLite store, several need Redis`,
    )
  if (errcode === SQLITE_NOTADB) return new StoreRefusedError(`${path} is not a SQLite database: use another file`)
  return new StoreRefusedError(`${path} cannot be opened: ${message}`)
}

function describe(error: unknown): { errcode: unknown; message: string } {
  if (!(error instanceof Error)) return { errcode: undefined, message: String(error) }
  return { errcode: 'errcode' in error ? error.errcode : undefined, message: error.message }
}

/** Fails when there is no room for a delivery. */
export function probeRoom(database: DatabaseSync): void {
  database.exec(`
    insert or replace into memory (key, value, expires_at) values ('store:probe', hex(zeroblob(8192)), 0);
    delete from memory where key = 'store:probe'`)
}
