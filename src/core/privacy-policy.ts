/** The privacy policy: what of a notification goes on towards a push service. Pure, and the last line that sees what is not passed on. */
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from './json.ts'
import type { Device, Notification } from './notification.ts'
import type { PlaceholderIds } from './placeholder-ids.ts'
import { TEST_PUSH, type Counts, type DataMessage, type MinimalPush, type Push, type PusherOptions } from './push.ts'
import { deviceKeyOf, hasDeviceKey, plaintextOf, type EncryptForDevice, type SealedBlock } from './device-key.ts'

export const PRIVACY_MODES = ['minimal', 'event_id_only', 'full'] as const
export type PrivacyMode = (typeof PRIVACY_MODES)[number]

export const COUNTS = ['badge', 'exact', 'none'] as const
/** `ignored` is for a push service to which messages go encrypted for the device anyway. */
export const SEALED = ['ignored', 'optional', 'required'] as const

/** An app's policy. It is a ceiling: a device never gets more than the homeserver sent. */
export interface PrivacyPolicy {
  readonly privacy: PrivacyMode
  /** `badge`: minimal shows counts only as the app's badge. `none`: counts are not passed on in any mode. */
  readonly counts: (typeof COUNTS)[number]
  /** Dotted keys of `default_payload` that minimal passes on beside `ALWAYS_ALLOWED`. */
  readonly defaultPayloadAllow: readonly string[]
  /** Whether a device's own key counts: `required` keeps devices without one to minimal, too. */
  readonly sealed: (typeof SEALED)[number]
  /** Minimal pushes of events carry random IDs. */
  readonly placeholderIds?: boolean | undefined
}

/** Keys of `default_payload` that tell nothing about the user: `cs` and `session_id` are random per session (docs/facts/apps.md#keys-of-default_payload). */
export const ALWAYS_ALLOWED = ['aps.alert.loc-key', 'aps.mutable-content', 'aps.sound', 'cs', 'session_id'] as const
const MAX_ALLOWED_VALUE_BYTES = 128

export function isTestPush(notification: Notification): boolean {
  return notification.eventId === TEST_PUSH.eventId
}

/** What an event says to a device alone. */
export interface Sealing {
  readonly key: 'valid' | 'invalid' | 'missing'
  /** With a valid key. */
  readonly block?: SealedBlock | undefined
}

/** Undefined where there is nothing to seal: a badge is for the phone itself to show, and what the homeserver sealed passes through untouched. */
export function sealFor(
  notification: Notification,
  device: Device,
  policy: PrivacyPolicy,
  encryptForDevice: EncryptForDevice,
  nowMs: number,
): Sealing | undefined {
  if (policy.sealed === 'ignored' || notification.kind !== 'event' || notification.encrypted !== undefined)
    return undefined
  if (!hasDeviceKey(device.data)) return { key: 'missing' }
  const key = deviceKeyOf(device.data)
  const { unread } = countsFor(notification, device, policy) ?? {}
  const block = key === undefined ? undefined : encryptForDevice(key, plaintextOf(notification, unread, nowMs))
  return block === undefined ? { key: 'invalid' } : { key: 'valid', block }
}

/** What is left for one device, with what was sealed or made up for it; undefined when the notification says nothing. */
export function applyPrivacy(
  notification: Notification,
  device: Device,
  policy: PrivacyPolicy,
  sealed?: SealedBlock,
  createPlaceholderIds?: () => PlaceholderIds,
): Push | undefined {
  const { kind, prio, encrypted } = notification
  if (kind === 'nothing') return undefined
  const counts = countsFor(notification, device, policy)
  const defaultPayload = isJsonObject(device.data['default_payload']) ? device.data['default_payload'] : {}
  const always = { kind, prio, encrypted, pusher: pusherOptionsOf(device) }
  const mode = modeFor(device, policy)
  if (mode === 'minimal')
    return {
      detail: 'minimal',
      ...always,
      defaultPayload: allowed(defaultPayload, [...ALWAYS_ALLOWED, ...policy.defaultPayloadAllow]),
      ...(sealed === undefined
        ? {
            badge: badgeOf(counts),
            counts: policy.counts === 'exact' ? counts : undefined,
            ids: shownIds(notification, policy, createPlaceholderIds),
          }
        : { sealed }),
    }
  const { eventId, roomId } = notification
  const withIds = { ...always, clientName: clientNameOf(device), defaultPayload, counts, eventId, roomId }
  if (mode === 'event_id_only') return { detail: 'event_id_only', ...withIds }
  const { type, sender, senderDisplayName, roomName, roomAlias, userIsTarget, membership, content } = notification
  const about = { type, sender, senderDisplayName, roomName, roomAlias, userIsTarget, membership, content }
  return { detail: 'full', ...withIds, ...about }
}

/** Of a minimal push with nothing sealed for the device. */
function shownIds(
  notification: Notification,
  { placeholderIds }: PrivacyPolicy,
  create: (() => PlaceholderIds) | undefined,
): MinimalPush['ids'] {
  if (isTestPush(notification)) return TEST_PUSH
  const isBare = notification.kind === 'event' && notification.encrypted === undefined
  return placeholderIds === true && isBare ? create?.() : undefined
}

/** A device that offers a key, be it one or not, must never be sent in clear what it wants sealed. */
function modeFor({ data }: Device, { privacy, sealed }: PrivacyPolicy): PrivacyMode {
  const isForced = sealed === 'required' || (sealed === 'optional' && hasDeviceKey(data))
  return isForced ? 'minimal' : privacy
}

function countsFor(notification: Notification, device: Device, policy: PrivacyPolicy): Counts | undefined {
  return policy.counts === 'none' || hidesBadge(device) ? undefined : notification.counts
}

/** A device may do without counts (MSC4076, under its stable and its unstable name). */
function hidesBadge({ data }: Device): boolean {
  return data['disable_badge_count'] === true || data['org.matrix.msc4076.disable_badge_count'] === true
}

/** The options of Sygnal's, Hedwig's and FluffyGate's apps (docs/facts/peers.md#pusher-data). */
function pusherOptionsOf(device: Device): PusherOptions {
  const { data } = device
  return {
    eventsOnly: data['events_only'] === true,
    onlyLastPerRoom: data['only_last_per_room'] === true,
    dataMessage: dataMessageOf(device),
  }
}

/** The suffix of an app_id means Android in both conventions, whatever the boolean says. */
function dataMessageOf({ data, appId }: Device): DataMessage | undefined {
  const shape = data['data_message']
  const isAndroidApp = appId.endsWith('.data_message')
  if (typeof shape === 'boolean') return shape || isAndroidApp
  if (shape === 'android' || shape === 'ios') return shape
  return isAndroidApp ? 'android' : undefined
}

function clientNameOf({ data }: Device): string | undefined {
  const name = data['client_name']
  return typeof name === 'string' && isSmallScalar(name) ? name : undefined
}

/** What an app's badge shows: unread and missed calls together; undefined when neither was sent. */
export function badgeOf(counts: Counts | undefined): number | undefined {
  if (counts?.unread === undefined && counts?.missedCalls === undefined) return undefined
  return (counts.unread ?? 0) + (counts.missedCalls ?? 0)
}

interface Tree extends Map<string, Tree | JsonValue> {}

/** The entries of `payload` at these dotted paths whose values are small scalars, in the shape in which they were nested. */
function allowed(payload: JsonObject, paths: readonly string[]): JsonObject {
  const kept: Tree = new Map()
  for (const path of paths) {
    const keys = path.split('.')
    const value = valueAt(payload, keys)
    if (value !== undefined && isSmallScalar(value)) insert(kept, keys, value)
  }
  return toObject(kept)
}

function valueAt(payload: JsonObject, keys: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = payload
  for (const key of keys) value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
  return value
}

function isSmallScalar(value: JsonValue): boolean {
  if (typeof value === 'string')
    return value.length <= MAX_ALLOWED_VALUE_BYTES && Buffer.byteLength(value) <= MAX_ALLOWED_VALUE_BYTES
  return typeof value === 'number' || typeof value === 'boolean'
}

function insert(tree: Tree, keys: readonly string[], value: JsonValue): void {
  const [first, ...rest] = keys
  if (first === undefined) return
  if (rest.length === 0) tree.set(first, value)
  else {
    const existing = tree.get(first)
    const branch: Tree = existing instanceof Map ? existing : new Map()
    tree.set(first, branch)
    insert(branch, rest, value)
  }
}

function toObject(tree: Tree): JsonObject {
  return jsonObject([...tree].map(([key, value]) => [key, value instanceof Map ? toObject(value) : value] as const))
}
