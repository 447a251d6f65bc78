/** From one device of a notification to the delivery that is to be stored for it. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { OpenRoute } from '../config/routes.ts'
import type { Delivery, Priority } from '../core/delivery.ts'
import type { EncryptForDevice } from '../core/device-key.ts'
import type { Identities, Recipient } from '../core/identities.ts'
import type { Rendered } from '../core/message.ts'
import type { Device, Notification } from '../core/notification.ts'
import { badgeOf, isTestPush, type Sealing } from '../core/privacy-policy.ts'
import type { Secret } from '../core/secret.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import { preparePush, renderPush, type PreparedPush, type PushNames } from './prepare-push.ts'
import type { Schedule, Scheduler } from './schedule.ts'

/** One device of a notification, and what names this push to it. */
export interface Addressee {
  readonly notification: Notification
  readonly device: Device
  readonly route: OpenRoute
  readonly target: Secret
  readonly recipient: Recipient
  readonly deviceHash: string
  readonly deduplicationKey: string | undefined
}

export interface Candidate {
  readonly addressee: Addressee
  readonly delivery: Delivery
  readonly rendered: Rendered & { readonly kind: 'message' }
  readonly sealing: Sealing | undefined
}

export interface CandidateParts {
  readonly identities: Identities
  readonly scheduler: Scheduler
  readonly encryptForDevice: EncryptForDevice
  readonly known: Pick<KnownDevices, 'isTrusted'>
}

/** How long a push is worth delivering, and a call. */
export interface MaxAges {
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
}

export class Candidates {
  readonly #parts: CandidateParts

  constructor(parts: CandidateParts) {
    this.#parts = parts
  }

  /** `target`: what the route makes of the device's pushkey. */
  addresseeOf(notification: Notification, device: Device, route: OpenRoute, target: Secret): Addressee {
    const { identities } = this.#parts
    const { appId, data } = device
    const recipient = { route: route.name, appId, target: target.reveal(), data }
    const { kind, eventId } = notification
    // The apps' test push is sent anew each time it is asked for; without an event ID nothing says that two pushes are the same.
    const isOnce = kind === 'event' && eventId !== undefined && !isTestPush(notification)
    return {
      notification,
      device,
      route,
      target,
      recipient,
      deviceHash: identities.device(recipient),
      deduplicationKey: isOnce ? identities.event(recipient, eventId) : undefined,
    }
  }

  /** Resolves with undefined when there is nothing to send. */
  async create(addressee: Addressee, maxAges: MaxAges, nowMs: number): Promise<Candidate | undefined> {
    const { encryptForDevice, scheduler } = this.#parts
    const { notification, device, route, recipient, deviceHash } = addressee
    const prepared = preparePush(notification, device, route, { ...maxAges, nowMs, encryptForDevice, randomBytes })
    if (prepared === undefined) return undefined
    const { push, timing } = prepared
    const priority = await this.#priorityOf(addressee, prepared.priority)
    const departing = { push, timing, recipient, deviceHash, pushkeyTs: device.pushkeyTs }
    return this.#render(addressee, { ...prepared, priority }, await scheduler.schedule(departing, nowMs), nowMs)
  }

  /** Anybody can call whom nobody has: that must not overtake others' pushes. */
  async #priorityOf({ route, deviceHash }: Addressee, priority: Priority): Promise<Priority> {
    if (priority !== 'call' || route.alwaysRings) return priority
    return (await this.#parts.known.isTrusted({ route: route.name, deviceHash })) ? 'call' : 'event'
  }

  #render(
    addressee: Addressee,
    prepared: PreparedPush,
    { dueAtMs, shownAtMs, latestKey, outdates }: Schedule,
    nowMs: number,
  ): Candidate | undefined {
    const { notification, device, route, target, recipient, deviceHash, deduplicationKey } = addressee
    const badgeKey = this.#badgeKeyOf(addressee)
    const departure = { shownAtMs, target: recipient.target }
    const rendered = renderPush(prepared, route, this.#namesOf(addressee, badgeKey, nowMs), departure)
    if (rendered.kind === 'nothing') return undefined
    const isBadge = notification.kind === 'counts'
    const delivery: Delivery = {
      id: randomUUID(),
      route: route.name,
      priority: prepared.priority,
      target,
      pushkeyTs: device.pushkeyTs,
      message: rendered.message,
      deviceHash,
      deduplicationKey,
      latestKey: isBadge ? badgeKey : latestKey,
      probesDead: undefined,
      acceptedAtMs: nowMs,
      dueAtMs,
      outdates: [outdates, isBadge ? undefined : badgeKey].filter((key) => key !== undefined),
      expiresAtMs: nowMs + prepared.maxAgeMs,
    }
    return { addressee, delivery, rendered, sealing: prepared.sealing }
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

  #namesOf(
    { notification, recipient, deduplicationKey }: Addressee,
    badgeKey: string | undefined,
    nowMs: number,
  ): PushNames {
    const { identities } = this.#parts
    const { kind, roomId, counts = {} } = notification
    const badge = kind === 'counts' ? badgeKey : undefined
    const countsKey = badge === undefined ? undefined : identities.counts(badge, counts, nowMs)
    // What nobody recognises again is named by chance, as if it were an event.
    const ids = identities.push(deduplicationKey ?? countsKey ?? randomUUID())
    return {
      ...ids,
      ...(badge === undefined ? {} : { collapseId: identities.collapse(badge) }),
      roomCollapseId: () => (roomId === undefined ? undefined : identities.roomCollapse(recipient, roomId)),
    }
  }
}
