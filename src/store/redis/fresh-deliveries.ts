/** What this process has just stored, and fetches again: the memory is asked about it once, and what was sealed need not be opened. */
import type { Delivery } from '../../core/delivery.ts'
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

/** Deliveries that are kept until they are fetched: what comes in a third of a second under load. With Web Push they take 4 kB each. */
const MAX_KEPT = 1500
/** Of what is sealed: with the random bytes at its beginning (core/keyring.ts). */
const NAME_CHARACTERS = 40

export class FreshDeliveries {
  readonly #nowMs: () => number
  readonly #kept = new Map<string, readonly Delivery[]>()
  #keptCount = 0
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

  /** They were sealed as this. */
  keep(sealed: string, deliveries: readonly Delivery[]): void {
    this.#kept.set(nameOf(sealed), deliveries)
    this.#keptCount += deliveries.length
    for (const name of this.#kept.keys()) {
      if (this.#keptCount <= MAX_KEPT) break
      this.#takeKept(name)
    }
  }

  /** What was sealed as this, if it was kept; once. */
  takeKept(sealed: string | undefined): readonly Delivery[] | undefined {
    return sealed === undefined ? undefined : this.#takeKept(nameOf(sealed))
  }

  #takeKept(name: string): readonly Delivery[] | undefined {
    const deliveries = this.#kept.get(name)
    this.#kept.delete(name)
    this.#keptCount -= deliveries?.length ?? 0
    return deliveries
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

function nameOf(sealed: string): string {
  return sealed.slice(0, NAME_CHARACTERS)
}
