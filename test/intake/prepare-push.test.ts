/** Notification × device × route → push → message, without anything stored or sent. */
import { describe, expect, it } from 'vitest'
import type { OpenRoute } from '../../src/config/routes.ts'
import { TEST_PUSH } from '../../src/core/push.ts'
import {
  preparePush,
  renderPush,
  type Circumstances,
  type PreparedPush,
  type PushNames,
} from '../../src/intake/prepare-push.ts'
import { createNotification, firstDevice } from '../helpers/notification.ts'
import { createRoute, renderedFrom, type RouteOptions } from '../helpers/route.ts'

const NOW_MS = 1_790_000_000_000
const DAY_MS = 24 * 3600_000
const MINUTE_MS = 60_000
const CIRCUMSTANCES: Circumstances = {
  nowMs: NOW_MS,
  maxAgeMs: DAY_MS,
  callMaxAgeMs: MINUTE_MS,
  // Shows what it was given to seal.
  encryptForDevice: ({ kid }, plaintext) => ({ kid, record: Buffer.from(plaintext).toString().trim() }),
  randomBytes: (count) => new Uint8Array(count).fill(7),
}
const EVENT = { event_id: '$event', room_id: '!room', type: 'm.room.message', sender: '@alice:example.org' }
const CALL = { ...EVENT, type: 'm.call.invite' }
/** Of RFC 8291 §5. */
const KEY = {
  v: 1,
  kid: 'AAAAAAAAAAAAAAAAAAAAAA',
  p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
  auth: 'BTBZMqHH6r4Tts7J_aSIgg',
}

/** `data`: of the device. */
function prepare(fields: object, route: RouteOptions = {}, data: object = {}): PreparedPush | undefined {
  const notification = createNotification({ ...fields, devices: [{ app_id: 'a', pushkey: 'p', data }] })
  return preparePush(notification, firstDevice(notification), createRoute(route), CIRCUMSTANCES)
}

function prepared(...input: Parameters<typeof prepare>): PreparedPush {
  const push = prepare(...input)
  if (push === undefined) throw new Error('it says nothing')
  return push
}

describe('a call that says how long it lasts', () => {
  const rtc = (ageMs: number, more: object = {}) => ({
    ...EVENT,
    type: 'm.rtc.notification',
    content: { notification_type: 'ring', sender_ts: NOW_MS - ageMs, lifetime: 30_000, ...more },
  })

  it('is kept, and shown to the push service, no longer than that', () => {
    expect(prepared(rtc(10_000), { policy: { privacy: 'full' } })).toMatchObject({
      priority: 'call',
      maxAgeMs: 20_000,
      shownMaxAgeMs: 20_000,
    })
    expect(prepared({ ...CALL, content: { lifetime: 5000 } }, { policy: { privacy: 'full' } })).toMatchObject({
      maxAgeMs: 5000,
    })
    // queue.call_max_age is the longest.
    expect(prepared({ ...CALL, content: { lifetime: 90_000 } })).toMatchObject({ maxAgeMs: MINUTE_MS })
  })

  it('does not say so where the push service is not to know the content', () => {
    for (const privacy of ['minimal', 'event_id_only'] as const)
      expect(prepared(rtc(10_000), { policy: { privacy } })).toMatchObject({ maxAgeMs: 20_000, shownMaxAgeMs: DAY_MS })
    const ringing = { policy: { privacy: 'event_id_only' }, alwaysRings: true } as const
    expect(prepared(rtc(10_000), ringing)).toMatchObject({ maxAgeMs: 20_000, shownMaxAgeMs: MINUTE_MS })
  })

  it('is not sent when it is over', () => {
    expect(prepare(rtc(30_000))).toBeUndefined()
    expect(prepare(rtc(3_600_000), { policy: { privacy: 'full' }, alwaysRings: true })).toBeUndefined()
  })

  it('is no call for the queue where it only says that there is one', () => {
    const quiet = prepared(rtc(10_000, { notification_type: 'notification' }), {})
    expect(quiet).toMatchObject({ priority: 'event', maxAgeMs: 20_000 })
  })
})

describe('the priority', () => {
  it.each([
    ['event', EVENT],
    ['call', CALL],
    ['call', { ...EVENT, type: 'org.matrix.msc4075.rtc.notification' }],
    ['counts', { counts: { unread: 1 } }],
  ])('is %s of %j', (priority, fields) => {
    expect(prepared(fields).priority).toBe(priority)
  })

  it('is that of a call for every event of a route that always rings, and for no badge of it', () => {
    expect(prepared(EVENT, { alwaysRings: true }).priority).toBe('call')
    expect(prepared({ counts: { unread: 1 } }, { alwaysRings: true }).priority).toBe('counts')
  })
})

describe('how long a push is kept, and how long the push service is told to keep it', () => {
  it.each([
    ['an event', 'minimal', EVENT, {}, DAY_MS, DAY_MS],
    ['an event', 'full', EVENT, {}, DAY_MS, DAY_MS],
    // Where the mode keeps the type from the push service, a shorter life must not tell it.
    ['a call', 'minimal', CALL, {}, MINUTE_MS, DAY_MS],
    ['a call', 'event_id_only', CALL, {}, MINUTE_MS, DAY_MS],
    ['a call', 'full', CALL, {}, MINUTE_MS, MINUTE_MS],
    // The push service knows of each push of this route that it rings.
    ['a call on a route that always rings', 'minimal', CALL, { alwaysRings: true }, MINUTE_MS, MINUTE_MS],
    ['a call on a route that always rings', 'event_id_only', CALL, { alwaysRings: true }, MINUTE_MS, MINUTE_MS],
    ['an event on a route that always rings', 'event_id_only', EVENT, { alwaysRings: true }, MINUTE_MS, MINUTE_MS],
    ['an event on a route that always rings', 'full', EVENT, { alwaysRings: true }, MINUTE_MS, MINUTE_MS],
  ] as const)('%s in %s mode', (_what, privacy, fields, route, keptMs, shownMs) => {
    const { maxAgeMs, shownMaxAgeMs } = prepared(fields, { ...route, policy: { privacy } })
    expect({ maxAgeMs, shownMaxAgeMs }).toEqual({ maxAgeMs: keptMs, shownMaxAgeMs: shownMs })
  })

  it('of a call that is sealed to the device is that of an event, in full mode too', () => {
    const { push, shownMaxAgeMs } = prepared(CALL, { policy: { privacy: 'full' } }, { hushgate_key: KEY })
    expect([push.detail, shownMaxAgeMs]).toEqual(['minimal', DAY_MS])
  })
})

describe('what is sealed to the device', () => {
  it('is what the app wants to know, and nothing of it stands in clear beside it', () => {
    const { sealing, push } = prepared({ ...EVENT, counts: { unread: 3 } }, {}, { hushgate_key: KEY })
    expect(sealing?.key).toBe('valid')
    expect(JSON.parse(sealing?.block?.record ?? '')).toEqual({
      v: 1,
      event_id: '$event',
      room_id: '!room',
      unread: 3,
      prio: 'high',
      ts: NOW_MS,
    })
    expect(push).toMatchObject({ detail: 'minimal', sealed: { kid: KEY.kid } })
    expect(JSON.stringify({ ...push, sealed: undefined })).not.toMatch(/\$event|!room|badge|unread/)
  })

  it.each([
    ['a device without a key', EVENT, {}, 'optional', 'missing'],
    ['a device whose key is none', EVENT, { hushgate_key: 'x' }, 'optional', 'invalid'],
    ['a badge', { counts: { unread: 1 } }, { hushgate_key: KEY }, 'optional', undefined],
    ['an app that cannot open it', EVENT, { hushgate_key: KEY }, 'ignored', undefined],
  ] as const)('is nothing for %s', (_what, fields, data, sealed, key) => {
    const { sealing } = prepared(fields, { policy: { sealed } }, data)
    expect([sealing?.key, sealing?.block]).toEqual([key, undefined])
  })
})

describe('placeholder IDs', () => {
  const policy = { placeholderIds: true } as const
  const idsOf = ({ push }: PreparedPush) => (push.detail === 'minimal' ? push.ids : 'not minimal')

  it('are made of what randomness is passed in, for a minimal event of an app that wants them', () => {
    expect(idsOf(prepared(EVENT, { policy }))).toMatchObject({
      eventId: `$${Buffer.alloc(32, 7).toString('base64url')}`,
      roomId: `!${'H'.repeat(18)}:placeholder.invalid`,
    })
  })

  it('are not made where none are wanted, for a badge, or beside what is sealed', () => {
    expect(idsOf(prepared(EVENT))).toBeUndefined()
    expect(idsOf(prepared({ counts: { unread: 1 } }, { policy }))).toBeUndefined()
    expect(idsOf(prepared(EVENT, { policy }, { hushgate_key: KEY }))).toBeUndefined()
  })

  it("are the known constants for the apps' own test of the chain", () => {
    const test = { event_id: TEST_PUSH.eventId, room_id: TEST_PUSH.roomId }
    expect(idsOf(prepared(test, { policy }))).toEqual(TEST_PUSH)
  })
})

it('a notification that says nothing is no push', () => {
  expect(prepare({ room_id: '!room' })).toBeUndefined()
})

it('a call, the test push and what says more than "wake up" are not put off by coalesce', () => {
  const timing = { coalesceMs: 10_000, releaseEveryMs: 60_000 }
  expect(prepared(EVENT, { timing }).timing).toEqual(timing)
  expect(prepared(EVENT, { timing, policy: { privacy: 'event_id_only' } }).timing).toEqual({ releaseEveryMs: 60_000 })
  expect(prepared(EVENT, { timing }, { hushgate_key: KEY }).timing).toEqual({ releaseEveryMs: 60_000 })
  expect(prepared(CALL, { timing }).timing).toEqual({})
  expect(prepared({ event_id: TEST_PUSH.eventId }, { timing }).timing).toEqual({})
})

describe('the message', () => {
  const names: PushNames = { id: 'push-id', collapseId: 'collapse-id', roomCollapseId: () => 'room-collapse-id' }
  const identityOf = (push: PreparedPush, route: OpenRoute, shownAtMs = NOW_MS) => {
    const rendered = renderPush(push, route, names, { shownAtMs, target: '' })
    if (rendered.kind === 'nothing') throw new Error(rendered.reason)
    return renderedFrom(rendered).identity
  }

  it('shows when it expires from the time that may be shown, not from when it came', () => {
    const route = createRoute()
    expect(identityOf(prepared(EVENT), route, NOW_MS + 60_000)).toEqual({
      id: 'push-id',
      collapseId: 'collapse-id',
      expiresAtMs: NOW_MS + 60_000 + DAY_MS,
      lifetimeMs: DAY_MS,
    })
  })

  it('names the room, by its hash, only where the app asks for the last push per room and may know rooms', () => {
    const asks = { only_last_per_room: true }
    const roomOf = (privacy: 'minimal' | 'event_id_only' | 'full', data: object) =>
      identityOf(prepared(EVENT, { policy: { privacy } }, data), createRoute())['roomCollapseId']
    expect(roomOf('minimal', asks)).toBeUndefined()
    expect(roomOf('event_id_only', {})).toBeUndefined()
    expect(roomOf('event_id_only', asks)).toBe('room-collapse-id')
    expect(roomOf('full', asks)).toBe('room-collapse-id')
  })
})
