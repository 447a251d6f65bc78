/** The way in: from a parsed notification to stored deliveries, and the pushkeys to reject. */
import { randomUUID } from 'node:crypto'
import type { Activity } from '../activity/activity.ts'
import type { Config } from '../config/config.ts'
import type { Routes } from '../config/routes.ts'
import { Deadlines } from '../core/deadlines.ts'
import type { EncryptForDevice } from '../core/device-key.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Identities } from '../core/identities.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Log } from '../core/log.ts'
import type { Device, Notification } from '../core/notification.ts'
import { Secret } from '../core/secret.ts'
import type { DeadPushkeys } from '../memory/dead-pushkeys.ts'
import type { Deduplication } from '../memory/deduplication.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Tracer } from '../tracing/tracer.ts'
import type { Store } from '../store/contract.ts'
import { Candidates, type Addressee } from './candidate.ts'
import {
  admitted,
  ownerOf,
  preparedOf,
  rejectedOf,
  type Admission,
  type DeviceResult,
  type Marks,
  type Prepared,
} from './prepared.ts'
import { RelayedIntake } from './relayed.ts'
import { Scheduler } from './schedule.ts'
import { Slices } from './slices.ts'
import { ACCEPT_TIMEOUT_MS, Storing } from './storing.ts'
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
  readonly keyring: Keyring
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
const LARGEST_PART = 16

export class Intake {
  readonly #parts: IntakeParts
  readonly #candidates: Candidates
  /** The way in of Web Push messages that are relayed: stored by the same rules, in the same room. */
  readonly relayed: RelayedIntake
  readonly #storing: Storing
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
    this.#storing = new Storing(parts)
    this.relayed = new RelayedIntake({ ...parts, storing: this.#storing, configured: () => this.#configured })
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
    const target = new Secret(route.targetOf(device.pushkey.reveal(), device.data))
    const turnedAway = this.#turnedAway.target(route, target)
    if (turnedAway !== undefined) return turnedAway
    const addressee = this.#candidates.addresseeOf(notification, device, route, target)
    if (route.timing.coalesceMs !== undefined) return this.#prepareKnown(addressee, settings)
    const candidate = await this.#candidates.create(addressee, settings.queue, nowMs())
    if (candidate === undefined) return this.#skipNothing(addressee)
    return preparedOf({ ...candidate, route })
  }

  /** Where pushes are planned together: one that is not sent must not be planned, so the memory is asked first. */
  async #prepareKnown(addressee: Addressee, { queue }: IntakeSettings): Promise<Prepared | DeviceResult> {
    const { deduplication, nowMs } = this.#parts
    const { route, deduplicationKey } = addressee
    const [admission, isKnown] = await Promise.all([
      this.#admit(addressee),
      deduplicationKey === undefined ? false : deduplication.isKnown(ownerOf(addressee), deduplicationKey),
    ])
    if (admission === 'dead') return this.#skip(addressee, 'rejected')
    if (isKnown) return this.#skip(addressee, 'duplicate')
    const candidate = await this.#candidates.create(addressee, queue, nowMs())
    return candidate === undefined
      ? this.#skip(addressee, 'nothing_to_send')
      : admitted({ ...candidate, route }, admission)
  }

  /** The homeserver is told of a dead pushkey also where there is nothing to send. */
  async #skipNothing(addressee: Addressee): Promise<DeviceResult> {
    return this.#skip(addressee, (await this.#admit(addressee)) === 'dead' ? 'rejected' : 'nothing_to_send')
  }

  #skip({ route }: Pick<Addressee, 'route'>, why: 'rejected' | 'duplicate' | 'nothing_to_send'): DeviceResult {
    return this.#storing.skip(route, why) === 'rejected' ? 'rejected' : 'skipped'
  }

  #admit({ route, deviceHash, device: { pushkeyTs }, notification: { kind } }: Addressee): Promise<Admission> {
    return this.#storing.admit({ route: route.name, deviceHash, pushkeyTs }, kind === 'counts' ? 'counts' : 'event')
  }

  async #store(
    prepared: readonly Prepared[],
    { settings: { queue }, ...marks }: Accepting,
  ): Promise<readonly DeviceResult[]> {
    const results = await this.#storing.store(prepared, queue.highWater, marks)
    return results.map((result) => (result === 'duplicate' ? 'skipped' : result))
  }
}
