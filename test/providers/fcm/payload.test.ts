import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject } from '../../../src/core/json.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import { applyPrivacy } from '../../../src/core/privacy-policy.ts'
import type { Rendered } from '../../../src/core/message.ts'
import { PlaceholderIds } from '../../../src/core/placeholder-ids.ts'
import { TEST_PUSH, type EventIdOnlyPush, type FullPush, type MinimalPush, type Push } from '../../../src/core/push.ts'
import type { FcmOptions } from '../../../src/providers/fcm/options.ts'
import { renderer } from '../../../src/providers/fcm/payload.ts'

const MAX_BYTES = 4096

interface GoldenCase {
  readonly name: string
  readonly what: string
  readonly body: { readonly notification: { readonly devices: readonly { readonly app_id: string }[] } }
  /** What FCM answered to Sygnal; null where Sygnal sent nothing. */
  readonly fcm: number | null
  readonly message: unknown
}

/** Sygnal 0.17, recorded (docs/facts/peers.md#recorded-cases), without tokens. */
const golden: readonly GoldenCase[] = JSON.parse(
  readFileSync(new URL('../../fixtures/sygnal-fcm.json', import.meta.url), 'utf8'),
)

const OPTIONS_OF_APP: Readonly<Record<string, FcmOptions['options']>> = {
  'com.example.android.opts': {
    android: { ttl: '3600s', notification: { title: 'fixed' } },
    apns: { payload: { aps: { 'content-available': 1, 'mutable-content': 1, alert: '' } } },
  },
}

/** Where we differ on purpose: what the pusher's default_payload adds to the data, and why. */
const BETTER: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  // Google answers 400 to values that are no strings, and Sygnal loses the push.
  'fcm-dp-numbers': { i: '1', f: '1.5', t: 'true' },
  'fcm-dp-alert-null': { aps: '{"alert":null}' },
  'fcm-dp-alert-string': { aps: '{"alert":"Hello"}' },
  'fcm-dp-aps-null': {},
  'fcm-dp-loc-args-number': { aps: '{"alert":{"loc-args":[1,null]}}' },
  'fcm-dp-overrides': { unread_count: '99', aps: '{"badge":77}' },
  // … and to more than 4096 bytes.
  'fcm-dp-alert-body-long': {},
  // Of a wrong type it counts as absent; Sygnal has the pusher deleted.
  'fcm-dp-false': {},
  'fcm-dp-list': {},
  'fcm-dp-number': {},
  'fcm-dp-string': {},
  // Pusher data of a wrong type counts as absent; Sygnal answers 400.
  'fcm-data-null': {},
}
const EVENT_DATA = {
  event_id: '$3957tyerfgewrf384',
  room_id: '!slw48wfj34rtnrf:example.org',
  prio: 'high',
  unread: '2',
}

/** Cut between two people, not within a family: a grapheme boundary, where Sygnal cuts anywhere. */
const CUT_ELSEWHERE = 'fcm-body-emoji-zwj'
/** `content` that is no object counts as absent: Sygnal sends a string as a key `content`, and gets 400 for a list. */
const CONTENT_ABSENT = ['fcm-content-string', 'fcm-content-list']
/** An event_id that is no string counts as absent, so that only counts are left. */
const EVENT_ABSENT = 'fcm-event-id-number'
/** Sent, for it is what clears the badge; Sygnal sends nothing. */
const ZERO = 'fcm-counts-zero'
const DIFFERENT = new Set([...Object.keys(BETTER), ...CONTENT_ABSENT, CUT_ELSEWHERE, EVENT_ABSENT, ZERO])

function goldenCase(name: string): GoldenCase {
  const found = golden.find((one) => one.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

/** The whole way from the request body to the message; null where there is none. */
function rendered(one: GoldenCase): unknown {
  const notification = parseNotification(Buffer.from(JSON.stringify(one.body)))
  if (!('devices' in notification)) throw new Error(one.name)
  const [device] = notification.devices
  if (device === undefined || 'mistake' in device) throw new Error(one.name)
  const push = applyPrivacy(notification, device, {
    privacy: 'full',
    counts: 'exact',
    defaultPayloadAllow: [],
    sealed: 'optional',
  })
  if (push === undefined) return null
  const options = OPTIONS_OF_APP[one.body.notification.devices[0]?.app_id ?? ''] ?? {}
  const result = renderer({ service_account_file: '-', badge_pushes: 'send', options })(push)
  return result.kind === 'message' ? JSON.parse(result.message.body) : null
}

describe('FCM messages, compared with Sygnal 0.17', () => {
  const same = golden.filter(({ name }) => !DIFFERENT.has(name))
  it.each(same.map((one) => [one.what, one] as const))('%s: the same', (_what, one) => {
    expect(rendered(one)).toEqual(one.message)
  })

  it.each(Object.entries(BETTER))('%s: delivered, where Sygnal loses it', (name, added) => {
    expect(dataIn(rendered(goldenCase(name)))).toEqual({ ...EVENT_DATA, ...added })
  })

  it('cuts a long body at a grapheme boundary', () => {
    const theirs = dataIn(goldenCase(CUT_ELSEWHERE).message)['content_body'] ?? ''
    const ours = dataIn(rendered(goldenCase(CUT_ELSEWHERE)))['content_body'] ?? ''
    expect(ours.endsWith('…')).toBe(true)
    expect(theirs.startsWith(ours.slice(0, -1))).toBe(true)
    const graphemes = [...new Intl.Segmenter().segment(ours.slice(0, -1))].map(({ segment }) => segment)
    expect(new Set(graphemes)).toEqual(new Set(['a', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇸🇪']))
  })

  it.each(CONTENT_ABSENT)('%s: content that is no object counts as absent', (name) => {
    const { content: _content, ...theirs } = dataIn(goldenCase(name).message)
    expect(dataIn(rendered(goldenCase(name)))).toEqual(theirs)
  })

  it('takes an event ID that is no string for a badge update', () => {
    expect(dataIn(rendered(goldenCase(EVENT_ABSENT)))).toMatchObject({ prio: 'high', unread: '2' })
  })

  it('delivers the 0 that clears the badge', () => {
    expect(dataIn(rendered(goldenCase(ZERO)))).toEqual({ prio: 'high', unread: '0' })
  })
})

const event: EventIdOnlyPush = {
  detail: 'event_id_only',
  kind: 'event',
  prio: 'high',
  defaultPayload: {},
  eventId: '$event',
  roomId: '!room:example.org',
}
const minimal: MinimalPush = { detail: 'minimal', kind: 'event', prio: 'high', defaultPayload: {} }

function dataIn(message: unknown): Record<string, string> {
  const data = isJsonObject(message) ? message['data'] : undefined
  if (!isJsonObject(data)) throw new Error('no data')
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, typeof value === 'string' ? value : '?']))
}

function render(push: Push, options: Partial<FcmOptions> = {}): Rendered {
  return renderer({ service_account_file: '-', ...options })(push)
}

function dataOf(push: Push, options?: Partial<FcmOptions>): Record<string, string> {
  return dataIn(messageOf(push, options))
}

function messageOf(push: Push, options?: Partial<FcmOptions>): unknown {
  const result = render(push, options)
  if (result.kind !== 'message') throw new Error(result.reason)
  return JSON.parse(result.message.body)
}

function bytesOf(data: Readonly<Record<string, string>>): number {
  return Object.entries(data).reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(value), 0)
}

describe('minimal FCM messages', () => {
  it('are a wake-up and nothing else', () => {
    expect(messageOf(minimal)).toEqual({ android: { priority: 'high' }, data: { sync: '1' } })
    expect(messageOf({ ...minimal, prio: 'low', badge: 3 })).toEqual({
      android: { priority: 'normal' },
      data: { sync: '1' },
    })
  })

  it('carry the allowed scalars as strings, and nothing that is nested', () => {
    const defaultPayload = { cs: 'client-secret', session_id: 7, flag: true, aps: { 'mutable-content': 1 } }
    expect(dataOf({ ...minimal, defaultPayload })).toEqual({
      cs: 'client-secret',
      session_id: '7',
      flag: 'true',
      sync: '1',
    })
  })

  it('carry exact counts where the app is allowed them, 0 included', () => {
    const push = { ...minimal, counts: { unread: 0, missedCalls: 2 } }
    expect(dataOf(push)).toEqual({ sync: '1', unread: '0', missed_calls: '2' })
  })

  it("let the apps' own test of the chain through", () => {
    expect(dataOf({ ...minimal, ids: TEST_PUSH })).toEqual({
      sync: '1',
      event_id: '$THIS_IS_A_FAKE_EVENT_ID',
      room_id: '!room:domain',
    })
  })
})

describe('badge updates', () => {
  const badge: Push = { ...event, kind: 'counts', eventId: undefined, roomId: undefined, counts: { unread: 0 } }

  it('are dropped unless the app wants them', () => {
    expect(render(badge)).toEqual({ kind: 'nothing', reason: 'badge pushes are off' })
  })

  it('tell 0 too, for it clears the badge', () => {
    const push = { ...badge, counts: { unread: 0, missedCalls: 0 }, defaultPayload: { cs: 'x' } }
    expect(dataOf(push, { badge_pushes: 'send' })).toEqual({ cs: 'x', prio: 'high', unread: '0', missed_calls: '0' })
  })

  it('are nothing without a count', () => {
    expect(render({ ...badge, counts: {} }, { badge_pushes: 'send' })).toEqual({ kind: 'nothing', reason: 'no counts' })
  })

  it.each([
    ['a badge', { badge: 0 }, { sync: '1' }],
    ['exact counts', { badge: 3, counts: { unread: 3 } }, { sync: '1', unread: '3' }],
  ])('in minimal mode with %s are a wake-up', (_what, fields, data) => {
    expect(dataOf({ ...minimal, kind: 'counts', ...fields }, { badge_pushes: 'send' })).toEqual(data)
    expect(render({ ...minimal, kind: 'counts', ...fields }).kind).toBe('nothing')
  })

  it('in minimal mode are nothing without a count', () => {
    expect(render({ ...minimal, kind: 'counts' }, { badge_pushes: 'send' }).kind).toBe('nothing')
  })
})

describe('the data of an FCM message', () => {
  const content = { body: 'b'.repeat(2000), formatted_body: 'f'.repeat(2000), ciphertext: 'c'.repeat(2000) }
  const crowded: FullPush = {
    ...event,
    detail: 'full',
    type: 'm.room.message',
    sender: '@alice:example.org',
    roomName: 'n'.repeat(500),
    roomAlias: '#alias:example.org',
    content: { ...content, 'org.example.extra': 'x'.repeat(2000) },
    counts: { unread: 2 },
    defaultPayload: { cs: 'client-secret', junk: 'j'.repeat(900) },
  }

  it('gives up markup and ciphertext first, and keeps what a notification is made of', () => {
    const result = render(crowded)
    expect(result).toMatchObject({ kind: 'message', truncated: true })
    const data = dataOf(crowded)
    expect(data).not.toHaveProperty('content_formatted_body')
    expect(data).toMatchObject({
      cs: 'client-secret',
      junk: 'j'.repeat(900),
      event_id: '$event',
      room_id: '!room:example.org',
      room_name: 'n'.repeat(500),
      content_body: `${'b'.repeat(1021)}…`,
    })
    expect(bytesOf(data)).toBeGreaterThan(MAX_BYTES - 100)
  })

  it('keeps the IDs when everything else has to go', () => {
    const defaultPayload = Object.fromEntries(
      Array.from({ length: 100 }, (_, index) => [`key${index}`, 'v'.repeat(100)]),
    )
    const data = dataOf({ ...crowded, defaultPayload, eventId: 'e'.repeat(1024), roomId: 'r'.repeat(1024) })
    expect(data).toMatchObject({ event_id: 'e'.repeat(1024), room_id: 'r'.repeat(1024), prio: 'high', unread: '2' })
    expect(data).not.toHaveProperty('content_body')
  })

  it('leaves room for a visible notification in the options', () => {
    const title = 't'.repeat(1000)
    expect(bytesOf(dataOf(crowded, { options: { notification: { title } } }))).toBeLessThan(MAX_BYTES - 1000)
  })

  it.each([
    'from',
    'message_type',
    'notification',
    'collapse_key',
    'gcm.x',
    'google.x',
    'googlex',
    'google\\nx',
    '__proto__',
    'constructor',
  ])('does not take the key %s from the pusher', (key) => {
    const defaultPayload = JSON.parse(`{"${key}": "x", "kept": "y"}`)
    expect(dataOf({ ...event, defaultPayload })).toEqual({
      kept: 'y',
      event_id: '$event',
      room_id: '!room:example.org',
      prio: 'high',
    })
  })

  it('replaces half a character, which has no UTF-8', () => {
    expect(dataOf({ ...crowded, content: { body: 'a\uD83C' } })).toMatchObject({ content_body: 'a\uFFFD' })
  })

  it('of a call has the time for which it is one, where Google may know that it is one', () => {
    const lifetime = { lifetimeMs: 20_900 }
    const ttlOf = (push: Push, options: Partial<FcmOptions> = {}) => {
      const made = renderer({ service_account_file: '-', ...options })(push, lifetime)
      if (made.kind !== 'message') throw new Error(made.reason)
      return JSON.parse(made.message.body).android.ttl
    }
    const call: Push = { ...event, detail: 'full', type: 'm.rtc.notification' }
    expect(ttlOf(call)).toBe('20s')
    expect(ttlOf(call, { payload_style: 'hedwig' })).toBe('20s')
    expect(ttlOf(call, { options: { android: { ttl: '5s' } } })).toBe('5s')
    expect(ttlOf({ ...event, detail: 'full', type: 'm.room.message' })).toBeUndefined()
    expect(ttlOf(event)).toBeUndefined()
  })

  it('does not set a collapse key or a lifetime of its own', () => {
    expect(messageOf(event)).toMatchObject({ android: { priority: 'high' } })
    expect(messageOf(event, { options: { android: { ttl: '60s' } } })).toMatchObject({ android: { ttl: '60s' } })
  })
})

describe('notifications that the homeserver sealed (MSC3013)', () => {
  const encrypted = { ephemeral: 'e'.repeat(43), ciphertext: 'c'.repeat(3000), mac: 'm'.repeat(11) }

  it('pass untouched, with nothing readable beside them', () => {
    const push: Push = { ...event, detail: 'full', sender: '@alice:example.org', counts: { unread: 2 }, encrypted }
    expect(dataOf({ ...push, defaultPayload: { cs: 'x' } })).toEqual({ cs: 'x', ...encrypted })
    expect(dataOf({ ...minimal, encrypted })).toEqual(encrypted)
  })

  it('become a bare wake-up when they are too large, never a cut one', () => {
    const push: Push = { ...event, encrypted: { ...encrypted, ciphertext: 'c'.repeat(4100) } }
    expect(dataOf(push)).toEqual({ sync: '1' })
    expect(render(push)).toMatchObject({ truncated: true })
  })
})

describe('any push at all', () => {
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), fc.string({ minLength: 900, maxLength: 3000 }))
  const anything = fc.jsonValue({ maxDepth: 3 })
  const payload = fc.dictionary(text, fc.oneof(text, anything), { maxKeys: 12 })
  const counts = fc.record({ unread: fc.double(), missedCalls: fc.double() }, { requiredKeys: [] })
  const base = {
    kind: fc.constantFrom('event' as const, 'counts' as const),
    prio: fc.constantFrom('high' as const, 'low' as const),
    defaultPayload: payload,
    encrypted: fc.option(fc.record({ ephemeral: text, ciphertext: text, mac: text }), { nil: undefined }),
    counts: fc.option(counts, { nil: undefined }),
  }
  const optional = fc.option(text, { nil: undefined })
  const full = fc.record({
    ...base,
    detail: fc.constant('full' as const),
    eventId: optional,
    roomId: optional,
    type: optional,
    sender: optional,
    senderDisplayName: optional,
    roomName: optional,
    roomAlias: optional,
    membership: optional,
    content: fc.option(payload, { nil: undefined }),
  })
  const least = fc.record({
    ...base,
    detail: fc.constant('minimal' as const),
    ids: fc.constantFrom(undefined, TEST_PUSH, new PlaceholderIds(randomBytes)),
    badge: fc.option(fc.nat(), { nil: undefined }),
  })

  it('becomes strings of valid UTF-8 within 4096 bytes, or nothing', () => {
    fc.assert(
      fc.property(fc.oneof(full, least), (push) => {
        const result = render(push, { badge_pushes: 'send' })
        if (result.kind === 'nothing') return
        const message: { data: Record<string, unknown> } = JSON.parse(result.message.body)
        for (const [key, value] of Object.entries(message.data)) {
          expect(key.isWellFormed()).toBe(true)
          expect(typeof value === 'string' && value.isWellFormed()).toBe(true)
        }
        expect(bytesOf(dataIn(message))).toBeLessThanOrEqual(MAX_BYTES)
      }),
      { numRuns: 300 },
    )
  })

  it('takes linear time for the largest content', () => {
    const big = (bytes: number): FullPush => ({
      ...event,
      detail: 'full',
      content: {
        body: '👨‍👩‍👧‍👦'.repeat(bytes / 50),
        formatted_body: 'e\u0301'.repeat(bytes / 6),
        ...Object.fromEntries(Array.from({ length: bytes / 50 }, (_, index) => [`key${index}`, 'v'])),
      },
    })
    const time = (push: Push): number => {
      const start = performance.now()
      render(push)
      return performance.now() - start
    }
    time(big(64 * 1024))
    expect(time(big(512 * 1024))).toBeLessThan(500)
  })
})
