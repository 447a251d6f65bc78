import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../src/core/json.ts'
import type { Message, PushIdentity } from '../../../src/core/message.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import { applyPrivacy, type PrivacyPolicy } from '../../../src/core/privacy-policy.ts'
import { TEST_PUSH, type FullPush, type MinimalPush, type Push } from '../../../src/core/push.ts'
import { apnsOptions, type ApnsOptions } from '../../../src/providers/apns/options.ts'
import { renderer } from '../../../src/providers/apns/payload.ts'
import sygnal from './sygnal.json' with { type: 'json' }

const identity: PushIdentity = {
  id: '11111111-2222-4333-8444-555555555555',
  collapseId: 'abcdefghijklmnopqrstuvwxyz012345',
  expiresAtMs: 1_800_000_000_999,
  lifetimeMs: 86_400_000,
}
const topic = 'com.example.app'

const idOnly: Push = {
  detail: 'event_id_only',
  kind: 'event',
  prio: 'high',
  defaultPayload: {},
  eventId: '$e',
  roomId: '!r',
}

function render(push: Push, options: ApnsOptions = {}): { headers: Message['headers']; payload: unknown } {
  const rendered = renderer({ topic, ...options })(push, identity)
  if (rendered.kind === 'nothing') return { headers: {}, payload: undefined }
  const { headers, body } = rendered.message
  return { headers, payload: JSON.parse(body) }
}

const pusher = { eventsOnly: false, onlyLastPerRoom: false }
const event = { kind: 'event', prio: 'high', defaultPayload: {}, pusher } as const
const minimal: MinimalPush = { ...event, detail: 'minimal' }
const full: FullPush = {
  ...event,
  detail: 'full',
  type: 'm.room.message',
  sender: '@a:b',
  eventId: '$e',
  roomId: '!r',
  content: { msgtype: 'm.text', body: 'hi' },
}

describe('a push with privacy: full or event_id_only', () => {
  const policy: PrivacyPolicy = { privacy: 'full', counts: 'badge', defaultPayloadAllow: [], sealed: 'optional' }

  it.each(sygnal)("is as Sygnal's: $name ($what)", ({ notification, headers, payload }) => {
    const parsed = parseNotification(Buffer.from(JSON.stringify({ notification })))
    if (!('devices' in parsed) || parsed.devices[0] === undefined) throw new Error('not a notification')
    const push = applyPrivacy(parsed, parsed.devices[0], policy)
    if (push === undefined) throw new Error('nothing to tell')
    const { 'apns-push-type': pushType, 'apns-topic': theirTopic } = headers
    const options = Value.Parse(apnsOptions, { topic: theirTopic, push_type: pushType ?? 'none' })
    const rendered = render(push, options)
    expect(rendered.payload).toEqual(payload)
    expect(rendered.headers).toMatchObject(headers)
  })

  it.each<[string, FullPush['content'], (string | null)[]]>([
    ['MSG_FROM_USER', { msgtype: 'm.image' }, ['@a:b']],
    ['MSG_FROM_USER', { msgtype: 'm.file' }, ['@a:b']],
    ['MSG_FROM_USER', { msgtype: 'm.image', body: null }, ['@a:b']],
    ['MSG_FROM_USER', { msgtype: 'm.image', body: { a: 1 } }, ['@a:b']],
    ['IMAGE_FROM_USER', { msgtype: 'm.image', body: '' }, ['@a:b', '']],
    ['ACTION_FROM_USER', { msgtype: 'm.emote', body: 'waves' }, ['@a:b', 'waves']],
    ['MSG_FROM_USER', { msgtype: 'm.text', body: '' }, ['@a:b']],
    ['MSG_FROM_USER', { msgtype: 'm.text', body: 7 }, ['@a:b']],
    ['MSG_FROM_USER', undefined, ['@a:b']],
  ])('shows %s for the content %j', (key, content, args) => {
    const { payload } = render({ ...full, content })
    expect(payload).toMatchObject({ aps: { alert: { 'loc-key': key, 'loc-args': args } } })
  })

  it('names the room in an emote first', () => {
    const { payload } = render({ ...full, roomName: 'Room', content: { msgtype: 'm.emote', body: 'waves' } })
    expect(payload).toMatchObject({
      aps: { alert: { 'loc-key': 'ACTION_FROM_USER_IN_ROOM', 'loc-args': ['Room', '@a:b', 'waves'] } },
    })
  })

  it('is nothing where Sygnal sends nothing: a membership without counts', () => {
    expect(renderer({ topic })({ ...full, type: 'm.room.member' }, identity)).toMatchObject({ kind: 'nothing' })
  })

  // Each is a 500 in Sygnal (golden: apns-dp-*, apns-call-offer-null, apns-content-string).
  it.each<[string, JsonObject]>([
    ['an alert that is a string', { aps: { alert: 'Hello' } }],
    ['an alert that is null', { aps: { alert: null } }],
    ['aps that is a list', { aps: [] }],
    ['aps that is null', { aps: null }],
    ['aps that is a string', { aps: 'x' }],
  ])('replaces in default_payload %s', (_what, defaultPayload) => {
    const { payload } = render({ ...full, defaultPayload })
    const alert = { 'loc-key': 'MSG_FROM_USER_WITH_CONTENT', 'loc-args': ['@a:b', 'hi'] }
    expect(payload).toEqual({ aps: { alert }, room_id: '!r', event_id: '$e' })
  })

  it('survives a default_payload that is nested beyond what can be written', () => {
    const deep: JsonObject = JSON.parse(`{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)
    expect(render({ ...full, defaultPayload: deep }).payload).toMatchObject({ aps: { 'mutable-content': 1 } })
  })

  it('keeps a key named __proto__', () => {
    const defaultPayload: JsonObject = JSON.parse('{"__proto__":{"x":1},"constructor":1}')
    const rendered = renderer({ topic })({ ...full, type: undefined, defaultPayload }, identity)
    const body = '{"__proto__":{"x":1},"constructor":1,"room_id":"!r","event_id":"$e"}'
    expect(rendered).toMatchObject({ message: { body } })
  })
})

describe('a minimal push', () => {
  it('is an alert that the app may replace, with a sound, and says nothing', () => {
    expect(render(minimal).payload).toEqual({
      aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1, sound: 'default' },
    })
  })

  it('makes no sound with prio low', () => {
    expect(render({ ...minimal, prio: 'low' }).payload).toEqual({
      aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1 },
    })
  })

  it('has the loc_key of the app, or better that of the device', () => {
    const ofApp = render(minimal, { loc_key: 'NEW' }).payload
    expect(ofApp).toMatchObject({ aps: { alert: { 'loc-key': 'NEW' } } })
    const defaultPayload = { aps: { alert: { 'loc-key': 'THEIRS' } } }
    const ofDevice = render({ ...minimal, defaultPayload }, { loc_key: 'NEW' }).payload
    expect(ofDevice).toMatchObject({ aps: { alert: { 'loc-key': 'THEIRS' } } })
  })

  it('keeps what is left of default_payload, but for its badge', () => {
    const defaultPayload = { cs: 'x', aps: { sound: 'bell', 'mutable-content': 0, badge: 9, 'thread-id': 't' } }
    expect(render({ ...minimal, defaultPayload }).payload).toEqual({
      cs: 'x',
      aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 0, sound: 'bell', 'thread-id': 't' },
    })
  })

  it('keeps an alert that is a text', () => {
    const defaultPayload = { aps: { alert: 'Hello' } }
    expect(render({ ...minimal, defaultPayload }).payload).toMatchObject({ aps: { alert: 'Hello' } })
  })

  it('has the badge, and counts only where it has any', () => {
    expect(render({ ...minimal, badge: 0 }).payload).toMatchObject({ aps: { badge: 0 } })
    expect(render({ ...minimal, badge: 0 }).payload).not.toHaveProperty('unread_count')
    const counts = { unread: 0, missedCalls: 2 }
    expect(render({ ...minimal, counts }).payload).toMatchObject({ unread_count: 0, missed_calls: 2 })
  })

  it("carries the constants of the apps' test push", () => {
    expect(render({ ...minimal, ids: TEST_PUSH }).payload).toMatchObject({
      room_id: TEST_PUSH.roomId,
      event_id: TEST_PUSH.eventId,
    })
  })

  it('only wakes the app with push_type: background', () => {
    const defaultPayload = { cs: 'x', aps: { alert: { 'loc-key': 'K' }, sound: 's' } }
    const { headers, payload } = render({ ...minimal, defaultPayload }, { push_type: 'background' })
    expect(payload).toEqual({ cs: 'x', aps: { 'content-available': 1 } })
    expect(headers).toMatchObject({ 'apns-priority': '5', 'apns-push-type': 'background' })
  })
})

describe('an update of the badge', () => {
  it.each<[string, Push]>([
    ['full', { ...full, kind: 'counts', counts: { unread: 2, missedCalls: 1 } }],
    ['event_id_only', { ...full, detail: 'event_id_only', kind: 'counts', counts: { unread: 3 } }],
    ['minimal', { ...minimal, kind: 'counts', badge: 3, defaultPayload: { cs: 'x' } }],
  ])('is nothing but the badge (%s)', (_mode, push) => {
    expect(render(push).payload).toEqual({ aps: { badge: 3 } })
  })

  it('clears the badge with 0', () => {
    expect(render({ ...minimal, kind: 'counts', badge: 0 }).payload).toEqual({ aps: { badge: 0 } })
  })

  it('is nothing without a count', () => {
    expect(renderer({ topic })({ ...minimal, kind: 'counts' }, identity)).toMatchObject({ kind: 'nothing' })
  })
})

describe('a push sealed by the homeserver (MSC3013)', () => {
  const encrypted = { ephemeral: 'E', ciphertext: 'C', mac: 'M' }

  it('is default_payload and the three keys, without plaintext beside them', () => {
    const defaultPayload = { aps: { 'mutable-content': 1, alert: 'x' }, cs: 'y' }
    expect(render({ ...full, encrypted, defaultPayload }).payload).toEqual({ ...defaultPayload, ...encrypted })
  })

  it('brings the wake-up where default_payload has none', () => {
    expect(render({ ...full, encrypted }).payload).toMatchObject({ aps: { 'mutable-content': 1 }, ...encrypted })
    expect(render({ ...minimal, encrypted }).payload).toMatchObject({ aps: { 'mutable-content': 1 }, ...encrypted })
  })

  it('is the wake-up alone when the ciphertext is too large, never half of it', () => {
    const push = { ...minimal, encrypted: { ...encrypted, ciphertext: 'C'.repeat(5000) } }
    const rendered = renderer({ topic })(push, identity)
    expect(rendered).toMatchObject({ truncated: true })
    expect(render(push)).toEqual(render(minimal))
  })
})

describe('the headers', () => {
  it('are lower-case and complete', () => {
    expect(render(full, { push_type: 'alert' }).headers).toEqual({
      'apns-topic': topic,
      'apns-push-type': 'alert',
      'apns-priority': '10',
      'apns-expiration': '1800000000',
      'apns-id': identity.id,
      'apns-collapse-id': identity.collapseId,
    })
  })

  it.each<[string, Push, string | undefined, string]>([
    ['that shows something', full, 'alert', '10'],
    ['that changes the badge', { ...full, kind: 'counts', counts: { unread: 0 } }, 'alert', '10'],
    [
      'that only asks for background time',
      { ...idOnly, defaultPayload: { aps: { 'content-available': 1 } } },
      'background',
      '5',
    ],
    ['that does neither', idOnly, undefined, '10'],
    ['whose aps is no object', { ...idOnly, defaultPayload: { aps: 1 } }, undefined, '10'],
  ])('have the push type and priority of a push %s', (_what, push, pushType, priority) => {
    const { headers } = render(push)
    expect([headers['apns-push-type'], headers['apns-priority']]).toEqual([pushType, priority])
  })

  it("have no push type with push_type: none, as Sygnal's", () => {
    expect(render(full, { push_type: 'none' }).headers).not.toHaveProperty('apns-push-type')
  })

  it('have priority 5 with prio low', () => {
    expect(render({ ...full, prio: 'low' }).headers['apns-priority']).toBe('5')
  })

  it('do not let APNs keep a walkie-talkie push', () => {
    expect(render(full, { push_type: 'pushtotalk' }).headers['apns-expiration']).toBe('0')
  })

  it('leave the topic of a certificate to the sender', () => {
    const rendered = renderer({})(full, identity)
    expect(rendered.kind === 'message' && rendered.message.headers).not.toHaveProperty('apns-topic')
  })
})
