/** From a parsed notification to stored deliveries and the pushkeys to reject: the way in, up to the queue. */
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Delivery, Priority } from '../core/delivery.ts'
import type { JsonObject } from '../core/json.ts'
import type { PushIdentity, Rendered } from '../core/message.ts'
import type { Device, Notification } from '../core/notification.ts'
import {
  applyPrivacy,
  badgeOf,
  isCall,
  isTestPush,
  sealFor,
  type PrivacyPolicy,
  type Sealing,
} from '../core/privacy-policy.ts'
import type { PlaceholderIds } from '../core/placeholder-ids.ts'
import type { Push } from '../core/push.ts'
import type { Timing } from '../core/timing.ts'
import type { Seal } from '../core/device-key.ts'
import { Secret } from '../core/secret.ts'
import { departureOf, timingFor, type DeparturePorts, type Hash } from './schedule.ts'

/** A configured app, as far as the way in needs it. */
export interface IntakeApp {
  readonly name: string
  readonly policy: PrivacyPolicy
  readonly timing: Timing
  /** Every push of the app makes the phone ring. */
  readonly isVoip: boolean
  readonly countsPer: 'pushkey' | 'pusher'
  /** What the sender needs to reach the device. */
  readonly targetOf: (pushkey: string, data: JsonObject) => string
  readonly render: (push: Push, identity: PushIdentity) => Rendered
}

/** What happened to one device of a notification. */
export type Intake = 'queued' | 'rejected' | 'duplicate' | 'unknown_app' | 'nothing_to_send'

export interface IntakePorts extends DeparturePorts {
  readonly appFor: (appId: string) => IntakeApp | undefined
  readonly unknownApp: 'drop' | 'reject'
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
  readonly admit: (device: {
    app: string
    device: string
    pushkeyTs: number | undefined
    kind: 'event' | 'counts'
  }) => Promise<'alive' | 'dead' | 'probe'>
  /** Encrypts for a device's own key. */
  readonly seal: Seal
  readonly createPlaceholderIds: () => PlaceholderIds
  readonly onSealing: (app: string, key: Sealing['key']) => void
  readonly isKnownEvent: (deduplicationKey: string) => Promise<boolean>
  /** Resolves when all are durable; rejects with StoreUnavailableError, also when an app's queue is full. */
  readonly store: (deliveries: readonly Delivery[]) => Promise<void>
  readonly onIntake: (app: string | undefined, intake: Intake, rendered?: Rendered) => void
  readonly nowMs: () => number
}

/** Homeservers send one. */
const DEVICES_AT_ONCE = 20

/** Resolves with the dead pushkeys of this notification when everything else is stored. */
export async function accept(notification: Notification, ports: IntakePorts): Promise<readonly string[]> {
  const results: (Taken | 'rejected' | 'skipped')[] = []
  for (let start = 0; start < notification.devices.length; start += DEVICES_AT_ONCE) {
    // A thousand devices of one request must not hold up everybody else's.
    if (start > 0) await nextTurn()
    const devices = notification.devices.slice(start, start + DEVICES_AT_ONCE)
    results.push(...(await Promise.all(devices.map((device) => take(notification, device, ports)))))
  }
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
  const target = app.targetOf(device.pushkey.reveal(), device.data)
  const names = namesOf(notification, device, target, app, ports.hash)
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
  return (await render(notification, device, app, { names, target }, admission === 'probe', ports)) ?? 'skipped'
}

async function render(
  notification: Notification,
  device: Device,
  app: IntakeApp,
  { names, target }: { readonly names: Names; readonly target: string },
  probesDead: boolean,
  ports: IntakePorts,
): Promise<Taken | undefined> {
  const nowMs = ports.nowMs()
  const priority = priorityOf(notification, app)
  const maxAgeMs = priority === 'call' ? ports.callMaxAgeMs : ports.maxAgeMs
  const sealing = sealFor(notification, device, app.policy, ports.seal, nowMs)
  if (sealing !== undefined) ports.onSealing(app.name, sealing.key)
  const push = applyPrivacy(notification, device, app.policy, sealing?.block, ports.createPlaceholderIds)
  if (push === undefined) return undefined
  // A shorter life tells the push service which push is a call, which is the type's to tell.
  const shownMaxAgeMs = push.detail === 'full' || app.isVoip ? maxAgeMs : ports.maxAgeMs
  const timing = timingFor(push, notification, app.timing)
  const recipient = { app: app.name, device, target, deviceName: names.device }
  const departure = await departureOf(push, timing, recipient, nowMs, ports)
  const rendered = app.render(push, {
    id: names.pushId,
    collapseId: names.collapseId,
    roomCollapseId:
      push.detail === 'minimal' || push.pusher?.onlyLastPerRoom !== true ? undefined : names.roomCollapseId(),
    expiresAtMs: departure.shownAtMs + shownMaxAgeMs,
    lifetimeMs: shownMaxAgeMs,
  })
  if (rendered.kind === 'nothing') {
    ports.onIntake(app.name, 'nothing_to_send')
    return undefined
  }
  const delivery: Delivery = {
    id: randomUUID(),
    app: app.name,
    priority,
    target: new Secret(target),
    pushkeyTs: device.pushkeyTs,
    message: rendered.message,
    device: names.device,
    deduplicationKey: names.deduplicationKey,
    latestKey: names.latestKey ?? departure.latestKey,
    probesDead: probesDead || undefined,
    acceptedAtMs: nowMs,
    dueAtMs: departure.dueAtMs,
    outdates: [
      departure.outdates,
      outdatedBy(notification, app, () => latestHash(device, target, app, ports.hash)),
    ].filter((key) => key !== undefined),
    expiresAtMs: nowMs + maxAgeMs,
  }
  return { delivery, rendered }
}

/** Where pushes are delayed, an older badge update may still wait: it must not follow an event that tells a newer number, sealed or not. */
function outdatedBy(
  { kind, counts }: Notification,
  { timing }: IntakeApp,
  latestKey: () => string,
): string | undefined {
  const isDelayed = timing.coalesceMs !== undefined || timing.releaseEveryMs !== undefined
  return isDelayed && kind === 'event' && badgeOf(counts) !== undefined ? latestKey() : undefined
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
  { appId, data }: Device,
  target: string,
  app: IntakeApp,
  hash: Hash,
): Names {
  const { eventId, roomId } = notification
  const collapseIdOf = (name: string): string => hash('collapse', name).slice(0, COLLAPSE_ID_CHARACTERS)
  const common = {
    device: deviceHash(appId, target, hash),
    deduplicationKey: undefined,
    latestKey: undefined,
    // Keyed per pushkey: a push service that knows a room must not be able to look for it (docs/facts/peers.md#topic-of-a-room).
    roomCollapseId: () => (roomId === undefined ? undefined : collapseIdOf(hash('room', appId, target, roomId))),
  }
  if (notification.kind === 'counts') {
    const latestKey = latestHash({ appId, data }, target, app, hash)
    return { ...common, latestKey, pushId: randomUUID(), collapseId: collapseIdOf(latestKey) }
  }
  // The apps' test push is sent anew each time it is asked for; without an event ID nothing says that two pushes are the same.
  if (eventId === undefined || isTestPush(notification))
    return { ...common, pushId: randomUUID(), collapseId: collapseIdOf(randomUUID()) }
  // Two accounts on one phone have one pushkey, and mostly pusher data of their own: each is told of an event in a room that both are in.
  const deduplicationKey = hash('event', appId, target, JSON.stringify(data), eventId)
  const pushId = uuidOf(Buffer.from(hash('push', deduplicationKey), 'base64url'))
  return { ...common, deduplicationKey, pushId, collapseId: collapseIdOf(deduplicationKey) }
}

/** By all that it takes to reach the device: who knows only a part of it cannot have it called dead, or an event called known. */
export function deviceHash(appId: string, target: string, hash: Hash): string {
  return hash('device', appId, target)
}

/** With the app's configured name: each has an order of its own, and an app that is renamed begins anew. */
export function latestHash(
  { appId, data }: Pick<Device, 'appId' | 'data'>,
  target: string,
  { name, countsPer }: Pick<IntakeApp, 'name' | 'countsPer'>,
  hash: Hash,
): string {
  return hash('latest', name, appId, target, countsPer === 'pusher' ? JSON.stringify(data) : '')
}

/** A version 8 UUID (RFC 9562 §5.8) of the first 16 bytes. */
function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, 16)
  const variant = ((bytes.readUInt8(8) & 0x3f) | 0x80).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20)}`
}
