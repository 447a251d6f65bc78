/** That a sealed push tells its push service, and whoever counts its bytes, nothing of what it says. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { apns } from '../../src/providers/apns/index.ts'
import { fcm } from '../../src/providers/fcm/index.ts'
import { encryptForDevice } from '../../src/intake/encrypt-for-device.ts'
import { decrypt } from '../../src/simulators/webpush-encryption.ts'
import { findCanaries } from '../canary/canary.ts'
import { badge, event, KID, NOW_MS, policy, recordOf, sealed, secrets } from './random-pushes.ts'

const RUNS = 1000
const TIMEOUT_MS = 120_000
/** Header 86, plaintext 1024, delimiter 1, tag 16 (RFC 8188 §2, RFC 8291 §4), as base64url. */
const RECORD_CHARACTERS = Math.ceil(((86 + 1024 + 1 + 16) * 8) / 6)
const FCM = { service_account_file: '-', badge_pushes: 'send' } as const
const SERVICES = [
  { name: 'APNs', render: apns.renderer({ topic: 'com.example.app' }) },
  { name: 'APNs in the background', render: apns.renderer({ push_type: 'background' }) },
  { name: 'FCM', render: fcm.renderer(FCM) },
  { name: "FCM in Hedwig's shape", render: fcm.renderer({ ...FCM, payload_style: 'hedwig' }) },
]

describe.each(SERVICES)('of $name', ({ render }) => {
  it(
    'each of 1,000 random events has the same length as all others of its priority, and says nothing in clear',
    { timeout: TIMEOUT_MS },
    () => {
      const lengths = new Map<string, Set<number>>()
      fc.assert(
        fc.property(event, policy, (about, chosen) => {
          const { rendered, push, notification } = sealed(about, chosen, encryptForDevice, render)
          if (rendered.kind === 'nothing') throw new Error(rendered.reason)
          const { headers, body } = rendered.message
          expect(findCanaries(Buffer.from(JSON.stringify(headers) + body))).toEqual([])
          expect(rendered.truncated).toBe(false)
          expect(Buffer.byteLength(body)).toBeLessThan(4096)
          const record = recordOf({ rendered, push, notification })
          expect(record).toHaveLength(RECORD_CHARACTERS)
          const known = lengths.get(push.prio) ?? new Set()
          lengths.set(push.prio, known.add(Buffer.byteLength(body)))
        }),
        { numRuns: RUNS },
      )
      expect([...lengths.values()].map(({ size }) => size)).toEqual([1, 1])
    },
  )
})

it(
  '1,000 random events open as what the homeserver sent, with what is too long left out',
  { timeout: TIMEOUT_MS },
  () => {
    const render = apns.renderer({})
    fc.assert(
      fc.property(event, policy, (about, chosen) => {
        const result = sealed(about, chosen, encryptForDevice, render)
        const { eventId, roomId, prio } = result.notification
        const { unread } = chosen.counts === 'none' ? {} : (result.notification.counts ?? {})
        const plaintext = decrypt(Buffer.from(recordOf(result), 'base64url'), secrets)
        const opened: unknown = JSON.parse(plaintext?.toString() ?? '')
        expect({ event_id: eventId, room_id: roomId, ...Object(opened) }).toEqual({
          ...(eventId === undefined ? {} : { event_id: eventId }),
          ...(roomId === undefined ? {} : { room_id: roomId }),
          ...(unread === undefined ? {} : { unread }),
          v: 1,
          prio,
          ts: NOW_MS,
        })
      }),
      { numRuns: RUNS },
    )
  },
)

it('each of 1,000 random badge updates of APNs has the same length', { timeout: TIMEOUT_MS }, () => {
  const render = apns.renderer({})
  const lengths = new Set<number>()
  fc.assert(
    fc.property(badge, policy, (about, chosen) => {
      const { rendered } = sealed(about, chosen, encryptForDevice, render)
      if (rendered.kind === 'nothing') return
      expect(JSON.parse(rendered.message.body)).toEqual({ aps: { badge: expect.any(Number) } })
      lengths.add(Buffer.byteLength(rendered.message.body))
    }),
    { numRuns: RUNS },
  )
  expect(lengths.size).toBe(1)
})

it('the block goes to APNs and FCM under the same two names', () => {
  const chosen = { privacy: 'full', counts: 'badge', defaultPayloadAllow: [], sealed: 'optional' } as const
  const about = { type: 'm.room.message', event_id: '$event', counts: { unread: 1 } }
  const bodies = [apns.renderer({}), fcm.renderer(FCM)].map((render) => {
    const { rendered } = sealed(about, chosen, encryptForDevice, render)
    return rendered.kind === 'message' ? JSON.parse(rendered.message.body) : undefined
  })
  const block = { hushgate_kid: KID, hushgate_sealed: expect.stringMatching(/^[\w-]{1503}$/) }
  expect(bodies).toEqual([
    {
      cs: 'client-secret',
      aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1, sound: 'default' },
      ...block,
    },
    { android: { priority: 'high' }, data: { cs: 'client-secret', sync: '1', ...block } },
  ])
})

it('a point that is not on the curve cannot be sealed to', () => {
  const key = { kid: KID, p256dh: Buffer.from([4, ...Array(64).fill(7)]).toString('base64url'), auth: secrets.auth }
  expect(encryptForDevice(key, Buffer.alloc(1024))).toBeUndefined()
})
