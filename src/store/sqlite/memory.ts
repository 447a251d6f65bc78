/** The memory of the SQLite store: one table, for all owners. Sets whose members are counted exist only in this process, and are empty after a restart. */
import type { Memory, OwnedKey, Owner } from '../contract.ts'
import type { DatabaseThread } from './database-thread.ts'
import { DistinctMembers } from './distinct-members.ts'

export class SqliteMemory implements Memory {
  readonly #thread: DatabaseThread
  readonly #nowMs: () => number
  readonly #sets = new Map<string, { readonly members: DistinctMembers; expiresAtMs: number }>()

  constructor(thread: DatabaseThread, nowMs: () => number) {
    this.#thread = thread
    this.#nowMs = nowMs
  }

  get(_owner: Owner, key: string): Promise<string | undefined> {
    return this.#thread.runWithTimeLimit({ name: 'get', input: { key, nowMs: this.#nowMs() } })
  }

  set(_owner: Owner, key: string, value: string, lifetimeMs: number): Promise<void> {
    return this.#thread.runWithTimeLimit({ name: 'set', input: { key, value, lifetimeMs, nowMs: this.#nowMs() } })
  }

  setMany(entries: readonly OwnedKey[], value: string, lifetimeMs: number): Promise<void> {
    // In order, so that one page after the other is written.
    const keys = entries.map(({ key }) => key).toSorted()
    return this.#thread.collect('setMany', () => ({ keys, value, lifetimeMs, nowMs: this.#nowMs() }), {
      hasTimeLimit: false,
      isUrgent: false,
    })
  }

  setIfAbsent(_owner: Owner, key: string, value: string, lifetimeMs: number): Promise<string> {
    return this.#thread.runWithTimeLimit({
      name: 'setIfAbsent',
      input: { key, value, lifetimeMs, nowMs: this.#nowMs() },
    })
  }

  raise(_owner: Owner, key: string, value: number, lifetimeMs: number): Promise<void> {
    return this.#thread.runWithTimeLimit({ name: 'raise', input: { key, value, lifetimeMs, nowMs: this.#nowMs() } })
  }

  delete(_owner: Owner, key: string): Promise<void> {
    return this.#thread.runWithTimeLimit({ name: 'delete', input: { key } })
  }

  keysOf(_route: string, prefix: string): Promise<readonly string[]> {
    return this.#thread.run({ name: 'keys', input: { prefix, nowMs: this.#nowMs() } })
  }

  async addMembers(_owner: Owner, name: string, members: readonly string[], lifetimeMs: number): Promise<void> {
    const set = this.#find(name) ?? { members: new DistinctMembers(), expiresAtMs: 0 }
    for (const member of members) set.members.add(member)
    set.expiresAtMs = this.#nowMs() + lifetimeMs
    this.#sets.set(name, set)
  }

  async countMembers(_owner: Owner, names: readonly string[]): Promise<number> {
    const union = new DistinctMembers()
    for (const name of names) {
      const set = this.#find(name)
      if (set !== undefined) union.addAll(set.members)
    }
    return union.count()
  }

  #find(name: string): { readonly members: DistinctMembers; expiresAtMs: number } | undefined {
    const set = this.#sets.get(name)
    return set !== undefined && set.expiresAtMs > this.#nowMs() ? set : undefined
  }

  purgeSets(): void {
    for (const [name, { expiresAtMs }] of this.#sets) if (expiresAtMs <= this.#nowMs()) this.#sets.delete(name)
  }
}
