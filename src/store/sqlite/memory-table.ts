/** Keyed facts with a lifetime, in SQL. A fact whose lifetime is over counts as absent, whether or not it is purged yet. */
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Input } from './operations.ts'
import { text } from './rows.ts'

const PURGED_AT_ONCE = 500
const MOST_KEYS = 1000

const REPLACE = `
  insert into memory (key, value, expires_at) values (:key, :value, :expiresAt)
  on conflict (key) do update set value = excluded.value, expires_at = excluded.expires_at`

export class MemoryTable {
  readonly #has: StatementSync
  readonly #get: StatementSync
  readonly #set: StatementSync
  readonly #setIfAbsent: StatementSync
  readonly #raise: StatementSync
  readonly #delete: StatementSync
  readonly #purge: StatementSync
  readonly #keys: StatementSync

  constructor(database: DatabaseSync) {
    this.#has = database.prepare('select 1 from memory where key = ? and expires_at > ?')
    this.#get = database.prepare('select value from memory where key = :key and expires_at > :now')
    this.#set = database.prepare(REPLACE)
    this.#setIfAbsent = database.prepare(`${REPLACE} where memory.expires_at <= :now`)
    this.#raise = database.prepare(`
      ${REPLACE} where memory.expires_at <= :now or cast(memory.value as real) <= cast(excluded.value as real)`)
    this.#delete = database.prepare('delete from memory where key = :key')
    this.#keys = database.prepare(`
      select key from memory where key >= :from and key < :to and expires_at > :now limit ${MOST_KEYS}`)
    this.#purge = database.prepare(`
      delete from memory where key in (select key from memory where expires_at <= :now limit ${PURGED_AT_ONCE})`)
  }

  has(key: string, nowMs: number): boolean {
    return this.#has.get(key, nowMs) !== undefined
  }

  get({ key, nowMs }: Input<'get'>): string | undefined {
    const row = this.#get.get({ key, now: nowMs })
    return row === undefined ? undefined : text(row, 'value')
  }

  set({ key, value, lifetimeMs, nowMs }: Input<'set'>): void {
    this.setUntil(key, value, expiry(nowMs, lifetimeMs))
  }

  setUntil(key: string, value: string, expiresAtMs: number): void {
    this.#set.run({ key, value, expiresAt: expiresAtMs })
  }

  keys({ prefix, nowMs }: Input<'keys'>): readonly string[] {
    // No key has a character after the tilde.
    return this.#keys.all({ from: prefix, to: `${prefix}~`, now: nowMs }).map((row) => text(row, 'key'))
  }

  setIfAbsent({ key, value, lifetimeMs, nowMs }: Input<'setIfAbsent'>): string {
    this.#setIfAbsent.run({ key, value, expiresAt: expiry(nowMs, lifetimeMs), now: nowMs })
    return this.get({ key, nowMs }) ?? value
  }

  raise({ key, value, lifetimeMs, nowMs }: Input<'raise'>): void {
    this.#raise.run({ key, value: String(value), expiresAt: expiry(nowMs, lifetimeMs), now: nowMs })
  }

  delete({ key }: Input<'delete'>): void {
    this.#delete.run({ key })
  }

  /** True when there may be more to purge. */
  purge(nowMs: number): boolean {
    return this.#purge.run({ now: nowMs }).changes === PURGED_AT_ONCE
  }
}

function expiry(nowMs: number, lifetimeMs: number): number {
  return Math.ceil(nowMs + lifetimeMs)
}
