/** The way in: from a parsed notification to stored deliveries, and the pushkeys to reject. */
import { randomBytes, randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Config } from '../config/config.ts'
import type { Routes, OpenRoute } from '../config/routes.ts'
import type { Delivery } from '../core/delivery.ts'
import type { EncryptForDevice } from '../core/device-key.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Identities, Recipient } from '../core/identities.ts'
import type { Log } from '../core/log.ts'
import type { Rendered } from '../core/message.ts'
import type { Device, Notification } from '../core/notification.ts'
import { badgeOf, isTestPush } from '../core/privacy-policy.ts'
import { Secret } from '../core/secret.ts'
import { Throttle } from '../core/throttle.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import type { DeadPushkeys } from '../memory/dead-pushkeys.ts'
import type { Deduplication } from '../memory/deduplication.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { STORE_TIMEOUT_MS, type Store } from '../store/contract.ts'
import { HighWaterMark } from './high-water-mark.ts'
import { preparePush, renderPush, type PushNames } from './prepare-push.ts'
import { Scheduler } from './schedule.ts'

/** What of the configuration decides about what comes in. */
export type IntakeSettings = Pick<Config, 'unknownApp' | 'queue'>

interface Configured {
  readonly routes: Routes
  readonly settings: IntakeSettings
}

export interface IntakeParts {
  readonly store: Store
  readonly deadPushkeys: DeadPushkeys
  readonly deduplication: Deduplication
  readonly identities: Identities
  readonly encryptForDevice: EncryptForDevice
  readonly metrics: Metrics
  readonly log: Log
  readonly nowMs: () => number
}

/** Homeservers send one. */
const DEVICES_AT_ONCE = 20
/** Under a second in all, whatever the store is doing: a homeserver waits no longer for a 503 than for a 200. */
const ACCEPT_TIMEOUT_MS = STORE_TIMEOUT_MS + 50
const UNKNOWN_APP_WARNING_MS = 60_000

/** What became of one device of a notification: a delivery to be stored, or nothing. */
type DeviceResult = Accepted | 'rejected' | 'skipped'

interface Accepted {
  readonly route: OpenRoute
  readonly delivery: Delivery
  readonly rendered: Rendered & { readonly kind: 'message' }
}

/** One device of a notification, and what names this push to it. */
interface Addressee {
  readonly notification: Notification
  readonly device: Device
  readonly route: OpenRoute
  readonly recipient: Recipient
  readonly deviceHash: string
  readonly deduplicationKey: string | undefined
}

export class Intake {
  readonly #parts: IntakeParts
  readonly #scheduler: Scheduler
  readonly #highWaterMark: HighWaterMark
  readonly #unknownAppWarnings: Throttle
  #configured: Configured

  constructor(parts: IntakeParts, routes: Routes, settings: IntakeSettings) {
    this.#parts = parts
    this.#configured = { routes, settings }
    this.#scheduler = new Scheduler(new WakeUps(parts.store.memory, randomUUID), parts.identities)
    this.#highWaterMark = new HighWaterMark(parts.store.queue, parts.nowMs)
    this.#unknownAppWarnings = new Throttle(UNKNOWN_APP_WARNING_MS, parts.nowMs)
  }

  /** From the next notification on. */
  configure(routes: Routes, settings: IntakeSettings): void {
    this.#configured = { routes, settings }
  }

  /** Resolves with the pushkeys to reject once everything else is durable; rejects with StoreUnavailableError within a second. */
  async accept(notification: Notification): Promise<readonly string[]> {
    if (!this.#parts.store.health().writable) throw new StoreUnavailableError('the store is not writable')
    return withTimeLimit(ACCEPT_TIMEOUT_MS, this.#acceptAll(notification, this.#configured), noAnswer)
  }

  async #acceptAll(notification: Notification, configured: Configured): Promise<readonly string[]> {
    const { devices } = notification
    const results: DeviceResult[] = []
    for (let start = 0; start < devices.length; start += DEVICES_AT_ONCE) {
      // A thousand devices of one request must not hold up everybody else's.
      if (start > 0) await nextTurn()
      const some = devices.slice(start, start + DEVICES_AT_ONCE)
      results.push(...(await Promise.all(some.map((device) => this.#acceptDevice(notification, device, configured)))))
    }
    await this.#store(
      results.filter((each) => typeof each === 'object'),
      configured.settings,
    )
    const rejected = devices.filter((_, index) => results[index] === 'rejected')
    return [...new Set(rejected.map(({ pushkey }) => pushkey.reveal()))]
  }

  async #acceptDevice(
    notification: Notification,
    device: Device,
    { routes, settings }: Configured,
  ): Promise<DeviceResult> {
    const { metrics, deadPushkeys, deduplication } = this.#parts
    const route = routes.routeFor(device.appId)
    if (route === undefined) return this.#answerUnknownApp(settings)
    const { kind } = notification
    if (kind === 'nothing') {
      metrics.intake.deviceSkipped(route, 'nothing_to_send')
      return 'skipped'
    }
    const addressee = this.#addresseeOf(notification, device, route)
    const { deviceHash, deduplicationKey } = addressee
    const known = { route: route.name, deviceHash, pushkeyTs: device.pushkeyTs, kind }
    const [admission, isKnown] = await Promise.all([
      deadPushkeys.admit(known),
      deduplicationKey === undefined ? false : deduplication.isKnown(known, deduplicationKey),
    ])
    if (admission === 'dead') {
      metrics.intake.deviceSkipped(route, 'rejected')
      return 'rejected'
    }
    if (isKnown) {
      metrics.intake.deviceSkipped(route, 'duplicate')
      return 'skipped'
    }
    return (await this.#prepare(addressee, settings, admission === 'probe')) ?? 'skipped'
  }

  #answerUnknownApp({ unknownApp }: IntakeSettings): DeviceResult {
    const { metrics, log } = this.#parts
    metrics.intake.unknownApp()
    if (this.#unknownAppWarnings.allows())
      log.warn('A homeserver pushes to an app_id that is not configured', { answer: unknownApp })
    return unknownApp === 'reject' ? 'rejected' : 'skipped'
  }

  #addresseeOf(notification: Notification, device: Device, route: OpenRoute): Addressee {
    const { identities } = this.#parts
    const { appId, data } = device
    const recipient = { route: route.name, appId, target: route.targetOf(device.pushkey.reveal(), data), data }
    const { kind, eventId } = notification
    // The apps' test push is sent anew each time it is asked for; without an event ID nothing says that two pushes are the same.
    const isOnce = kind === 'event' && eventId !== undefined && !isTestPush(notification)
    return {
      notification,
      device,
      route,
      recipient,
      deviceHash: identities.device(recipient),
      deduplicationKey: isOnce ? identities.event(recipient, eventId) : undefined,
    }
  }

  /** Undefined when there is nothing to send. */
  async #prepare(
    addressee: Addressee,
    { queue: { maxAgeMs, callMaxAgeMs } }: IntakeSettings,
    probesDead: boolean,
  ): Promise<Accepted | undefined> {
    const { metrics, encryptForDevice, nowMs: clock } = this.#parts
    const { notification, device, route, recipient, deviceHash, deduplicationKey } = addressee
    const nowMs = clock()
    const circumstances = { nowMs, maxAgeMs, callMaxAgeMs, encryptForDevice, randomBytes }
    const prepared = preparePush(notification, device, route, circumstances)
    if (prepared === undefined) return undefined
    if (prepared.sealing !== undefined) metrics.intake.deviceKeySeen(route, prepared.sealing.key)
    const { pushkeyTs } = device
    const departing = { push: prepared.push, timing: prepared.timing, recipient, deviceHash, pushkeyTs }
    const schedule = await this.#scheduler.schedule(departing, nowMs)
    const badgeKey = this.#badgeKeyOf(addressee)
    const rendered = renderPush(prepared, route, this.#namesOf(addressee, badgeKey), schedule)
    if (rendered.kind === 'nothing') {
      metrics.intake.deviceSkipped(route, 'nothing_to_send')
      return undefined
    }
    const isBadge = notification.kind === 'counts'
    const delivery: Delivery = {
      id: randomUUID(),
      route: route.name,
      priority: prepared.priority,
      target: new Secret(recipient.target),
      pushkeyTs,
      message: rendered.message,
      deviceHash,
      deduplicationKey,
      latestKey: isBadge ? badgeKey : schedule.latestKey,
      probesDead: probesDead || undefined,
      acceptedAtMs: nowMs,
      dueAtMs: schedule.dueAtMs,
      outdates: [schedule.outdates, isBadge ? undefined : badgeKey].filter((key) => key !== undefined),
      expiresAtMs: nowMs + prepared.maxAgeMs,
    }
    return { route, delivery, rendered }
  }

  /**
   * Of a counts-only push: the latest wins. Of an event that tells a number, where pushes are delayed: an older badge update may still wait, and must not
   * follow it, sealed or not.
   */
  #badgeKeyOf({ notification: { kind, counts }, route, recipient }: Addressee): string | undefined {
    const { coalesceMs, releaseEveryMs } = route.timing
    const isDelayed = coalesceMs !== undefined || releaseEveryMs !== undefined
    const isWanted = kind === 'counts' || (isDelayed && badgeOf(counts) !== undefined)
    return isWanted ? this.#parts.identities.badge(recipient, route.countsPer) : undefined
  }

  #namesOf({ notification, recipient, deduplicationKey }: Addressee, badgeKey: string | undefined): PushNames {
    const { identities } = this.#parts
    const { kind, roomId } = notification
    const replaced = kind === 'counts' ? badgeKey : deduplicationKey
    return {
      id: deduplicationKey === undefined ? randomUUID() : identities.push(deduplicationKey),
      collapseId: identities.collapse(replaced ?? randomUUID()),
      roomCollapseId: () => (roomId === undefined ? undefined : identities.roomCollapse(recipient, roomId)),
    }
  }

  /** Rejects when not all of it could be stored. */
  async #store(accepted: readonly Accepted[], { queue: { highWater } }: IntakeSettings): Promise<void> {
    if (accepted.length === 0) return
    const { store, deduplication, metrics } = this.#parts
    const deliveries = accepted.map(({ delivery }) => delivery)
    if (deliveries.some(({ route }) => this.#highWaterMark.isReached(route, highWater)))
      throw new StoreUnavailableError('queue.high_water is reached')
    const orders = await store.queue.add(deliveries)
    // Stored is stored: the worker claims the event for itself before it sends, so what fails here costs a second copy in the queue at worst.
    await Promise.allSettled(deliveries.map((delivery, index) => deduplication.onStored(delivery, orders[index] ?? 0)))
    for (const { route, rendered } of accepted) metrics.intake.deliveryStored(route, rendered)
  }
}

function noAnswer(): Error {
  return new StoreUnavailableError('the store does not answer')
}
