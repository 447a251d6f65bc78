/** Stores what is prepared, as far as there is room, and says what became of it: the last step of the way in, for whatever came. */
import type { Activity } from '../activity/activity.ts'
import type { OpenRoute } from '../config/routes.ts'
import type { Delivery } from '../core/delivery.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import { shortHash, type Identities } from '../core/identities.ts'
import type { Log } from '../core/log.ts'
import type { Rendered } from '../core/message.ts'
import type { Sealing } from '../core/privacy-policy.ts'
import { tombstoneKey, type DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { rememberedOf } from '../memory/deduplication.ts'
import { knownKey, type KnownDevices } from '../memory/known-devices.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Accepted, NewDelivery, Store } from '../store/contract.ts'
import { HighWaterMark } from './high-water-mark.ts'

/** Why a device of a notification got nothing. */
type Skipped = 'rejected' | 'duplicate' | 'nothing_to_send'

export type StoredResult = 'stored' | Extract<Skipped, 'rejected' | 'duplicate'>

/** What is to be stored, unless there is an entry under one of these keys. */
export interface Prepared {
  readonly route: OpenRoute
  readonly delivery: Delivery
  readonly rendered: Rendered & { readonly kind: 'message' }
  /** Undefined where there is nothing to seal for the device. */
  readonly sealing?: Sealing | undefined
  readonly unless: readonly string[]
  /** One of `unless`: an entry there says that the device does not want it, whatever is known of its pushkey. */
  readonly refusedBy?: string | undefined
}

export interface StoringParts {
  readonly store: Store
  readonly deadPushkeys: DeadPushkeys
  readonly known: KnownDevices
  readonly identities: Identities
  readonly metrics: Metrics
  readonly activity: Activity
  readonly log: Log
  readonly nowMs: () => number
}

const NO_ROOM_FOR_STRANGERS =
  'half of queue.high_water, or of the store, is taken: the rest is for devices that a push was delivered to before'

export class Storing {
  readonly #parts: StoringParts
  readonly #highWaterMark: HighWaterMark

  constructor(parts: StoringParts) {
    const { store, known, nowMs } = parts
    this.#parts = parts
    this.#highWaterMark = new HighWaterMark({ store, known, nowMs })
  }

  /** Results in the same order. Rejects with StoreUnavailableError when not all of it could be stored. `highWater`: how many a route may have. */
  async store(prepared: readonly Prepared[], highWater: number): Promise<readonly StoredResult[]> {
    if (prepared.length === 0) return []
    const crowded = await this.#highWaterMark.crowdedOf(
      prepared.map(({ delivery }) => delivery.route),
      highWater,
    )
    const news = prepared.map((each) =>
      newDeliveryOf(each, crowded.has(each.delivery.route) && !this.#isRemembered(each)),
    )
    const { metrics, store } = this.#parts
    const accepted = await this.#highWaterMark.storing(news, () => metrics.store.timed(store.queue.accept(news)))
    return Promise.all(prepared.map((each, index) => this.#settle(each, accepted[index] ?? { found: [] })))
  }

  /** Whether the device may be sent a push of this kind, as a probe or at all. */
  admit(
    { route, deviceHash, pushkeyTs }: Pick<Delivery, 'route' | 'deviceHash' | 'pushkeyTs'>,
    kind: 'event' | 'counts',
  ): Promise<Admission> {
    return this.#parts.deadPushkeys.admit({ route, deviceHash, pushkeyTs, kind })
  }

  /** Nothing is stored for a device. */
  skip<Why extends Skipped>(route: OpenRoute, why: Why): Why {
    this.#parts.metrics.intake.deviceSkipped(route, why)
    return why
  }

  #isRemembered({ delivery }: Prepared): boolean {
    return this.#parts.known.isRemembered(delivery.deviceHash)
  }

  async #settle(prepared: Prepared, accepted: Accepted): Promise<StoredResult> {
    if ('isRefused' in accepted) throw new StoreUnavailableError(NO_ROOM_FOR_STRANGERS)
    if ('found' in accepted) return this.#onFound(prepared, accepted.found)
    const { route, delivery, rendered, sealing } = prepared
    const { metrics, activity, log, identities } = this.#parts
    metrics.intake.deliveryStored(route, rendered)
    activity.accepted(route.name)
    log.debug('A push was accepted', () => ({
      app: route.app,
      device: shortHash(delivery.deviceHash),
      push: identities.logged(delivery.id),
    }))
    if (sealing !== undefined) metrics.intake.deviceKeySeen(route, sealing.key)
    return 'stored'
  }

  /** The memory knows the event, or has something to say about the device. */
  async #onFound(prepared: Prepared, found: readonly string[]): Promise<StoredResult> {
    const { route, delivery, refusedBy } = prepared
    if (refusedBy !== undefined && found.includes(refusedBy)) return this.skip(route, 'rejected')
    const { claims } = rememberedOf(delivery)
    // Asked without a consequence: a duplicate is not sent, and so no probe.
    if (claims !== undefined && found.includes(claims))
      return this.skip(route, (await this.#parts.deadPushkeys.isDead({ delivery })) ? 'rejected' : 'duplicate')
    const isBuried = found.includes(tombstoneKey(delivery))
    const admission = isBuried
      ? await this.admit(delivery, delivery.priority === 'counts' ? 'counts' : 'event')
      : 'alive'
    if (admission === 'dead') return this.skip(route, 'rejected')
    const again = admitted(prepared, admission)
    const [accepted] = await this.#parts.store.queue.accept([newDeliveryOf(again, false)])
    return accepted !== undefined && 'order' in accepted ? this.#settle(again, accepted) : this.skip(route, 'duplicate')
  }
}

export type Admission = Awaited<ReturnType<DeadPushkeys['admit']>>

/** Unless it is known to be dead, or its event to be sent. */
export function preparedOf(of: Omit<Prepared, 'unless'>): Prepared {
  const { claims } = rememberedOf(of.delivery)
  const keys = [tombstoneKey(of.delivery), claims, of.refusedBy]
  return { ...of, unless: keys.filter((key) => key !== undefined) }
}

/** The memory was asked about the device. */
export function admitted(of: Omit<Prepared, 'unless'>, admission: Admission): Prepared {
  const delivery = { ...of.delivery, probesDead: admission === 'probe' || undefined }
  const { claims } = rememberedOf(delivery)
  return { ...of, delivery, unless: claims === undefined ? [] : [claims] }
}

/** `isTried`: only if a push was ever delivered to the device. */
function newDeliveryOf({ delivery, unless }: Prepared, isTried: boolean): NewDelivery {
  return { delivery, unless, requires: isTried ? knownKey(delivery) : undefined, ...rememberedOf(delivery) }
}
