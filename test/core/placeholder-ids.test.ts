import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject } from '../../src/core/json.ts'
import { parseNotification } from '../../src/core/notification.ts'
import { PlaceholderIds } from '../../src/core/placeholder-ids.ts'
import { applyPrivacy } from '../../src/core/privacy-policy.ts'
import { apns } from '../../src/providers/apns/index.ts'
import { fcm } from '../../src/providers/fcm/index.ts'
import { webpush } from '../../src/providers/webpush/index.ts'
import { findCanaries } from '../canary/canary.ts'
import { event } from '../sealed/random-pushes.ts'

const EVENT_ID = /^\$[A-Za-z0-9_-]{43}$/
const ROOM_ID = /^![A-Za-z]{18}:placeholder\.invalid$/

const FCM = { service_account_file: '-' } as const
const IDENTITY = { id: '-', collapseId: '-', expiresAtMs: 0, lifetimeMs: 0 }
const SERVICES = [
  { name: 'APNs', render: apns.renderer({}), data: {} },
  { name: 'APNs in the background', render: apns.renderer({ push_type: 'background' }), data: {} },
  { name: 'FCM', render: fcm.renderer(FCM), data: {} },
  {
    name: "FCM in Hedwig's shape",
    render: fcm.renderer({ ...FCM, payload_style: 'hedwig' }),
    data: { data_message: 'android' },
  },
  {
    name: 'Web Push',
    render: webpush.renderer({ vapid_private_key_file: '-', vapid_subject: 'mailto:ops@example.com' }),
    data: {},
  },
]

describe('placeholder IDs', () => {
  it('are well-formed, and new each time', () => {
    const all = Array.from({ length: 200 }, () => new PlaceholderIds(randomBytes))
    for (const { eventId, roomId } of all) {
      expect(eventId).toMatch(EVENT_ID)
      expect(roomId).toMatch(ROOM_ID)
    }
    expect(new Set(all.flatMap(({ eventId, roomId }) => [eventId, roomId])).size).toBe(400)
  })

  it.each(SERVICES)('are all that differs between two pushes of one priority: $name', ({ render, data }) => {
    const shapes = { high: new Set<string>(), low: new Set<string>() }
    fc.assert(
      fc.property(event, (about) => {
        const body = { notification: { ...about, devices: [{ app_id: 'a', pushkey: 'p', data }] } }
        const notification = parseNotification(Buffer.from(JSON.stringify(body)))
        if ('errcode' in notification) throw new Error(notification.error)
        const [device] = notification.devices
        if (device === undefined) throw new Error('no device')
        const push = applyPrivacy(
          notification,
          device,
          { privacy: 'minimal', counts: 'none', defaultPayloadAllow: [], sealed: 'optional', placeholderIds: true },
          undefined,
          () => new PlaceholderIds(randomBytes),
        )
        const rendered = push === undefined ? undefined : render(push, IDENTITY)
        if (rendered?.kind !== 'message') throw new Error('nothing to send')
        expect(rendered.truncated).toBe(false)
        expect(findCanaries(Buffer.from(JSON.stringify(rendered.message)))).toEqual([])
        const { event_id: eventId, room_id: roomId } = idsIn(rendered.message.body)
        expect(eventId).toMatch(EVENT_ID)
        expect(roomId).toMatch(ROOM_ID)
        const shape = rendered.message.body.replace(String(eventId), '').replace(String(roomId), '')
        shapes[notification.prio].add(shape)
      }),
      { numRuns: 300 },
    )
    expect([shapes.high.size, shapes.low.size]).toEqual([1, 1])
  })
})

/** Where apps read them: at the top with APNs and Web Push, in `data` with FCM. */
function idsIn(body: string): { readonly event_id?: unknown; readonly room_id?: unknown } {
  const payload: unknown = JSON.parse(body)
  if (!isJsonObject(payload)) return {}
  return isJsonObject(payload['data']) ? payload['data'] : payload
}
