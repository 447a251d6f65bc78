/** One push per event and device, and only the latest badge: by keyed hashes, with the ids of deliveries as values. */
import type { Delivery } from '../core/delivery.ts'
import type { HandedOut, Memory, Owner } from '../store/contract.ts'
import { forgetEntry } from './forget-entry.ts'

/** As long as Synapse repeats an event that it could not hand over (docs/facts/homeservers.md#retries-of-synapse). */
const LIFETIME_MS = 24 * 3600_000

export class Deduplication {
  readonly #memory: Memory

  constructor(memory: Memory) {
    this.#memory = memory
  }

  async isKnown(owner: Owner, deduplicationKey: string): Promise<boolean> {
    return (await this.#memory.get(owner, eventKey(deduplicationKey))) !== undefined
  }

  /** After it was stored, so that a crash in between repeats a push and never loses one. */
  async onStored(delivery: Delivery, order: number): Promise<void> {
    // Of two of one event only its owner may overtake others: each would give way to the other, and none would be sent.
    if (!(await this.#owns(delivery))) return
    const overtaken = [delivery.latestKey, ...(delivery.outdates ?? [])].filter((key) => key !== undefined)
    await Promise.all(overtaken.map((key) => this.#memory.raise(delivery, latestKey(key), order, LIFETIME_MS)))
  }

  /** Resolves with whether anything was there. */
  forgetLatest(owner: Owner, key: string): Promise<boolean> {
    return forgetEntry(this.#memory, owner, latestKey(key))
  }

  /** What is known by the keys of a delivery. */
  async forget(delivery: Delivery): Promise<void> {
    const { deduplicationKey, latestKey: latest } = delivery
    await Promise.all([
      deduplicationKey === undefined ? undefined : this.#memory.delete(delivery, eventKey(deduplicationKey)),
      latest === undefined ? undefined : this.#memory.delete(delivery, latestKey(latest)),
    ])
  }

  /** Before it is sent: claims its event for this delivery. Resolves with why it is not sent after all; undefined when it is. */
  async claim({ delivery, order }: HandedOut): Promise<'duplicate' | 'superseded' | 'coalesced' | undefined> {
    if (!(await this.#owns(delivery))) return 'duplicate'
    if (delivery.latestKey !== undefined) {
      const latest = await this.#memory.get(delivery, latestKey(delivery.latestKey))
      if (latest !== undefined && Number(latest) > order)
        return delivery.priority === 'counts' ? 'superseded' : 'coalesced'
    }
    return undefined
  }

  /** Whether no other delivery is the one for its event; claims it if none is. */
  async #owns(delivery: Delivery): Promise<boolean> {
    const { id, deduplicationKey } = delivery
    if (deduplicationKey === undefined) return true
    return (await this.#memory.setIfAbsent(delivery, eventKey(deduplicationKey), id, LIFETIME_MS)) === id
  }
}

function eventKey(hash: string): string {
  return `event:${hash}`
}

function latestKey(hash: string): string {
  return `latest:${hash}`
}
