/** What this process has just stored, and fetches again: the memory is asked about it once. */
import { forgetOldest } from '../../core/forget-oldest.ts'
import type { Fresh, HandedOut } from '../contract.ts'

/** After that another process may have learnt something. */
const FRESH_MS = 2000
const MAX_KNOWN = 20_000

interface Known {
  readonly storedAtMs: number
  /** Whether its event is its own. It may be fetched before that is known. */
  readonly isClaimed: Promise<boolean>
}

export class FreshDeliveries {
  readonly #nowMs: () => number
  readonly #byId = new Map<string, Known>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** It is going to be stored. What is returned must be called, once or more, with whether its event is its own; the first call counts. */
  begin(id: string): (isClaimed: boolean) => void {
    const { promise: isClaimed, resolve } = Promise.withResolvers<boolean>()
    this.#byId.set(id, { storedAtMs: this.#nowMs(), isClaimed })
    forgetOldest(this.#byId, MAX_KNOWN)
    return resolve
  }

  /** Undefined when the memory has to be asked, also where another process may have stored something that takes its place. */
  async take({ delivery: { id, latestKey }, attempt }: HandedOut): Promise<Fresh | undefined> {
    const known = this.#byId.get(id)
    if (known === undefined) return undefined
    this.#byId.delete(id)
    const isClaimed = await known.isClaimed
    const isFresh = isClaimed && attempt === 1 && latestKey === undefined
    return isFresh && this.#nowMs() - known.storedAtMs < FRESH_MS ? { latestOrder: undefined } : undefined
  }
}
