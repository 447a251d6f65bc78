/** Remembers dead pushkeys by keyed hash, so that homeservers are told at their next request (as the spec recommends), and forgets those that live. */
import type { Delivery } from '../core/delivery.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Memory } from '../store/contract.ts'
import { opinionOf, type Breaker } from './rejection-guard.ts'
import { forgetEntry } from './forget-entry.ts'
import {
  bury,
  decodeTombstone,
  encodeTombstone,
  judge,
  TOMBSTONE_LIFETIME_MS,
  type Judgement,
  type Tombstone,
} from './tombstone.ts'

/** A device as the memory knows it. */
export interface KnownDevice {
  readonly app: string
  /** Keyed hash of (app_id, pushkey). */
  readonly device: string
  readonly pushkeyTs: number | undefined
  readonly kind: 'event' | 'counts'
}

const HOUR_MS = 3600_000

export class Rejections {
  readonly #memory: Memory
  readonly #breaker: Breaker
  readonly #keyring: Keyring
  readonly #nowMs: () => number

  constructor(memory: Memory, breaker: Breaker, keyring: Keyring, nowMs: () => number) {
    this.#memory = memory
    this.#breaker = breaker
    this.#keyring = keyring
    this.#nowMs = nowMs
  }

  /** Whether a push to this device is sent, sent as a probe, or answered with `rejected`. */
  async admit(known: KnownDevice): Promise<Judgement['kind']> {
    const judgement = await this.#judge(known)
    if (judgement.kind === 'probe' && judgement.next !== undefined) await this.#write(known.device, judgement.next)
    return judgement.kind
  }

  /** The same question for a delivery that waited in the queue meanwhile. */
  async isDead(delivery: Delivery): Promise<boolean> {
    if (delivery.probesDead === true) return false
    const { app, device, pushkeyTs } = delivery
    const judgement = await this.#judge({
      app,
      device,
      pushkeyTs,
      kind: delivery.priority === 'counts' ? 'counts' : 'event',
    })
    return judgement.kind === 'dead'
  }

  /** Resolves with whether the device was remembered as dead. */
  forget(device: string): Promise<boolean> {
    return forgetEntry(this.#memory, tombstoneKey(device))
  }

  /** Resolves when what the outcome says of the pushkey is durable. */
  async onOutcome(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { app, device } = delivery
    if (outcome.kind === 'delivered') {
      // Only a push that was sent in spite of a tombstone can refute one.
      const refuted = delivery.probesDead === true ? this.#memory.delete(tombstoneKey(device)) : undefined
      // It has arrived: what cannot be written down of that is not worth sending it a second time.
      await Promise.allSettled([refuted, this.#breaker.onVerdict(app, this.#countedAs(device), false)])
    } else if (outcome.kind === 'rejected') {
      const existing = await this.#read(device)
      const registration = this.#registrationOf(device, delivery.pushkeyTs)
      await this.#write(device, bury(existing, registration, outcome.sinceMs, this.#nowMs()))
      await this.#breaker.onVerdict(app, this.#countedAs(device), true)
    }
  }

  async #judge({ app, device, pushkeyTs, kind }: KnownDevice): Promise<Judgement> {
    const tombstone = await this.#read(device)
    if (tombstone === undefined) return { kind: 'alive' }
    const opinion = opinionOf(await this.#breaker.windows(app), tombstone.recordedMs)
    if (opinion === 'discarded') return { kind: 'alive' }
    const registration = this.#registrationOf(device, pushkeyTs)
    return judge(tombstone, { pushkeyTs, registration, kind, isSuspected: opinion === 'suspected' }, this.#nowMs())
  }

  /** Of the device too, so that equal times of two devices do not show. */
  #registrationOf(device: string, pushkeyTs: number | undefined): string | undefined {
    return pushkeyTs === undefined ? undefined : this.#keyring.hash('registration', device, String(pushkeyTs))
  }

  /** Another name each hour: Redis' append-only file would else hold, for each device, when it was sent something. */
  #countedAs(device: string): string {
    return this.#keyring.hash('breaker', device, String(Math.floor(this.#nowMs() / HOUR_MS)))
  }

  async #read(device: string): Promise<Tombstone | undefined> {
    const text = await this.#memory.get(tombstoneKey(device))
    return text === undefined ? undefined : decodeTombstone(text)
  }

  #write(device: string, tombstone: Tombstone): Promise<void> {
    return this.#memory.set(tombstoneKey(device), encodeTombstone(tombstone), TOMBSTONE_LIFETIME_MS)
  }
}

function tombstoneKey(device: string): string {
  return `dead:${device}`
}
