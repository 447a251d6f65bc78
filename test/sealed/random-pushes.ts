/** Random notifications for one device that has a key, through the policy, sealing and the renderers, as `http/accept` puts them together. */
import fc from 'fast-check'
import type { JsonObject } from '../../src/core/json.ts'
import type { PushIdentity, Rendered } from '../../src/core/message.ts'
import { parseNotification, type Notification } from '../../src/core/notification.ts'
import { applyPrivacy, sealFor, type PrivacyPolicy } from '../../src/core/privacy-policy.ts'
import type { Push } from '../../src/core/push.ts'
import type { EncryptForDevice } from '../../src/core/device-key.ts'
import { createSubscriptionSecrets } from '../../src/simulators/webpush-encryption.ts'
import { MARKER } from '../canary/canary.ts'

export const NOW_MS = 1_790_000_000_000
export const secrets = createSubscriptionSecrets()
export const KID = 'abcdefghijklmnopqrst_-'
export const HUSHGATE_KEY = { v: 1, kid: KID, p256dh: secrets.p256dh, auth: secrets.auth } as const

/** Of any length and alphabet, with a canary. */
const text = fc
  .oneof(fc.string({ unit: 'grapheme', maxLength: 260 }), fc.string({ unit: 'binary', maxLength: 200 }), fc.webUrl())
  .map((some) => `${MARKER}${some}`)
const count = fc.oneof(fc.nat(), fc.maxSafeNat(), fc.constant(0))
const fields = {
  event_id: text,
  room_id: text,
  type: fc.constantFrom('m.room.message', 'm.room.encrypted', 'm.call.invite', 'm.room.member'),
  sender: text,
  sender_display_name: text,
  room_name: text,
  prio: fc.constantFrom('high', 'low'),
  content: fc.dictionary(text, text, { maxKeys: 3 }),
  counts: fc.record({ unread: count, missed_calls: count }, { requiredKeys: [] }),
}
export const event = fc.record(fields, { requiredKeys: ['type'] })
export const badge = fc.record({ counts: fields.counts, prio: fields.prio }, { requiredKeys: ['counts'] })

export const policy = fc.record({
  privacy: fc.constantFrom('minimal', 'event_id_only', 'full'),
  counts: fc.constantFrom('badge', 'exact', 'none'),
  defaultPayloadAllow: fc.constant([]),
  sealed: fc.constantFrom('optional', 'required'),
  placeholderIds: fc.boolean(),
} satisfies Record<keyof PrivacyPolicy, unknown>)

const IDENTITY: PushIdentity = {
  id: '00000000-0000-8000-8000-000000000000',
  collapseId: 'x'.repeat(32),
  expiresAtMs: NOW_MS + 86_400_000,
  lifetimeMs: 86_400_000,
}
/** What the app set with its pusher; the same for each of its pushes. */
const DATA: JsonObject = {
  hushgate_key: HUSHGATE_KEY,
  data_message: 'android',
  default_payload: { cs: 'client-secret', aps: { 'mutable-content': 1, alert: { 'loc-key': 'Notification' } } },
}

export interface Sealed {
  readonly notification: Notification
  readonly push: Push
  readonly rendered: Rendered
}

export function sealed(
  about: object,
  chosen: PrivacyPolicy,
  seal: EncryptForDevice,
  render: (push: Push, identity: PushIdentity) => Rendered,
): Sealed {
  const devices = [{ app_id: 'a', pushkey: 'p', data: DATA }]
  const notification = parseNotification(Buffer.from(JSON.stringify({ notification: { ...about, devices } })))
  if ('errcode' in notification) throw new Error(notification.error)
  const [device] = notification.devices
  if (device === undefined) throw new Error('no device')
  const push = applyPrivacy(notification, device, chosen, sealFor(notification, device, chosen, seal, NOW_MS)?.block)
  if (push === undefined) throw new Error('nothing is left')
  return { notification, push, rendered: render(push, IDENTITY) }
}

/** The sealed record of a push. */
export function recordOf({ push }: Sealed): string {
  const record = push.detail === 'minimal' ? push.sealed?.record : undefined
  if (record === undefined) throw new Error('nothing is sealed')
  return record
}
