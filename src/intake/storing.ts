/** Stores what is prepared, as far as there is room, and says what became of it: the last step of the way in, for whatever came. */
import type { Activity } from '../activity/activity.ts'
import type { OpenRoute } from '../config/routes.ts'
import type { Delivery } from '../core/delivery.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import { shortHash, type Identities } from '../core/identities.ts'
import type { Log } from '../core/log.ts'
import { tombstoneKey, type DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { rememberedOf } from '../memory/deduplication.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { STORE_TIMEOUT_MS, type Accepted, type Store } from '../store/contract.ts'
import type { Tracer } from '../tracing/tracer.ts'
import { HighWaterMark } from './high-water-mark.ts'
import { admitted, marked, newDeliveryOf, traceStoring, type Admission, type Marks, type Prepared } from './prepared.ts'

/** Why a device of a notification got nothing. */
type Skipped = 'rejected' | 'duplicate' | 'nothing_to_send'

export type StoredResult = 'stored' | Extract<Skipped, 'rejected' | 'duplicate'>

export interface StoringParts {
  readonly store: Store
  readonly deadPushkeys: DeadPushkeys
  readonly known: KnownDevices
  readonly identities: Identities
  readonly metrics: Metrics
  readonly activity: Activity
  readonly log: Log
  readonly tracer?: Pick<Tracer, 'stored'> | undefined
  readonly nowMs: () => number
}

/** Under a second in all, whatever the store is doing: a homeserver waits no longer for a 503 than for a 200. */
export const ACCEPT_TIMEOUT_MS = STORE_TIMEOUT_MS + 50
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
  async store(
    unmarked: readonly Prepared[],
    highWater: number,
    { trace, canary }: Marks = {},
  ): Promise<readonly StoredResult[]> {
    if (unmarked.length === 0) return []
    const prepared =
      trace === undefined && canary === undefined ? unmarked : unmarked.map((each) => marked(each, { trace, canary }))
    const crowded = await this.#highWaterMark.crowdedOf(
      prepared.map(({ delivery }) => delivery.route),
      highWater,
    )
    const news = prepared.map((each) =>
      newDeliveryOf(each, crowded.has(each.delivery.route) && !this.#isRemembered(each)),
    )
    const { metrics, store } = this.#parts
    const storing = this.#highWaterMark.storing(news, () => metrics.store.timed(store.queue.accept(news)))
    const accepted = await (trace === undefined ? storing : traceStoring(trace, prepared, storing, this.#parts))
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
    if (refusedBy !== undefined && found.includes(refusedBy.key) && (await refusedBy.isRefused()))
      return this.skip(route, 'rejected')
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
