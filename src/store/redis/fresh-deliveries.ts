/** What this process has just stored, and fetches again: the memory has just been asked about it, and need not be asked twice. */
import { forgetOldest } from '../../core/forget-oldest.ts'
import type { Fresh, HandedOut } from '../contract.ts'

/** After that another process may have learnt something. */
const FRESH_MS = 2000
const MAX_KNOWN = 20_000

export class FreshDeliveries {
  readonly #nowMs: () => number
  /** When each was stored, by its id. */
  readonly #storedAtMs = new Map<string, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Its event is claimed. */
  add(id: string): void {
    this.#storedAtMs.set(id, this.#nowMs())
    forgetOldest(this.#storedAtMs, MAX_KNOWN)
  }

  /** Undefined when the memory has to be asked, also where another process may have stored something that takes its place. */
  take({ delivery: { id, latestKey }, attempt }: HandedOut): Fresh | undefined {
    const storedAtMs = this.#storedAtMs.get(id)
    if (storedAtMs === undefined) return undefined
    this.#storedAtMs.delete(id)
    const isFresh = attempt === 1 && latestKey === undefined && this.#nowMs() - storedAtMs < FRESH_MS
    return isFresh ? { latestOrder: undefined } : undefined
  }
}
