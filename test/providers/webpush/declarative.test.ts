/** The whole way from a notification and a pusher to what Safari shows by itself. */
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../src/core/json.ts'
import type { Rendered } from '../../../src/core/message.ts'
import { PlaceholderIds } from '../../../src/core/placeholder-ids.ts'
import { applyPrivacy, type PrivacyMode, type PrivacyPolicy } from '../../../src/core/privacy-policy.ts'
import { MAX_PAYLOAD_BYTES } from '../../../src/providers/shared/endpoints/fit.ts'
import { webpush } from '../../../src/providers/webpush/index.ts'
import { webPushOptions, type DeclarativeOptions, type WebPushOptions } from '../../../src/providers/webpush/options.ts'
import { renderer } from '../../../src/providers/webpush/payload.ts'
import { targetOf } from '../../../src/providers/webpush/target.ts'
import { readDeclarative, type DeclarativeNotification } from '../../../src/simulators/declarative-notification.ts'
import { createNotification, firstDevice } from '../../helpers/notification.ts'

const TITLE = 'New message'
const HOME = 'https://chat.example.com/'
const DECLARATIVE: DeclarativeOptions = {
  title: TITLE,
  body: 'Open the app to read it',
  navigate: HOME,
  navigate_room: 'https://chat.example.com/#/room/{room_id}/{event_id}',
}
const SECTION: WebPushOptions = {
  vapid_private_key_file: '-',
  vapid_subject: 'mailto:ops@example.org',
  declarative: DECLARATIVE,
}
const APPLE = { endpoint: 'https://web.push.apple.com/QAbc', auth: 'auth' }
const MOZILLA = { endpoint: 'https://updates.push.services.mozilla.com/wpush/v2/abc', auth: 'auth' }
const EVENT = {
  event_id: '$event/1',
  room_id: '!room:example.org',
  type: 'm.room.message',
  sender: '@alice:example.org',
  sender_display_name: 'Alice',
  room_name: 'The Kitchen',
  content: { msgtype: 'm.text', body: 'Soup is ready' },
  counts: { unread: 3, missed_calls: 1 },
  prio: 'high',
}

interface Case {
  readonly fields?: JsonObject
  readonly data?: JsonObject
  readonly pushkey?: string
  readonly privacy?: PrivacyMode
  readonly counts?: PrivacyPolicy['counts']
  readonly options?: Partial<DeclarativeOptions>
  readonly placeholderIds?: boolean
}

function rendered({ fields = EVENT, data = APPLE, pushkey = 'p256dh', privacy = 'minimal', ...more }: Case): Rendered {
  const notification = createNotification({ ...fields, devices: [{ app_id: 'a', pushkey, data }] })
  const { counts = 'badge', placeholderIds, options } = more
  const policy = { privacy, counts, defaultPayloadAllow: [], sealed: 'ignored', placeholderIds } as const
  const createIds = () => new PlaceholderIds((count) => new Uint8Array(count).fill(7))
  const push = applyPrivacy(notification, firstDevice(notification), policy, undefined, createIds)
  if (push === undefined) throw new Error('it says nothing')
  const section = { ...SECTION, declarative: { ...DECLARATIVE, ...options } }
  const identity = { id: '-', collapseId: 'c', expiresAtMs: 0, lifetimeMs: 1000 }
  return renderer(section)(push, identity, targetOf(pushkey, data))
}

function bodyOf(one: Case): string {
  const result = rendered(one)
  if (result.kind !== 'message') throw new Error(result.reason)
  return result.message.body
}

function shown(one: Case): DeclarativeNotification {
  const found = readDeclarative(bodyOf(one))
  if (found === undefined || typeof found === 'string') throw new Error(found ?? 'for the service worker')
  return found
}

describe('what Safari shows of a push', () => {
  it("in minimal mode: the operator's words, and the badge", () => {
    expect(shown({})).toEqual({
      title: TITLE,
      body: 'Open the app to read it',
      navigate: HOME,
      silent: false,
      appBadge: 4,
      mutable: false,
    })
  })

  it('in minimal mode no ID, name or text, whatever it is', () => {
    const body = bodyOf({})
    for (const value of ['event', 'room:', 'alice', 'Alice', 'Kitchen', 'Soup']) expect(body).not.toContain(value)
    // Made-up IDs lead nowhere.
    expect(shown({ placeholderIds: true }).navigate).toBe(HOME)
  })

  it("with event_id_only: the operator's words, and a tap opens the room", () => {
    expect(shown({ privacy: 'event_id_only' })).toMatchObject({
      title: TITLE,
      navigate: 'https://chat.example.com/#/room/!room%3Aexample.org/%24event%2F1',
      appBadge: 4,
    })
  })

  it.each([
    ['a room', { room_id: '..' }],
    ['a room', { room_id: '.' }],
    ['an event', { event_id: '..' }],
  ])('whatever a homeserver calls %s, a tap leads to no other page of the site', (_what, change) => {
    const options = { navigate_room: 'https://chat.example.com/app/room/{room_id}/{event_id}' }
    const one = { privacy: 'event_id_only', options } as const
    expect(new URL(shown(one).navigate).pathname).toMatch(/^\/app\/room\//)
    expect(shown({ ...one, fields: { ...EVENT, ...change } }).navigate).toBe(HOME)
  })

  it.each([
    ['a room with a name', {}, 'The Kitchen', 'Alice: Soup is ready'],
    ['a room without', { room_name: undefined }, 'Alice', 'Soup is ready'],
    ['a sender without a name', { sender_display_name: undefined }, 'The Kitchen', '@alice:example.org: Soup is ready'],
    ['no sender', { sender: undefined, sender_display_name: undefined }, 'The Kitchen', 'Soup is ready'],
    ['no names', { room_name: undefined, sender: undefined, sender_display_name: undefined }, TITLE, 'Soup is ready'],
    ['no text', { content: { ciphertext: 'abc' } }, 'The Kitchen', 'Open the app to read it'],
  ])('in full, of %s: names and text', (_what, change, title, body) => {
    expect(shown({ privacy: 'full', fields: { ...EVENT, ...change } })).toMatchObject({ title, body })
  })

  it('without a sound where the homeserver wants none', () => {
    expect(shown({ fields: { ...EVENT, prio: 'low' } })).toMatchObject({ silent: true })
  })

  it('no badge where counts are not passed on, and 0 where nothing is unread', () => {
    expect(shown({ counts: 'none' }).appBadge).toBeUndefined()
    expect(shown({ fields: { ...EVENT, counts: { unread: 0 } } }).appBadge).toBe(0)
    expect(shown({ fields: { ...EVENT, counts: { unread: -3 } } }).appBadge).toBeUndefined()
  })

  it('is handed to the service worker first where the operator says so', () => {
    expect(shown({ options: { mutable: true } }).mutable).toBe(true)
  })

  it('keeps beside it all that a service worker reads, for a browser that does not know it', () => {
    expect(JSON.parse(bodyOf({ privacy: 'event_id_only' }))).toMatchObject({
      room_id: '!room:example.org',
      event_id: '$event/1',
      unread: 3,
      missed_calls: 1,
    })
    expect(JSON.parse(bodyOf({}))).toMatchObject({ sync: '1' })
  })

  it('says nothing in clear beside what the homeserver sealed', () => {
    const sealed = { ephemeral: 'e', ciphertext: 'c', mac: 'm' }
    const one = { privacy: 'full', fields: { ...EVENT, ...sealed } } as const
    expect(shown(one)).toEqual({ title: TITLE, body: DECLARATIVE.body, navigate: HOME, silent: false, mutable: false })
    expect(JSON.parse(bodyOf(one))).toMatchObject(sealed)
    const long = { ...EVENT, ...sealed, ciphertext: 'c'.repeat(3900) }
    expect(JSON.parse(bodyOf({ fields: long }))).toMatchObject({ sync: '1', web_push: 8030 })
    expect(Buffer.byteLength(bodyOf({ fields: long }))).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES)
  })

  it('fits, however long names, text and IDs are', () => {
    const long = {
      ...EVENT,
      room_name: '\u0001'.repeat(3000),
      content: { msgtype: 'm.text', body: '👨‍👩‍👧‍👦'.repeat(900) },
      event_id: `$${'%'.repeat(254)}`,
      room_id: `!${'%'.repeat(254)}`,
    }
    const one = { privacy: 'full', fields: long } as const
    expect(Buffer.byteLength(bodyOf(one))).toBeLessThanOrEqual(MAX_PAYLOAD_BYTES)
    expect(shown(one).navigate).toContain('/#/room/!%25%25')
    // No real ID is as long.
    expect(shown({ ...one, fields: { ...long, room_id: `!${'%'.repeat(255)}` } }).navigate).toBe(HOME)
    expect(shown({ ...one, fields: { ...long, room_id: '!\ud800' } }).navigate).toContain('!%EF%BF%BD')
  })

  it('has one length in minimal mode', () => {
    const bodies = [bodyOf({}), bodyOf({ fields: { ...EVENT, counts: { unread: 123_456 } } })]
    expect(new Set(bodies.map((body) => Buffer.byteLength(body)))).toEqual(new Set([1024]))
  })
})

describe('who is sent declarative pushes', () => {
  const isDeclarative = (one: Case): boolean => readDeclarative(bodyOf(one)) !== undefined

  it("Apple's push service, in each form of a pusher", () => {
    expect(isDeclarative({})).toBe(true)
    const keys = { p256dh: 'p', auth: 'a' }
    expect(isDeclarative({ pushkey: JSON.stringify({ endpoint: APPLE.endpoint, keys }), data: {} })).toBe(true)
    expect(isDeclarative({ pushkey: APPLE.endpoint, data: keys })).toBe(true)
  })

  it('nobody else, and none of a host that only looks like it', () => {
    expect(isDeclarative({ data: MOZILLA })).toBe(false)
    expect(isDeclarative({ data: { ...APPLE, endpoint: 'https://push.apple.com.example.org/x' } })).toBe(false)
    expect(isDeclarative({ data: { ...APPLE, endpoint: 'https://evilpush.apple.com/x' } })).toBe(false)
  })

  it('or as the pusher says', () => {
    expect(isDeclarative({ data: { ...MOZILLA, declarative: true } })).toBe(true)
    expect(isDeclarative({ data: { ...APPLE, declarative: false } })).toBe(false)
    expect(isDeclarative({ data: { ...APPLE, declarative: 'no' } })).toBe(true)
  })

  it('no endpoint without keys, behind which is no browser', () => {
    expect(isDeclarative({ pushkey: APPLE.endpoint, data: {} })).toBe(false)
  })

  it('never a badge update, which would show a notification; others get it as ever', () => {
    const fields = { counts: { unread: 1 } }
    expect(rendered({ fields })).toEqual({ kind: 'nothing', reason: 'a declarative push would show a notification' })
    expect(rendered({ fields, data: MOZILLA })).toMatchObject({ kind: 'message' })
  })

  it('nobody, where the app has no such section: then the bytes are what they were', () => {
    const plain = { vapid_private_key_file: '-', vapid_subject: 'mailto:ops@example.org' }
    const notification = createNotification({ ...EVENT, devices: [{ app_id: 'a', pushkey: 'p', data: APPLE }] })
    const policy = { privacy: 'full', counts: 'exact', defaultPayloadAllow: [], sealed: 'ignored' } as const
    const push = applyPrivacy(notification, firstDevice(notification), policy)
    if (push === undefined) throw new Error('it says nothing')
    const identity = { id: '-', collapseId: 'c', expiresAtMs: 0, lifetimeMs: 1000 }
    const render = renderer(plain)
    expect(render(push, identity, targetOf('p', APPLE))).toEqual(render(push, identity))
  })

  it('a pusher that says nothing of it has the target that it always had', () => {
    expect(targetOf('p', APPLE)).toBe(JSON.stringify({ endpoint: APPLE.endpoint, p256dh: 'p', auth: 'auth' }))
  })
})

describe('mistakes in the section', () => {
  it('a navigate_room where a homeserver would choose the host, or a part of it', () => {
    const isTaken = (navigateRoom: string): boolean =>
      Value.Check(webPushOptions, { ...SECTION, declarative: { ...DECLARATIVE, navigate_room: navigateRoom } })
    for (const taken of ['/#/room/{room_id}', '/{room_id}', ':8443/?room={room_id}&event={event_id}'])
      expect([taken, isTaken(`https://chat.example.com${taken}`)]).toEqual([taken, true])
    for (const refused of [
      'https://{room_id}',
      'https://{room_id}/',
      'https://chat.example.com{room_id}',
      'https://chat.example.com.{event_id}/{room_id}',
      'https://chat.example.com?{room_id}',
      'https://chat.example.com#/{room_id}',
      'https:///{room_id}',
      'http://chat.example.com/{room_id}',
      'https://chat.example.com/',
    ])
      expect([refused, isTaken(refused)]).toEqual([refused, false])
  })

  it.each([
    ['navigate', 'https://[chat/'],
    ['navigate_room', 'https://[chat/{room_id}'],
  ])('%s that is no address', async (name, value) => {
    const options = { ...SECTION, declarative: { ...DECLARATIVE, [name]: value } }
    const mistakes = await webpush.inspect(options)
    expect(mistakes.map(({ option }) => option)).toContain(`declarative.${name}`)
  })
})
