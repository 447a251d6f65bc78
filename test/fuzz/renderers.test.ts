/** What every renderer makes of whatever a homeserver sends, in the mode that keeps most back. */
import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNotification } from '../../src/core/notification.ts'
import { PlaceholderIds } from '../../src/core/placeholder-ids.ts'
import { applyPrivacy } from '../../src/core/privacy-policy.ts'
import { apns } from '../../src/providers/apns/index.ts'
import { fcm } from '../../src/providers/fcm/index.ts'
import { hms } from '../../src/providers/hms/index.ts'
import { unifiedpush } from '../../src/providers/unifiedpush/index.ts'
import { webpush } from '../../src/providers/webpush/index.ts'

const MOST_BYTES = 4096
const RUNS = 150
const FCM = { service_account_file: '-', badge_pushes: 'send' } as const
const HMS = { project_id: '1', client_id: '2', client_secret_file: '-', badge_pushes: 'send' } as const
const RENDERERS = {
  APNs: apns.renderer({ topic: 'com.example.app' }),
  'APNs in the background': apns.renderer({ push_type: 'background' }),
  FCM: fcm.renderer(FCM),
  "FCM in Hedwig's shape": fcm.renderer({ ...FCM, payload_style: 'hedwig' }),
  'Push Kit': hms.renderer(HMS),
  'Push Kit with an alert': hms.renderer({ ...HMS, notification: { title: 't', body: 'b', badge_class: 'c' } }),
  UnifiedPush: unifiedpush.renderer({ allowed_endpoints: ['push.example.org'] }),
  'Web Push': webpush.renderer({ vapid_private_key_file: '-', vapid_subject: 'mailto:ops@example.org' }),
}
const IDENTITY = {
  id: '00000000-0000-8000-8000-000000000000',
  collapseId: 'x'.repeat(32),
  expiresAtMs: 1_790_000_000_000,
  lifetimeMs: 86_400_000,
}

const CANARY = 'CANARY'
const unit = fc.constantFrom('\ud800', '\udc00', '\0', '"', '\\', 'é', '\u{1f600}', '\u0301', '\u2028', 'x')
const text = fc
  .oneof(
    fc.string({ unit, maxLength: 40 }),
    fc.string({ unit, minLength: 1, maxLength: 4 }).map((few) => few.repeat(3000)),
  )
  .map((some) => `${CANARY}${some}`)
const value = fc.oneof(
  text,
  fc.integer(),
  fc.constant(null),
  fc.dictionary(text, text, { maxKeys: 3 }),
  fc.array(text, { maxLength: 3 }),
)
const names = [
  'event_id',
  'room_id',
  'type',
  'sender',
  'sender_display_name',
  'room_name',
  'room_alias',
  'membership',
  'prio',
  'user_is_target',
]
const notification = fc.record(
  {
    ...Object.fromEntries(names.map((name) => [name, fc.oneof({ weight: 4, arbitrary: text }, value)])),
    content: fc.dictionary(fc.oneof(fc.constantFrom('body', 'msgtype', '__proto__'), text), value, { maxKeys: 6 }),
    counts: fc.record({ unread: fc.oneof(fc.double(), value), missed_calls: fc.maxSafeNat() }, { requiredKeys: [] }),
  },
  { requiredKeys: ['content'] },
)
const pusherData = fc.dictionary(
  fc.constantFrom('default_payload', 'format', 'client_name', 'data_message', '__proto__'),
  fc.oneof(value, fc.dictionary(fc.constantFrom('aps', 'room_id', 'event_id', 'x'), value)),
)

describe.each(Object.entries(RENDERERS))('minimal on %s', (_, render) => {
  it.each([false, true])(
    'is JSON in well-formed text within the limit, and holds nothing of the notification (placeholder_ids: %s)',
    (placeholderIds) => {
      const policy = {
        privacy: 'minimal',
        counts: 'badge',
        defaultPayloadAllow: [],
        sealed: 'optional',
        placeholderIds,
      } as const
      let messages = 0
      fc.assert(
        fc.property(notification, pusherData, (about, data) => {
          const body = JSON.stringify({ notification: { ...about, devices: [{ app_id: 'a', pushkey: 'p', data }] } })
          const parsed = parseNotification(Buffer.from(body))
          if ('errcode' in parsed) throw new Error(parsed.error)
          const [device] = parsed.devices
          if (device === undefined) throw new Error('no device')
          const push = applyPrivacy(parsed, device, policy, undefined, () => new PlaceholderIds(randomBytes))
          const rendered = push === undefined ? undefined : render(push, IDENTITY)
          if (rendered?.kind !== 'message') return
          messages += 1
          const { headers, body: bytes } = rendered.message
          expect(JSON.stringify(headers) + bytes).not.toContain(CANARY)
          expect(() => JSON.parse(bytes)).not.toThrow()
          expect(bytes.isWellFormed()).toBe(true)
          expect(Buffer.byteLength(bytes)).toBeLessThanOrEqual(MOST_BYTES)
        }),
        { numRuns: RUNS },
      )
      // Few say nothing: neither an event nor a number.
      expect(messages).toBeGreaterThan(RUNS * 0.9)
    },
  )
})
