/** Remembers dead pushkeys by keyed hash, so that homeservers are told at their next request (as the spec recommends), and forgets those that live. */
import type { Delivery } from '../core/delivery.ts'
import type { Outcome, Rejected } from '../core/outcome.ts'
import type { Identities } from '../core/identities.ts'
import type { HandedOut, Memory } from '../store/contract.ts'
import { forgetOldest } from '../core/forget-oldest.ts'
import { HourlyLimit } from '../core/hourly-limit.ts'
import { opinionOf, type RejectionGuard } from './rejection-guard.ts'
import { rememberedOf } from './deduplication.ts'
import { forgetEntry } from './forget-entry.ts'
import type { KnownDevices } from './known-devices.ts'
import {
  bury,
  decodeTombstone,
  encodeTombstone,
  judge,
  leftMsOf,
  type Judgement,
  type Sign,
  type Tombstone,
} from './tombstone.ts'

/** Deliveries that were stored before a device died are handed out soon after. */
const MAX_RECENTLY_BURIED = 10_000
/** Of one route, in an hour and by this process, while nobody needs to be asked whether more of them are made up: some megabytes. */
const STRANGERS_BURIED_PER_HOUR = 10_000

type Device = Pick<Delivery, 'route' | 'deviceHash'>

/** A push to a device, as far as the memory asks. */
export interface KnownDevice extends Device {
  readonly pushkeyTs: number | undefined
  readonly kind: 'event' | 'counts'
}

export interface DeadPushkeysParts {
  readonly memory: Memory
  readonly guard: RejectionGuard
  readonly known: KnownDevices
  readonly identities: Identities
  readonly nowMs: () => number
}

export class DeadPushkeys {
  readonly #memory: Memory
  readonly #guard: RejectionGuard
  readonly #known: KnownDevices
  readonly #identities: Identities
  readonly #nowMs: () => number
  /** Devices that this process has called dead. */
  readonly #recentlyBuried = new Set<string>()
  readonly #strangersBuried: HourlyLimit

  constructor({ memory, guard, known, identities, nowMs }: DeadPushkeysParts) {
    this.#memory = memory
    this.#guard = guard
    this.#known = known
    this.#identities = identities
    this.#nowMs = nowMs
    this.#strangersBuried = new HourlyLimit(STRANGERS_BURIED_PER_HOUR, nowMs)
  }

  /** Whether a push to this device is sent, sent as a probe, or answered with `rejected`. */
  async admit(known: KnownDevice): Promise<Judgement['kind']> {
    const judgement = await this.#judge(known)
    if (judgement.kind === 'probe' && judgement.next !== undefined) await this.#write(known, judgement.next)
    return judgement.kind
  }

  /** The same question for a delivery that is handed out. Of one that was just stored the memory was asked; but the device may have died since. */
  async isDead({ delivery, fresh }: Pick<HandedOut, 'delivery' | 'fresh'>): Promise<boolean> {
    if (delivery.probesDead === true) return false
    if (fresh !== undefined && !this.#recentlyBuried.has(delivery.deviceHash)) return false
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

  /** What is remembered of the device's death, and whether it is not believed; undefined where nothing is. */
  async describe(
    device: Device,
  ): Promise<(Tombstone & { readonly opinion: ReturnType<typeof opinionOf> }) | undefined> {
    const tombstone = await this.#read(device)
    if (tombstone === undefined) return undefined
    return { ...tombstone, opinion: opinionOf(await this.#guard.windows(device.route), tombstone.recordedMs) }
  }

  /** Resolves when what the outcome says of the pushkey is durable. */
  async record(delivery: Delivery, outcome: Outcome): Promise<void> {
    const { route, deviceHash } = delivery
    if (outcome.kind === 'delivered') {
      this.#known.note(delivery)
      void this.#guard.record(route, this.#identities.counted(deviceHash, this.#nowMs()), false)
      // Only a push that was sent in spite of a tombstone can refute one.
      if (delivery.probesDead !== true) return
      // It has arrived: what cannot be written down of that is not worth sending it a second time.
      await this.#memory.delete(delivery, tombstoneKey(delivery)).catch(() => {})
    } else if (outcome.kind === 'rejected') await this.#bury(delivery, outcome)
  }

  /** Of a device that nothing was ever delivered to, the verdict says little: anybody can make such devices up. */
  async #bury(delivery: Delivery, { sinceMs }: Rejected): Promise<void> {
    const { route, deviceHash, pushkeyTs } = delivery
    const [existing, isKnown, isLearning] = await Promise.all([
      this.#read(delivery),
      this.#known.isKnown(delivery),
      this.#known.isLearning(route),
    ])
    this.#recentlyBuried.add(deviceHash)
    forgetOldest(this.#recentlyBuried, MAX_RECENTLY_BURIED)
    const tombstone = bury(existing, this.#registrationOf(deviceHash, pushkeyTs), sinceMs, !isKnown, this.#nowMs())
    if (isKnown || this.#strangersBuried.take(route)) await this.#write(delivery, tombstone)
    // The tombstone answers for its events, too.
    if (!isKnown) await this.#forgetEvent(delivery)
    if (isKnown || isLearning)
      await this.#guard.record(route, this.#identities.counted(deviceHash, this.#nowMs()), true)
  }

  async #forgetEvent(delivery: Delivery): Promise<void> {
    const { claims } = rememberedOf(delivery)
    if (claims !== undefined) await this.#memory.delete(delivery, claims)
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
    const tombstone = text === undefined ? undefined : decodeTombstone(text, this.#signFor(device))
    // The store forgets it then, too; but who can write there can put it back.
    return tombstone !== undefined && leftMsOf(tombstone, this.#nowMs()) > 0 ? tombstone : undefined
  }

  #write(device: Device, tombstone: Tombstone): Promise<void> {
    const text = encodeTombstone(tombstone, this.#signFor(device))
    return this.#memory.set(device, tombstoneKey(device), text, leftMsOf(tombstone, this.#nowMs()))
  }

  #signFor({ deviceHash }: Device): Sign {
    return (text) => this.#identities.death(deviceHash, text)
  }
}

/** Key of the memory with an entry for a device that is not simply alive. */
export function tombstoneKey({ deviceHash }: Device): string {
  return `dead:${deviceHash}`
}
