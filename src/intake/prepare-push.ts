/**
 * Notification × device × route → push, and push → message: what a device is told, without anything stored or sent. Pure but for what is passed in. The
 * intake and `hushgate render` both go through here, so that what is shown is what is sent.
 */
import type { OpenRoute } from '../config/routes.ts'
import { callLifetimeMs, isCall } from '../core/call.ts'
import type { Priority } from '../core/delivery.ts'
import type { EncryptForDevice } from '../core/device-key.ts'
import type { PushIdentity, Rendered } from '../core/message.ts'
import type { Device, Notification } from '../core/notification.ts'
import { PlaceholderIds } from '../core/placeholder-ids.ts'
import { applyPrivacy, sealFor, type Sealing } from '../core/privacy-policy.ts'
import type { Push } from '../core/push.ts'
import type { Timing } from '../core/timing.ts'
import { timingFor, type Schedule } from './schedule.ts'

export interface Circumstances {
  readonly nowMs: number
  /** How long a push is worth delivering, and a call. */
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
  readonly encryptForDevice: EncryptForDevice
  /** From a CSPRNG. */
  readonly randomBytes: (count: number) => Uint8Array
}

export interface PreparedPush {
  readonly push: Push
  readonly priority: Priority
  /** Undefined where there is nothing to seal for the device. */
  readonly sealing: Sealing | undefined
  /** What of the app's timing concerns this push. */
  readonly timing: Timing
  /** How long it is kept. */
  readonly maxAgeMs: number
  /** How long the push service is told to keep it. */
  readonly shownMaxAgeMs: number
}

/** Undefined when the notification says nothing, or is of a call that is over. */
export function preparePush(
  notification: Notification,
  device: Device,
  route: OpenRoute,
  circumstances: Circumstances,
): PreparedPush | undefined {
  const { nowMs, encryptForDevice, randomBytes } = circumstances
  const lifetimeMs = callLifetimeMs(notification, nowMs)
  if (lifetimeMs !== undefined && lifetimeMs <= 0) return undefined
  const sealing = sealFor(notification, device, route.policy, encryptForDevice, nowMs)
  const push = applyPrivacy(notification, device, route.policy, sealing?.block, () => new PlaceholderIds(randomBytes))
  if (push === undefined) return undefined
  const priority = priorityOf(notification, route)
  const longestMs = priority === 'call' ? circumstances.callMaxAgeMs : circumstances.maxAgeMs
  const maxAgeMs = Math.min(longestMs, lifetimeMs ?? longestMs)
  return {
    push,
    priority,
    sealing,
    timing: timingFor(push, notification, route.timing),
    maxAgeMs,
    // A shorter life tells the push service which push is a call, which is the type's to tell, and until when, which is the content's.
    shownMaxAgeMs: push.detail === 'full' ? maxAgeMs : route.alwaysRings ? longestMs : circumstances.maxAgeMs,
  }
}

/** How a push is recognised again, by the push service and the device. */
export interface PushNames extends Pick<PushIdentity, 'id' | 'collapseId'> {
  /** Made only where the app asks for the last push per room. */
  readonly roomCollapseId: () => string | undefined
}

/** For whom it is rendered, and for when. */
export interface Departure extends Pick<Schedule, 'shownAtMs'> {
  /** What the route makes of the device's pushkey. */
  readonly target: string
}

export function renderPush(
  { push, shownMaxAgeMs }: PreparedPush,
  route: OpenRoute,
  { id, collapseId, roomCollapseId }: PushNames,
  { shownAtMs, target }: Departure,
): Rendered {
  const isPerRoom = push.detail !== 'minimal' && push.pusher?.onlyLastPerRoom === true
  const identity = {
    id,
    collapseId,
    roomCollapseId: isPerRoom ? roomCollapseId() : undefined,
    expiresAtMs: shownAtMs + shownMaxAgeMs,
    lifetimeMs: shownMaxAgeMs,
  }
  return route.render(push, identity, target)
}

function priorityOf(notification: Notification, { alwaysRings }: OpenRoute): Priority {
  if (notification.kind === 'counts') return 'counts'
  return alwaysRings || isCall(notification) ? 'call' : 'event'
}
