/** Remembers dead pushkeys by keyed hash, so that homeservers are told at their next request (as the spec recommends), and forgets those that live. */
import type { Delivery } from '../core/delivery.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Identities } from '../core/identities.ts'
import type { Memory } from '../store/contract.ts'
import { opinionOf, type RejectionGuard } from './rejection-guard.ts'
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

type Device = Pick<Delivery, 'route' | 'deviceHash'>

/** A push to a device, as far as the memory asks. */
export interface KnownDevice extends Device {
  readonly pushkeyTs: number | undefined
  readonly kind: 'event' | 'counts'
}

export class DeadPushkeys {
  readonly #memory: Memory
  readonly #guard: RejectionGuard
  readonly #identities: Identities
  readonly #nowMs: () => number

  constructor(memory: Memory, guard: RejectionGuard, identities: Identities, nowMs: () => number) {
    this.#memory = memory
    this.#guard = guard
    this.#identities = identities
    this.#nowMs = nowMs
  }

  /** Whether a push to this device is sent, sent as a probe, or answered with `rejected`. */
  async admit(known: KnownDevice): Promise<Judgement['kind']> {
    const judgement = await this.#judge(known)
    if (judgement.kind === 'probe' && judgement.next !== undefined) await this.#write(known, judgement.next)
    return judgement.kind
  }

  /** The same question for a delivery that waited in the queue meanwhile. */
  async isDead(delivery: Delivery): Promise<boolean> {
    if (delivery.probesDead === true) return false
    const { route, deviceHash, pushkeyTs } = delivery
    const judgement = await this.#judge({
      route,
      deviceHash,
      pushkeyTs,
      kind: delivery.priority === 'counts' ? 'counts' : 'event',
    })
    return judgement.kind === 'dead'
  }

  /** Resolves with whether the device was remembered as dead. */
  forget(device: Device): Promise<boolean> {
    return forgetEntry(this.#memory, device, tombstoneKey(device))
  }

  /** Resolves when what the outcome says of the pushkey is durable. */
  async record(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { route, deviceHash } = delivery
    if (outcome.kind === 'delivered') {
      // Only a push that was sent in spite of a tombstone can refute one.
      const refuted = delivery.probesDead === true ? this.#memory.delete(delivery, tombstoneKey(delivery)) : undefined
      // It has arrived: what cannot be written down of that is not worth sending it a second time.
      await Promise.allSettled([
        refuted,
        this.#guard.record(route, this.#identities.counted(deviceHash, this.#nowMs()), false),
      ])
    } else if (outcome.kind === 'rejected') {
      const existing = await this.#read(delivery)
      const registration = this.#registrationOf(deviceHash, delivery.pushkeyTs)
      await this.#write(delivery, bury(existing, registration, outcome.sinceMs, this.#nowMs()))
      await this.#guard.record(route, this.#identities.counted(deviceHash, this.#nowMs()), true)
    }
  }

  async #judge(known: KnownDevice): Promise<Judgement> {
    const { route, deviceHash, pushkeyTs, kind } = known
    const tombstone = await this.#read(known)
    if (tombstone === undefined) return { kind: 'alive' }
    const opinion = opinionOf(await this.#guard.windows(route), tombstone.recordedMs)
    if (opinion === 'discarded') return { kind: 'alive' }
    const registration = this.#registrationOf(deviceHash, pushkeyTs)
    return judge(tombstone, { pushkeyTs, registration, kind, isSuspected: opinion === 'suspected' }, this.#nowMs())
  }

  #registrationOf(deviceHash: string, pushkeyTs: number | undefined): string | undefined {
    return pushkeyTs === undefined ? undefined : this.#identities.registration(deviceHash, pushkeyTs)
  }

  async #read(device: Device): Promise<Tombstone | undefined> {
    const text = await this.#memory.get(device, tombstoneKey(device))
    return text === undefined ? undefined : decodeTombstone(text)
  }

  #write(device: Device, tombstone: Tombstone): Promise<void> {
    return this.#memory.set(device, tombstoneKey(device), encodeTombstone(tombstone), TOMBSTONE_LIFETIME_MS)
  }
}

function tombstoneKey({ deviceHash }: Device): string {
  return `dead:${deviceHash}`
}
