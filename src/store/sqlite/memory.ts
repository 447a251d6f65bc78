/** The memory of the SQLite store. Sets whose members are counted exist only in this process, and are empty after a restart. */
import type { Memory } from '../contract.ts'
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

  get(key: string): Promise<string | undefined> {
    return this.#thread.runWithTimeLimit({ name: 'get', input: { key, nowMs: this.#nowMs() } })
  }

  set(key: string, value: string, lifetimeMs: number): Promise<void> {
    return this.#thread.runWithTimeLimit({ name: 'set', input: { key, value, lifetimeMs, nowMs: this.#nowMs() } })
  }

  setIfAbsent(key: string, value: string, lifetimeMs: number): Promise<string> {
    return this.#thread.runWithTimeLimit({
      name: 'setIfAbsent',
      input: { key, value, lifetimeMs, nowMs: this.#nowMs() },
    })
  }

  raise(key: string, value: number, lifetimeMs: number): Promise<void> {
    return this.#thread.runWithTimeLimit({ name: 'raise', input: { key, value, lifetimeMs, nowMs: this.#nowMs() } })
  }

  delete(key: string): Promise<void> {
    return this.#thread.runWithTimeLimit({ name: 'delete', input: { key } })
  }

  async addMember(name: string, member: string, lifetimeMs: number): Promise<void> {
    const set = this.#find(name) ?? { members: new DistinctMembers(), expiresAtMs: 0 }
    set.members.add(member)
    set.expiresAtMs = this.#nowMs() + lifetimeMs
    this.#sets.set(name, set)
  }

  async countMembers(names: readonly string[]): Promise<number> {
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
