/** What the apps read, by their source (docs/facts/apps.md#unifiedpush): `notification`, in each privacy mode. */
import { createECDH, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import type { PrivacyPolicy } from '../../../src/core/privacy-policy.ts'
import { encryptForDevice } from '../../../src/intake/encrypt-for-device.ts'
import { preparePush, renderPush } from '../../../src/intake/prepare-push.ts'
import { unifiedpush } from '../../../src/providers/unifiedpush/index.ts'
import { createRoute } from '../../helpers/route.ts'
import { ELEMENT_X, FLUFFYCHAT, STOCK_APPS, type ReadPush } from '../../helpers/stock-apps.ts'

interface SpecifiedPush {
  readonly what: string
  /** Whose it is. */
  readonly app: string
  readonly privacy: PrivacyPolicy['privacy']
  readonly notification: JsonObject
  /** Of the pusher. */
  readonly data: JsonObject
  readonly sent: JsonObject
  /** Absent: the app drops it. */
  readonly read?: Partial<ReadPush>
}

const CASES: readonly SpecifiedPush[] = JSON.parse(
  readFileSync(new URL('../../fixtures/unifiedpush-pushes.json', import.meta.url), 'utf8'),
)
const options = { allowed_endpoints: ['ntfy.example.org'] }
const EVENT = {
  event_id: '$event',
  room_id: '!room:example.org',
  type: 'm.room.message',
  sender: '@alice:example.org',
  sender_display_name: 'Alice',
  content: { msgtype: 'm.text', body: 'hello' },
  counts: { unread: 3, missed_calls: 1 },
  prio: 'high',
}
const IDS = { eventId: EVENT.event_id, roomId: EVENT.room_id }

function rendered(policy: Partial<PrivacyPolicy>, notification: object = EVENT, data: object = {}) {
  const body = {
    notification: { ...notification, devices: [{ app_id: 'a', pushkey: 'https://ntfy.example.org/up1', data }] },
  }
  const parsed = parseNotification(Buffer.from(JSON.stringify(body)), 1)
  if ('errcode' in parsed) throw new Error(parsed.error)
  const [device] = parsed.devices
  const route = createRoute({ policy, render: unifiedpush.renderer(options) })
  const circumstances = { nowMs: 0, maxAgeMs: 3600_000, callMaxAgeMs: 60_000, encryptForDevice, randomBytes }
  const prepared = device && preparePush(parsed, device, route, circumstances)
  if (prepared === undefined) throw new Error('nothing to send')
  const names = { id: 'id', collapseId: 'collapse', roomCollapseId: () => 'room' }
  return renderPush(prepared, route, names, { shownAtMs: 0, target: '' })
}

function bodyOf(...of: Parameters<typeof rendered>): string {
  const result = rendered(...of)
  return result.kind === 'message' ? result.message.body : ''
}

function notificationOf(...of: Parameters<typeof rendered>): JsonObject {
  const { notification } = JSON.parse(bodyOf(...of))
  if (!isJsonObject(notification)) throw new Error('no notification')
  return notification
}

describe('what an app reads of a push through UnifiedPush', () => {
  it.each(CASES)('is as specified: $what', ({ app, privacy, notification, data, sent, read }) => {
    const body = bodyOf({ privacy }, notification, data)
    expect(JSON.parse(body)).toEqual(sent)
    expect(STOCK_APPS.find(({ name }) => name === app)?.read(body)).toEqual(read)
  })

  it('with event_id_only is what it would have through the gateway of its push server, and nothing of the message', () => {
    const body = bodyOf({ privacy: 'event_id_only' }, EVENT, { client_name: 'FluffyChat-2' })
    expect(ELEMENT_X.read(body)).toEqual({ ...IDS, unread: 3 })
    expect(FLUFFYCHAT.read(body)).toEqual({ ...IDS, clientName: 'FluffyChat-2' })
    expect(body).not.toContain('alice')
    expect(body).not.toContain('hello')
  })

  it('with full is the event as well', () => {
    const { prio: _prio, ...event } = EVENT
    expect(notificationOf({ privacy: 'full' })).toEqual(event)
  })

  it('with minimal is nothing to Element X, and with placeholder_ids something new that is in no room', () => {
    expect(ELEMENT_X.read(bodyOf({ privacy: 'minimal' }))).toBeUndefined()
    expect(notificationOf({ privacy: 'minimal' })).toEqual({ sync: '1' })
    const placed = ELEMENT_X.read(bodyOf({ privacy: 'minimal', placeholderIds: true }))
    expect(placed?.eventId).toMatch(/^\$[\w-]{43}$/)
    expect(placed?.roomId).toMatch(/^!\w+:placeholder\.invalid$/)
    expect(placed?.unread).toBeUndefined()
  })

  it('of the test push of Element X is its IDs, in each mode', () => {
    const test = { event_id: '$THIS_IS_A_FAKE_EVENT_ID', room_id: '!room:domain' }
    for (const privacy of ['minimal', 'event_id_only', 'full'] as const)
      expect(ELEMENT_X.read(bodyOf({ privacy }, test))).toMatchObject({ eventId: test.event_id, roomId: test.room_id })
  })

  it('that holds a key of its own is one block, which nobody else can open', () => {
    const p256dh = createECDH('prime256v1').generateKeys('base64url')
    const key = { v: 1, kid: 'A'.repeat(22), p256dh, auth: 'A'.repeat(22) }
    const body = bodyOf({ privacy: 'event_id_only' }, EVENT, { hushgate_key: key })
    expect(Object.keys(JSON.parse(body).notification).toSorted()).toEqual(['hushgate_kid', 'hushgate_sealed', 'sync'])
    expect(body).not.toContain('$event')
  })

  it('of a changed count is the count alone', () => {
    expect(notificationOf({ privacy: 'event_id_only' }, { counts: { unread: 0 } })).toEqual({ counts: { unread: 0 } })
  })

  it('has one length for all that is small, and never more than a push server must take', () => {
    const lengthOf = (roomId: string) => bodyOf({ privacy: 'event_id_only' }, { ...EVENT, room_id: roomId }).length
    expect(lengthOf('!a:b')).toBe(lengthOf(`!${'a'.repeat(200)}:example.org`))
    const longest = { ...EVENT, content: { msgtype: 'm.text', body: 'é'.repeat(900), more: 'x'.repeat(5000) } }
    const long = rendered({ privacy: 'full' }, longest, { client_name: 'x'.repeat(128) })
    expect(long).toMatchObject({ kind: 'message', truncated: true })
    // RFC 8291 adds 103 bytes; 4096 is what must be taken (RFC 8030 §7.2, SERV_1.2.0).
    expect(long.kind === 'message' && Buffer.byteLength(long.message.body) + 103).toBeLessThanOrEqual(4096)
  })
})
