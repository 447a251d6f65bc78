/** From a parsed notification to stored deliveries and the pushkeys to reject: the way in, up to the queue. */
import { randomUUID } from 'node:crypto'
import type { Delivery, Priority } from '../core/delivery.ts'
import type { JsonObject } from '../core/json.ts'
import type { PushIdentity, Rendered } from '../core/message.ts'
import type { Device, Notification } from '../core/notification.ts'
import { applyPrivacy, isCall, isTestPush, type PrivacyPolicy } from '../core/privacy.ts'
import type { Push } from '../core/push.ts'
import { Secret } from '../core/secret.ts'

/** A configured app, as far as the way in needs it. */
export interface IntakeApp {
  readonly name: string
  readonly policy: PrivacyPolicy
  /** Every push of the app makes the phone ring. */
  readonly isVoip: boolean
  readonly countsPer: 'pushkey' | 'pusher'
  /** What the sender needs to reach the device. */
  readonly targetOf: (pushkey: string, data: JsonObject) => string
  readonly render: (push: Push, identity: PushIdentity) => Rendered
}

/** What happened to one device of a notification. */
export type Intake = 'queued' | 'rejected' | 'duplicate' | 'unknown_app' | 'nothing_to_send'

export interface IntakePorts {
  readonly appFor: (appId: string) => IntakeApp | undefined
  readonly unknownApp: 'drop' | 'reject'
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
  /** Keyed hash of the parts, for this purpose. */
  readonly hash: (purpose: string, ...parts: readonly string[]) => string
  readonly admit: (device: {
    app: string
    device: string
    pushkeyTs: number | undefined
    kind: 'event' | 'counts'
  }) => Promise<'alive' | 'dead' | 'probe'>
  readonly isKnownEvent: (deduplicationKey: string) => Promise<boolean>
  /** Resolves when all are durable; rejects with StoreUnavailable, also when an app's queue is full. */
  readonly store: (deliveries: readonly Delivery[]) => Promise<void>
  readonly onIntake: (app: string | undefined, intake: Intake, rendered?: Rendered) => void
  readonly nowMs: () => number
}

/** Resolves with the dead pushkeys of this notification when everything else is stored. */
export async function accept(notification: Notification, ports: IntakePorts): Promise<readonly string[]> {
  const results = await Promise.all(notification.devices.map((device) => take(notification, device, ports)))
  const taken = results.filter((result) => typeof result === 'object')
  if (taken.length > 0) await ports.store(taken.map(({ delivery }) => delivery))
  for (const { delivery, rendered } of taken) ports.onIntake(delivery.app, 'queued', rendered)
  return [
    ...new Set(
      notification.devices.filter((_, index) => results[index] === 'rejected').map(({ pushkey }) => pushkey.reveal()),
    ),
  ]
}

interface Taken {
  readonly delivery: Delivery
  readonly rendered: Rendered
}

async function take(
  notification: Notification,
  device: Device,
  ports: IntakePorts,
): Promise<Taken | 'rejected' | 'skipped'> {
  const app = ports.appFor(device.appId)
  if (app === undefined) {
    ports.onIntake(undefined, 'unknown_app')
    return ports.unknownApp === 'reject' ? 'rejected' : 'skipped'
  }
  const { kind } = notification
  if (kind === 'nothing') {
    ports.onIntake(app.name, 'nothing_to_send')
    return 'skipped'
  }
  const names = namesOf(notification, device, app, ports.hash)
  const { deduplicationKey } = names
  const [admission, isKnown] = await Promise.all([
    ports.admit({ app: app.name, device: names.device, pushkeyTs: device.pushkeyTs, kind }),
    deduplicationKey === undefined ? false : ports.isKnownEvent(deduplicationKey),
  ])
  if (admission === 'dead') {
    ports.onIntake(app.name, 'rejected')
    return 'rejected'
  }
  if (isKnown) {
    ports.onIntake(app.name, 'duplicate')
    return 'skipped'
  }
  return render(notification, device, app, names, admission === 'probe', ports) ?? 'skipped'
}

function render(
  notification: Notification,
  device: Device,
  app: IntakeApp,
  names: Names,
  probesDead: boolean,
  ports: IntakePorts,
): Taken | undefined {
  const nowMs = ports.nowMs()
  const priority = priorityOf(notification, app)
  const expiresAtMs = nowMs + (priority === 'call' ? ports.callMaxAgeMs : ports.maxAgeMs)
  const push = applyPrivacy(notification, device, app.policy)
  if (push === undefined) return undefined
  // In minimal mode a shorter life would tell the push service which push is a call.
  const shownExpiryMs = push.detail === 'minimal' && !app.isVoip ? nowMs + ports.maxAgeMs : expiresAtMs
  const rendered = app.render(push, {
    id: names.pushId,
    collapseId: names.collapseId,
    roomCollapseId:
      push.detail === 'minimal' || push.pusher?.onlyLastPerRoom !== true ? undefined : names.roomCollapseId(),
    expiresAtMs: shownExpiryMs,
  })
  if (rendered.kind === 'nothing') {
    ports.onIntake(app.name, 'nothing_to_send')
    return undefined
  }
  const delivery: Delivery = {
    id: randomUUID(),
    app: app.name,
    priority,
    target: new Secret(app.targetOf(device.pushkey.reveal(), device.data)),
    pushkeyTs: device.pushkeyTs,
    message: rendered.message,
    device: names.device,
    deduplicationKey: names.deduplicationKey,
    latestKey: names.latestKey,
    probesDead: probesDead || undefined,
    acceptedAtMs: nowMs,
    expiresAtMs,
  }
  return { delivery, rendered }
}

function priorityOf(notification: Notification, app: IntakeApp): Priority {
  if (notification.kind === 'counts') return 'counts'
  return app.isVoip || isCall(notification) ? 'call' : 'event'
}

/** The alphabet and length that every push service takes (RFC 8030 §5.4 is the strictest). */
const COLLAPSE_ID_CHARACTERS = 32

/** Everything by which this push is recognised later: keyed hashes, none of which can be turned back. */
interface Names {
  readonly device: string
  readonly deduplicationKey: string | undefined
  readonly latestKey: string | undefined
  readonly pushId: string
  readonly collapseId: string
  readonly roomCollapseId: () => string | undefined
}

function namesOf(
  notification: Notification,
  { appId, pushkey, data }: Device,
  app: IntakeApp,
  hash: IntakePorts['hash'],
): Names {
  const key = pushkey.reveal()
  const { eventId, roomId } = notification
  const collapseIdOf = (name: string): string => hash('collapse', name).slice(0, COLLAPSE_ID_CHARACTERS)
  const common = {
    device: hash('device', appId, key),
    deduplicationKey: undefined,
    latestKey: undefined,
    // Keyed per pushkey: a push service that knows a room must not be able to look for it (facts/protocol.md §5.1).
    roomCollapseId: () => (roomId === undefined ? undefined : collapseIdOf(hash('room', appId, key, roomId))),
  }
  if (notification.kind === 'counts') {
    const latestKey = hash('latest', appId, key, app.countsPer === 'pusher' ? JSON.stringify(data) : '')
    return { ...common, latestKey, pushId: randomUUID(), collapseId: collapseIdOf(latestKey) }
  }
  // The apps' test push is sent anew each time it is asked for; without an event ID nothing says that two pushes are the same.
  if (eventId === undefined || isTestPush(notification))
    return { ...common, pushId: randomUUID(), collapseId: collapseIdOf(randomUUID()) }
  const deduplicationKey = hash('event', appId, key, eventId)
  const pushId = uuidOf(Buffer.from(hash('push', deduplicationKey), 'base64url'))
  return { ...common, deduplicationKey, pushId, collapseId: collapseIdOf(deduplicationKey) }
}

/** A version 8 UUID (RFC 9562 §5.8) of the first 16 bytes. */
function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, 16)
  const variant = ((bytes.readUInt8(8) & 0x3f) | 0x80).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20)}`
}
