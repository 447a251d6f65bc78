/** One push per event and device, and only the latest badge: by keyed hashes, with the ids of deliveries as values. */
import type { Delivery } from '../core/delivery.ts'
import type { HandedOut, Memory, NewDelivery, Owner } from '../store/contract.ts'
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

  /** Whether it is remembered which badge is the latest. */
  async hasLatest(owner: Owner, key: string): Promise<boolean> {
    return (await this.#memory.get(owner, latestKey(key))) !== undefined
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
  async claim({ delivery, order, fresh }: HandedOut): Promise<'duplicate' | 'superseded' | 'coalesced' | undefined> {
    if (fresh === undefined && !(await this.#owns(delivery))) return 'duplicate'
    if (delivery.latestKey === undefined) return undefined
    const latest = fresh?.latestOrder ?? Number(await this.#memory.get(delivery, latestKey(delivery.latestKey)))
    if (!(latest > order)) return undefined
    return delivery.priority === 'counts' ? 'superseded' : 'coalesced'
  }

  /** Whether no other delivery is the one for its event; claims it if none is. */
  async #owns(delivery: Delivery): Promise<boolean> {
    const { id, deduplicationKey } = delivery
    if (deduplicationKey === undefined) return true
    return (await this.#memory.setIfAbsent(delivery, eventKey(deduplicationKey), id, LIFETIME_MS)) === id
  }
}

/** What is remembered of a delivery when it is stored: its event, and which others need not be sent any more. */
export function rememberedOf({
  deduplicationKey,
  latestKey: latest,
  outdates = [],
}: Delivery): Pick<NewDelivery, 'claims' | 'raises' | 'lifetimeMs'> {
  const overtaken = latest === undefined ? outdates : [latest, ...outdates]
  return {
    claims: deduplicationKey === undefined ? undefined : eventKey(deduplicationKey),
    raises: overtaken.map(latestKey),
    lifetimeMs: LIFETIME_MS,
  }
}

function eventKey(hash: string): string {
  return `event:${hash}`
}

function latestKey(hash: string): string {
  return `latest:${hash}`
}
