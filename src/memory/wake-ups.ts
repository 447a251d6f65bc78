/** When the latest wake-up of each registration leaves (`coalesce`), by keyed hash. */
import { planWakeUp } from '../core/timing.ts'
import type { Memory, Owner } from '../store/contract.ts'
import { forgetEntry } from './forget-entry.ts'

type WakeUpMemory = Pick<Memory, 'get' | 'set' | 'setIfAbsent' | 'delete'>

export class WakeUps {
  readonly #memory: WakeUpMemory
  readonly #createId: () => string

  /** `createId`: a new one each time. */
  constructor(memory: WakeUpMemory, createId: () => string) {
    this.#memory = memory
    this.#createId = createId
  }

  /** What cannot be remembered leaves at once: better twice than late. */
  async plan(owner: Owner, key: string, nowMs: number, windowMs: number): Promise<number> {
    try {
      return await this.#plan(owner, memoryKey(key), nowMs, windowMs)
    } catch {
      return nowMs
    }
  }

  /** Resolves with whether anything was there. */
  forget(owner: Owner, key: string): Promise<boolean> {
    return forgetEntry(this.#memory, owner, memoryKey(key))
  }

  /** When the latest one leaves or left; undefined when none is known. */
  async plannedMs(owner: Owner, key: string): Promise<number | undefined> {
    const entry = await this.#memory.get(owner, memoryKey(key)).catch(() => undefined)
    return entry === undefined ? undefined : timeIn(entry)
  }

  async #plan(owner: Owner, key: string, nowMs: number, windowMs: number): Promise<number> {
    const ours = this.#entryOf(nowMs)
    const standing = await this.#memory.setIfAbsent(owner, key, ours, windowMs)
    if (standing === ours) return nowMs
    const lastAtMs = timeIn(standing)
    const atMs = planWakeUp(nowMs, lastAtMs, windowMs)
    // No longer than it counts: so whoever finds none is the first, even of two at once.
    if (atMs !== lastAtMs) await this.#memory.set(owner, key, this.#entryOf(atMs), atMs + windowMs - nowMs)
    return atMs
  }

  /** A time, told apart from the same one of a request that came with it: only one of them is the first. */
  #entryOf(atMs: number): string {
    return `${atMs} ${this.#createId()}`
  }
}

function memoryKey(hash: string): string {
  return `wake:${hash}`
}

function timeIn(entry: string): number {
  return Number.parseInt(entry, 10)
}
