/** The way in: from a parsed notification to stored deliveries, and the pushkeys to reject. */
import { randomUUID } from 'node:crypto'
import type { Activity } from '../activity/activity.ts'
import type { Config } from '../config/config.ts'
import type { Routes } from '../config/routes.ts'
import { Deadlines } from '../core/deadlines.ts'
import type { EncryptForDevice } from '../core/device-key.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import { shortHash, type Identities } from '../core/identities.ts'
import type { Log } from '../core/log.ts'
import type { Device, Notification } from '../core/notification.ts'
import { tombstoneKey, type DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { rememberedOf, type Deduplication } from '../memory/deduplication.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Tracer } from '../tracing/tracer.ts'
import { STORE_TIMEOUT_MS, type Accepted, type Store } from '../store/contract.ts'
import { Candidates, type Addressee } from './candidate.ts'
import { HighWaterMark } from './high-water-mark.ts'
import {
  admitted,
  newDeliveryOf,
  ownerOf,
  rejectedOf,
  type DeviceResult,
  marked,
  traceStoring,
  type Admission,
  type Marks,
  type Prepared,
} from './prepared.ts'
import { Scheduler } from './schedule.ts'
import { Slices } from './slices.ts'
import { TurnedAway } from './turned-away.ts'

/** What of the configuration decides about what comes in. */
export type IntakeSettings = Pick<Config, 'unknownApp' | 'queue'>

interface Configured {
  readonly routes: Routes
  readonly settings: IntakeSettings
}

/** What one notification is accepted by. */
interface Accepting extends Configured, Marks {}

export interface IntakeParts {
  readonly store: Store
  readonly deadPushkeys: DeadPushkeys
  readonly deduplication: Deduplication
  readonly known: KnownDevices
  readonly identities: Identities
  readonly encryptForDevice: EncryptForDevice
  readonly metrics: Metrics
  /** Absent: nothing is traced. */
  readonly tracer?: Pick<Tracer, 'stored'> | undefined
  readonly activity: Activity
  readonly log: Log
  readonly nowMs: () => number
}

/** Homeservers send one. What is for more is done in slices of time. */
const DEVICES_AT_ONCE = 4
/** Of such a request, what is stored at once; more would keep others waiting for the store. */
const LARGEST_PART = 48
/** Under a second in all, whatever the store is doing: a homeserver waits no longer for a 503 than for a 200. */
const ACCEPT_TIMEOUT_MS = STORE_TIMEOUT_MS + 50
const NO_ROOM_FOR_STRANGERS =
  'half of queue.high_water, or of the store, is taken: the rest is for devices that a push was delivered to before'

export class Intake {
  readonly #parts: IntakeParts
  readonly #candidates: Candidates
  readonly #highWaterMark: HighWaterMark
  readonly #turnedAway: TurnedAway
  readonly #slices = new Slices()
  readonly #timeLimits = new Deadlines(ACCEPT_TIMEOUT_MS)
  #configured: Configured

  constructor(parts: IntakeParts, routes: Routes, settings: IntakeSettings) {
    const { store, known, identities, encryptForDevice, metrics, activity, log, nowMs } = parts
    this.#parts = parts
    this.#configured = { routes, settings }
    const scheduler = new Scheduler(new WakeUps(store.memory, randomUUID), identities)
    this.#candidates = new Candidates({ identities, scheduler, encryptForDevice, known })
    this.#highWaterMark = new HighWaterMark({ store, known, nowMs })
    this.#turnedAway = new TurnedAway({ metrics: metrics.intake, unknownApps: activity.unknownApps, log, nowMs })
  }

  /** From the next notification on. */
  configure(routes: Routes, settings: IntakeSettings): void {
    this.#configured = { routes, settings }
  }

  /**
   * Resolves with the pushkeys to reject once everything else is durable; rejects with StoreUnavailableError within a second. What was stored of a notification
   * that is refused is known again when it is repeated. `isGone`: whether nobody waits for the answer any more; then no more is done for it.
   */
  async accept(
    notification: Notification,
    isGone: () => boolean = () => false,
    marks?: Marks,
  ): Promise<readonly string[]> {
    if (!this.#parts.store.health().writable) throw new StoreUnavailableError('the store is not writable')
    const { devices } = notification
    const configured = marks === undefined ? this.#configured : { ...this.#configured, ...marks }
    return new Promise((resolve, reject) => {
      let isAnswered = false
      const limit = this.#timeLimits.add(() => {
        isAnswered = true
        reject(new StoreUnavailableError('the store does not answer'))
      })
      const results =
        devices.length <= DEVICES_AT_ONCE
          ? this.#acceptSome(notification, devices, configured)
          : this.#acceptMany(notification, configured, () => !isAnswered && !isGone())
      results.then((each) => resolve(rejectedOf(devices, each)), reject).finally(() => limit.cancel())
    })
  }

  async #acceptMany(
    notification: Notification,
    configured: Accepting,
    isAwaited: () => boolean,
  ): Promise<readonly DeviceResult[]> {
    const { devices } = notification
    const results: DeviceResult[] = []
    await this.#slices.run(async () => {
      while (results.length < devices.length) {
        if (!isAwaited()) throw new StoreUnavailableError('nobody waits for the answer any more')
        const prepared = await this.#prepareSlice(notification, devices.slice(results.length), configured)
        results.push(...(await this.#slices.rest(this.#storeAll(prepared, configured))))
      }
    })
    return results
  }

  /** The first of these devices, as many as a slice of time suffices for. */
  async #prepareSlice(
    notification: Notification,
    devices: readonly Device[],
    configured: Configured,
  ): Promise<readonly (Prepared | DeviceResult)[]> {
    const prepared: (Prepared | DeviceResult)[] = []
    do {
      const some = devices.slice(prepared.length, prepared.length + DEVICES_AT_ONCE)
      prepared.push(...(await Promise.all(some.map((device) => this.#prepare(notification, device, configured)))))
    } while (prepared.length < Math.min(devices.length, LARGEST_PART) && !this.#slices.isOver)
    return prepared
  }

  async #acceptSome(
    notification: Notification,
    devices: readonly Device[],
    configured: Accepting,
  ): Promise<readonly DeviceResult[]> {
    const [first] = devices
    // Homeservers send one.
    if (first !== undefined && devices.length === 1) {
      const prepared = await this.#prepare(notification, first, configured)
      return typeof prepared === 'object' ? this.#store([prepared], configured) : [prepared]
    }
    return this.#storeAll(
      await Promise.all(devices.map((device) => this.#prepare(notification, device, configured))),
      configured,
    )
  }

  /** Results in the order of the devices. */
  async #storeAll(
    prepared: readonly (Prepared | DeviceResult)[],
    configured: Accepting,
  ): Promise<readonly DeviceResult[]> {
    const results = await this.#store(
      prepared.filter((each) => typeof each === 'object'),
      configured,
    )
    const remaining = results.values()
    return prepared.map((each) => (typeof each === 'object' ? (remaining.next().value ?? 'skipped') : each))
  }

  async #prepare(
    notification: Notification,
    device: Device,
    { routes, settings }: Configured,
  ): Promise<Prepared | DeviceResult> {
    const { metrics, nowMs } = this.#parts
    const route = routes.routeFor(device.appId, device.pushkey.reveal(), device.data)
    if (route === undefined) return this.#turnedAway.unknownApp(device.appId, settings.unknownApp)
    if (notification.kind === 'nothing') {
      metrics.intake.deviceSkipped(route, 'nothing_to_send')
      return 'skipped'
    }
    const target = route.targetOf(device.pushkey.reveal(), device.data)
    const turnedAway = this.#turnedAway.target(route, target)
    if (turnedAway !== undefined) return turnedAway
    const addressee = this.#candidates.addresseeOf(notification, device, route, target)
    if (route.timing.coalesceMs !== undefined) return this.#prepareKnown(addressee, settings)
    const candidate = await this.#candidates.create(addressee, settings.queue, nowMs())
    if (candidate === undefined) return this.#skipNothing(addressee)
    const { claims } = rememberedOf(candidate.delivery)
    const tombstone = tombstoneKey(candidate.delivery)
    return { ...candidate, unless: claims === undefined ? [tombstone] : [tombstone, claims] }
  }

  /** Where pushes are planned together: one that is not sent must not be planned, so the memory is asked first. */
  async #prepareKnown(addressee: Addressee, { queue }: IntakeSettings): Promise<Prepared | DeviceResult> {
    const { deduplication, nowMs } = this.#parts
    const { deduplicationKey } = addressee
    const [admission, isKnown] = await Promise.all([
      this.#admit(addressee),
      deduplicationKey === undefined ? false : deduplication.isKnown(ownerOf(addressee), deduplicationKey),
    ])
    if (admission === 'dead') return this.#skip(addressee, 'rejected')
    if (isKnown) return this.#skip(addressee, 'duplicate')
    const candidate = await this.#candidates.create(addressee, queue, nowMs())
    return candidate === undefined ? this.#skip(addressee, 'nothing_to_send') : admitted(candidate, admission)
  }

  /** The homeserver is told of a dead pushkey also where there is nothing to send. */
  async #skipNothing(addressee: Addressee): Promise<DeviceResult> {
    return this.#skip(addressee, (await this.#admit(addressee)) === 'dead' ? 'rejected' : 'nothing_to_send')
  }

  #skip({ route }: Pick<Addressee, 'route'>, why: 'rejected' | 'duplicate' | 'nothing_to_send'): DeviceResult {
    this.#parts.metrics.intake.deviceSkipped(route, why)
    return why === 'rejected' ? 'rejected' : 'skipped'
  }

  #admit({ route, deviceHash, device: { pushkeyTs }, notification: { kind } }: Addressee): Promise<Admission> {
    return this.#parts.deadPushkeys.admit({
      route: route.name,
      deviceHash,
      pushkeyTs,
      kind: kind === 'counts' ? 'counts' : 'event',
    })
  }

  /** Rejects when not all of it could be stored. */
  async #store(
    unmarked: readonly Prepared[],
    { settings: { queue }, trace, canary }: Accepting,
  ): Promise<readonly DeviceResult[]> {
    if (unmarked.length === 0) return []
    const prepared =
      trace === undefined && canary === undefined ? unmarked : unmarked.map((each) => marked(each, { trace, canary }))
    const crowded = await this.#highWaterMark.crowdedOf(
      prepared.map(({ delivery }) => delivery.route),
      queue.highWater,
    )
    const news = prepared.map((each) =>
      newDeliveryOf(each, crowded.has(each.delivery.route) && !this.#isRemembered(each)),
    )
    const { metrics, store } = this.#parts
    const storing = this.#highWaterMark.storing(news, () => metrics.store.timed(store.queue.accept(news)))
    const accepted = await (trace === undefined ? storing : traceStoring(trace, prepared, storing, this.#parts))
    return Promise.all(prepared.map((each, index) => this.#settle(each, accepted[index] ?? { found: [] })))
  }

  #isRemembered({ delivery }: Prepared): boolean {
    return this.#parts.known.isRemembered(delivery.deviceHash)
  }

  async #settle(prepared: Prepared, accepted: Accepted): Promise<DeviceResult> {
    if ('isRefused' in accepted) throw new StoreUnavailableError(NO_ROOM_FOR_STRANGERS)
    if ('found' in accepted) return this.#onFound(prepared, accepted.found)
    const { addressee, delivery, rendered, sealing } = prepared
    const { metrics, activity, log, identities } = this.#parts
    metrics.intake.deliveryStored(addressee.route, rendered)
    activity.accepted(addressee.route.name)
    log.debug('A push was accepted', () => ({
      app: addressee.route.app,
      device: shortHash(delivery.deviceHash),
      push: identities.logged(delivery.id),
    }))
    if (sealing !== undefined) metrics.intake.deviceKeySeen(addressee.route, sealing.key)
    return 'stored'
  }

  /** The memory knows the event, or has something to say about the device. */
  async #onFound(prepared: Prepared, found: readonly string[]): Promise<DeviceResult> {
    const { addressee, delivery } = prepared
    const { claims } = rememberedOf(delivery)
    // Asked without a consequence: a duplicate is not sent, and so no probe.
    if (claims !== undefined && found.includes(claims))
      return this.#skip(addressee, (await this.#parts.deadPushkeys.isDead({ delivery })) ? 'rejected' : 'duplicate')
    const admission = found.includes(tombstoneKey(delivery)) ? await this.#admit(addressee) : 'alive'
    if (admission === 'dead') return this.#skip(addressee, 'rejected')
    const again = admitted(prepared, admission)
    const [accepted] = await this.#parts.store.queue.accept([newDeliveryOf(again, false)])
    return accepted !== undefined && 'order' in accepted
      ? this.#settle(again, accepted)
      : this.#skip(addressee, 'duplicate')
  }
}
