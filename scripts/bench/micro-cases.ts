/** What is done for every push, each by itself. */
import { applyPrivacy, type PrivacyPolicy } from '../../src/core/privacy-policy.ts'
import { parseNotification } from '../../src/core/notification.ts'
import type { PushIdentity } from '../../src/core/message.ts'
import { renderer as apns } from '../../src/providers/apns/payload.ts'
import { renderer as fcm } from '../../src/providers/fcm/payload.ts'
import { renderer as webpush } from '../../src/providers/webpush/payload.ts'
import { openDeliveries, sealDeliveries } from '../../src/store/envelope.ts'
import { createDelivery, createKeyring } from '../../test/helpers/delivery.ts'
import { createNotification, firstDevice } from '../../test/helpers/notification.ts'

/** Each returns something, so that nothing is optimised away. */
export type Cases = Readonly<Record<string, () => unknown>>

const DEVICE = {
  app_id: 'com.example.app',
  pushkey: 'Bench00000000000000000000000000000000000000=',
  pushkey_ts: 1_760_000_000,
  data: { default_payload: { aps: { 'mutable-content': 1, alert: { 'loc-key': 'Notification', 'loc-args': [] } } } },
  tweaks: { sound: 'bing' },
}
const FIELDS = {
  event_id: '$3957tyerfgewrf384aaaaaaaaaaaaaaaaaaaaaaaaaaa',
  room_id: '!slw48wfj34rtnrf:example.com',
  type: 'm.room.message',
  sender: '@exampleuser:matrix.org',
  sender_display_name: 'Major Tom',
  room_name: 'Mission Control',
  prio: 'high',
  content: { msgtype: 'm.text', body: "I'm floating in a most peculiar way." },
  counts: { unread: 2, missed_calls: 1 },
  devices: [DEVICE],
}
/** Three times what any push service takes. */
const LONG_FIELDS = { ...FIELDS, content: { msgtype: 'm.text', body: 'Ground control to Major Tom. '.repeat(420) } }
const IDENTITY: PushIdentity = {
  id: 'eabeae54-14a8-11e5-b60b-1697f925ec7b',
  collapseId: 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
  expiresAtMs: 1_760_000_000_000,
  lifetimeMs: 86_400_000,
}
const ROUTE = 'com.example.app'
/** A body as homeservers post it, which is also what the reference reads. */
export const BODY = JSON.stringify({ notification: FIELDS })

function policyOf(privacy: PrivacyPolicy['privacy']): PrivacyPolicy {
  return { privacy, counts: 'badge', defaultPayloadAllow: [], sealed: 'optional' }
}

export function createCases(): Cases {
  const notification = createNotification(FIELDS)
  const device = firstDevice(notification)
  const [minimal, full] = [policyOf('minimal'), policyOf('full')]
  const push = applyPrivacy(notification, device, full)
  const long = applyPrivacy(createNotification(LONG_FIELDS), device, full)
  if (push === undefined || long === undefined) throw new Error('there is nothing to push')
  const renderers = {
    apns: apns({}),
    fcm: fcm({ service_account_file: '' }),
    webpush: webpush({ vapid_private_key_file: '', vapid_subject: 'mailto:ops@example.org' }),
  }
  const keyring = createKeyring()
  const deliveries = [createDelivery()]
  const sealed = sealDeliveries(keyring, ROUTE, deliveries)
  const body = Buffer.from(BODY)
  return {
    parse: () => parseNotification(body),
    'policy, minimal': () => applyPrivacy(notification, device, minimal),
    'policy, full': () => applyPrivacy(notification, device, full),
    'render, APNs': () => renderers.apns(push, IDENTITY),
    'render, FCM': () => renderers.fcm(push),
    'render, Web Push': () => renderers.webpush(push, IDENTITY),
    'truncate, APNs': () => renderers.apns(long, IDENTITY),
    'truncate, FCM': () => renderers.fcm(long),
    'truncate, Web Push': () => renderers.webpush(long, IDENTITY),
    seal: () => sealDeliveries(keyring, ROUTE, deliveries),
    open: () => openDeliveries(keyring, ROUTE, sealed),
  }
}
