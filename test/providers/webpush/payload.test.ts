import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { performance } from 'node:perf_hooks'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts'
import type { PushIdentity, Rendered } from '../../../src/core/message.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import { applyPrivacy } from '../../../src/core/privacy-policy.ts'
import { PlaceholderIds } from '../../../src/core/placeholder-ids.ts'
import { TEST_PUSH, type EventIdOnlyPush, type FullPush, type MinimalPush, type Push } from '../../../src/core/push.ts'
import { PAYLOAD_LENGTHS } from '../../../src/providers/shared/endpoints/fit.ts'
import type { WebPushOptions } from '../../../src/providers/webpush/options.ts'
import { renderer } from '../../../src/providers/webpush/payload.ts'

const MAX_BYTES = 3993

interface GoldenCase {
  readonly name: string
  readonly what: string
  readonly body: { readonly notification: { readonly devices: readonly { readonly app_id: string }[] } }
  readonly rejected: readonly string[] | null
  /** What the push service answered to Sygnal; null where Sygnal sent nothing, or got no answer. */
  readonly answer: number | null
  readonly headers: Readonly<Record<string, string>> | null
  readonly payload: JsonObject | null
}

/** Sygnal 0.17, recorded (docs/facts/peers.md#recorded-cases). */
const golden: readonly GoldenCase[] = JSON.parse(
  readFileSync(new URL('../../fixtures/sygnal-webpush.json', import.meta.url), 'utf8'),
)
const identity: PushIdentity = { id: '-', collapseId: 'collapse-id', expiresAtMs: 0, lifetimeMs: 86_400_000 }
const TTL_OF_APP: Readonly<Record<string, number>> = { 'com.example.web': 900, 'com.example.web.any': 60 }

/** Where we differ on purpose. */
const DIFFERENT = new Set([
  'web-nothing', // says nothing: dropped and counted; Sygnal sends {}
  'web-event-id-number', // an event_id that is no string counts as absent
  'web-type-number', // … and so does a type
  // Over 4096 bytes Sygnal is answered 413, and the push is lost. (Targets that Sygnal cannot use are target.test.ts's.)
  'web-body-emoji-zwj',
  'web-long-event-id',
  'web-long-names',
  'web-too-big',
])

function goldenCase(name: string): GoldenCase {
  const found = golden.find((one) => one.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

/** The whole way from the request body to the message; undefined where there is none. */
function rendered(one: GoldenCase): Rendered | undefined {
  const notification = parseNotification(Buffer.from(JSON.stringify(one.body)))
  if (!('devices' in notification)) throw new Error(one.name)
  const [device] = notification.devices
  if (device === undefined) throw new Error(one.name)
  const push = applyPrivacy(notification, device, {
    privacy: 'full',
    counts: 'exact',
    defaultPayloadAllow: [],
    sealed: 'optional',
  })
  const ttl = TTL_OF_APP[device.appId] ?? 0
  return push === undefined ? undefined : render(push, { ttl })
}

function render(push: Push, options: Partial<WebPushOptions> = {}, more: Partial<PushIdentity> = {}): Rendered {
  const section = { vapid_private_key_file: '-', vapid_subject: 'mailto:ops@example.org', ...options }
  return renderer(section)(push, { ...identity, ...more })
}

function messageIn(result: Rendered | undefined) {
  if (result?.kind !== 'message') throw new Error('no message')
  return result.message
}

function payloadIn(result: Rendered | undefined): JsonObject {
  const payload: unknown = JSON.parse(messageIn(result).body)
  if (!isJsonObject(payload)) throw new Error('no object')
  return payload
}

describe('Web Push payloads, compared with Sygnal 0.17', () => {
  const sent = golden.filter(({ name, payload }) => payload !== null && !DIFFERENT.has(name))
  it.each(sent.map((one) => [one.what, one] as const))('%s: the same, in the same order', (_what, one) => {
    const result = rendered(one)
    expect(payloadIn(result)).toEqual(one.payload)
    expect(Object.keys(payloadIn(result))).toEqual(Object.keys(one.payload ?? {}))
    const { ttl, urgency } = messageIn(result).headers
    expect({ ttl, urgency }).toEqual({ ttl: one.headers?.['ttl'], urgency: one.headers?.['urgency'] })
  })

  it('a badge update where the app wants events only: nothing', () => {
    expect(rendered(goldenCase('web-events-only-counts'))).toEqual({
      kind: 'nothing',
      reason: 'the app wants events only',
    })
  })

  it('neither an event nor counts: nothing, where Sygnal sends {}', () => {
    expect(rendered(goldenCase('web-nothing'))).toBeUndefined()
  })

  it.each([
    ['web-event-id-number', 'event_id'],
    ['web-type-number', 'type'],
  ])('%s: %s counts as absent', (name, key) => {
    const theirs = Object.entries(goldenCase(name).payload ?? {}).filter(([each]) => each !== key)
    expect(payloadIn(rendered(goldenCase(name)))).toEqual(Object.fromEntries(theirs))
  })

  it.each(['web-body-emoji-zwj', 'web-long-names', 'web-too-big', 'web-long-event-id'])(
    '%s: delivered within 4096 bytes, where Sygnal gets 413',
    (name) => {
      const one = goldenCase(name)
      expect(one.answer).toBe(413)
      const result = rendered(one)
      expect(result).toMatchObject({ truncated: true })
      expect(Buffer.byteLength(messageIn(result).body)).toBeLessThanOrEqual(MAX_BYTES)
      expect(payloadIn(result)).toMatchObject({ room_id: '!slw48wfj34rtnrf:example.org', unread: 2 })
    },
  )

  it('a long body of families and flags: cut between two of them', () => {
    const content = payloadIn(rendered(goldenCase('web-body-emoji-zwj')))['content']
    const text = isJsonObject(content) ? content['body'] : ''
    const body = typeof text === 'string' ? text : ''
    expect(body.endsWith('…')).toBe(true)
    const graphemes = [...new Intl.Segmenter().segment(body.slice(0, -1))].map(({ segment }) => segment)
    expect(new Set(graphemes)).toEqual(new Set(['a', '👨‍👩‍👧‍👦', '🏳️‍🌈', '🇸🇪']))
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

describe('the headers of a Web Push', () => {
  it.each([
    ['high', 'normal'], // RFC 8030 §5.3: "chat or calendar message"
    ['low', 'low'],
  ] as const)('prio %s is urgency %s', (prio, urgency) => {
    expect(messageIn(render({ ...event, prio })).headers).toMatchObject({ urgency })
  })

  it('keep it for a day, or as the app says', () => {
    expect(messageIn(render(event)).headers).toMatchObject({ ttl: '86400' })
    expect(messageIn(render(event, { ttl: 0 })).headers).toMatchObject({ ttl: '0' })
  })

  it('have a topic by which a badge update takes the place of the one before, and events none: each is to come', () => {
    expect(messageIn(render({ ...event, kind: 'counts', counts: { unread: 1 } })).headers).toMatchObject({
      topic: 'collapse-id',
    })
    expect(messageIn(render(event)).headers).not.toHaveProperty('topic')
  })

  it('let the push service keep a call no longer than it rings', () => {
    expect(messageIn(render(event, {}, { lifetimeMs: 59_500 })).headers).toMatchObject({ ttl: '60' })
  })

  it('have the topic of the room where only its last push matters', () => {
    const more = { roomCollapseId: 'room-id' }
    expect(messageIn(render(event, {}, more)).headers).toMatchObject({ topic: 'room-id' })
  })
})

describe('minimal Web Push payloads', () => {
  it('are a wake-up and nothing else, however much there is', () => {
    expect(payloadIn(render(minimal))).toEqual({ sync: '1' })
    expect(messageIn(render({ ...minimal, badge: 12345 })).body).toBe(messageIn(render(minimal)).body)
    expect(messageIn(render({ ...minimal, kind: 'counts', badge: 0 })).body).toBe(messageIn(render(minimal)).body)
  })

  it('are all of the same length', () => {
    const pushes: MinimalPush[] = [
      minimal,
      { ...minimal, ids: TEST_PUSH },
      { ...minimal, counts: { unread: 7, missedCalls: 123 } },
      { ...minimal, defaultPayload: { session_id: 's'.repeat(128), cs: 'c'.repeat(128) } },
    ]
    expect(new Set(pushes.map((push) => Buffer.byteLength(messageIn(render(push)).body)))).toEqual(new Set([1024]))
  })

  it('carry what the policy allowed of the default payload, and exact counts, 0 included', () => {
    const push = { ...minimal, defaultPayload: { session_id: 'abc' }, counts: { unread: 0 } }
    expect(payloadIn(render(push))).toEqual({ session_id: 'abc', sync: '1', unread: 0 })
  })

  it("let the apps' own test of the chain through", () => {
    expect(payloadIn(render({ ...minimal, ids: TEST_PUSH }))).toEqual({
      sync: '1',
      room_id: '!room:domain',
      event_id: '$THIS_IS_A_FAKE_EVENT_ID',
    })
  })

  it('are not sent for counts where the app wants events only', () => {
    const pusher = { eventsOnly: true, onlyLastPerRoom: false }
    expect(render({ ...minimal, kind: 'counts', pusher }).kind).toBe('nothing')
    expect(render({ ...minimal, pusher }).kind).toBe('message')
  })
})

describe('event_id_only Web Push payloads', () => {
  it('have the length of a minimal one', () => {
    const result = render({ ...event, counts: { unread: 2 }, defaultPayload: { session_id: 'abc' } })
    expect(payloadIn(result)).toEqual({
      session_id: 'abc',
      room_id: '!room:example.org',
      event_id: '$event',
      unread: 2,
    })
    expect(Buffer.byteLength(messageIn(result).body)).toBe(1024)
  })
})

describe('where the app wants events only', () => {
  const pusher = { eventsOnly: true, onlyLastPerRoom: false }

  it('an event is sent', () => {
    expect(render({ ...event, pusher }).kind).toBe('message')
  })

  it.each([
    ['counts', { kind: 'counts', eventId: undefined }],
    ['what has a type and no event ID, as with Sygnal', { detail: 'full', type: 'm.room.message', eventId: undefined }],
  ] as const)('nothing is sent for %s', (_what, fields) => {
    expect(render({ ...event, pusher, ...fields }).kind).toBe('nothing')
  })
})

describe('a payload that is too large', () => {
  const crowded: FullPush = {
    ...event,
    detail: 'full',
    type: 'm.room.message',
    sender: '@alice:example.org',
    roomName: 'n'.repeat(500),
    roomAlias: '#alias:example.org',
    counts: { unread: 2 },
    content: {
      msgtype: 'm.text',
      body: 'b'.repeat(2000),
      'org.example.extra': ['x'.repeat(2000)],
      ciphertext: 'c'.repeat(1900),
    },
    defaultPayload: { session_id: 'abc', junk: 'j'.repeat(900) },
  }

  it('gives up ciphertext first, and keeps what a notification is made of', () => {
    const { content: _content, ...push } = crowded
    const content = { ...crowded.content, 'org.example.extra': 'x'.repeat(600) }
    expect(payloadIn(render({ ...push, content }))).toMatchObject({
      session_id: 'abc',
      junk: 'j'.repeat(900),
      event_id: '$event',
      room_name: 'n'.repeat(500),
      content: { msgtype: 'm.text', body: `${'b'.repeat(999)}…`, 'org.example.extra': 'x'.repeat(600) },
    })
    expect(payloadIn(render({ ...push, content }))['content']).not.toHaveProperty('ciphertext')
  })

  it('gives up what is left of the content, then large values of the default payload', () => {
    const result = payloadIn(render({ ...crowded, defaultPayload: { session_id: 'abc', junk: 'j'.repeat(3000) } }))
    expect(result).toMatchObject({ session_id: 'abc', content: { body: `${'b'.repeat(999)}…` } })
    expect(result).not.toHaveProperty('junk')
    expect(result['content']).not.toHaveProperty('org.example.extra')
  })

  it('shortens names before it drops IDs, and drops those whole', () => {
    const push = {
      ...crowded,
      eventId: `$${'e'.repeat(1500)}`,
      roomId: `!${'r'.repeat(1500)}`,
      roomName: 'n'.repeat(3000),
    }
    const result = payloadIn(render(push))
    expect(result).toMatchObject({ event_id: push.eventId, room_id: push.roomId, unread: 2 })
    expect(result['room_name']).toMatch(/…$/)
    expect(payloadIn(render({ ...push, eventId: '$'.repeat(4000) }))).not.toHaveProperty('event_id')
  })

  it('is left alone up to the last byte', () => {
    const whole = JSON.stringify({ room_id: '!room:example.org', event_id: '$event', room_name: '' })
    const roomName = 'n'.repeat(MAX_BYTES - whole.length)
    const push: FullPush = { ...event, detail: 'full', roomName }
    expect(render(push)).toMatchObject({ truncated: false })
    expect(payloadIn(render(push))).toMatchObject({ room_name: roomName })
    expect(render({ ...push, roomName: `${roomName}n` })).toMatchObject({ truncated: true })
  })
})

describe('notifications that the homeserver sealed (MSC3013)', () => {
  const encrypted = { ephemeral: 'e'.repeat(43), ciphertext: 'c'.repeat(3000), mac: 'm'.repeat(11) }

  it('pass untouched, with nothing readable beside them', () => {
    const push: Push = { ...event, detail: 'full', sender: '@alice:example.org', counts: { unread: 2 }, encrypted }
    expect(payloadIn(render({ ...push, defaultPayload: { session_id: 'x' } }))).toEqual({
      session_id: 'x',
      ...encrypted,
    })
    expect(payloadIn(render({ ...minimal, encrypted }))).toEqual(encrypted)
  })

  it('become a bare wake-up when they are too large, never a cut one', () => {
    const push: Push = { ...event, encrypted: { ...encrypted, ciphertext: 'c'.repeat(4000) } }
    expect(payloadIn(render(push))).toEqual({ sync: '1' })
    expect(render(push)).toMatchObject({ truncated: true })
  })
})

describe('any push at all', () => {
  const long = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((piece) => piece.repeat(100))
  const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 40 }), long)
  const anything = fc.jsonValue({ maxDepth: 3 })
  const payload = fc.dictionary(text, fc.oneof(text, anything), { maxKeys: 12 })
  const counts = fc.record({ unread: fc.nat(), missedCalls: fc.nat() }, { requiredKeys: [] })
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
    userIsTarget: fc.option(fc.boolean(), { nil: undefined }),
    content: fc.option(payload, { nil: undefined }),
  })
  const least = fc.record({
    ...base,
    detail: fc.constant('minimal' as const),
    ids: fc.constantFrom(undefined, TEST_PUSH, new PlaceholderIds(randomBytes)),
    badge: fc.option(fc.nat(), { nil: undefined }),
  })

  it('becomes JSON of one of a few lengths, within what a push service takes', () => {
    fc.assert(
      fc.property(fc.oneof(full, least), (push) => {
        const { body } = messageIn(render(push))
        expect(isJsonObject(JSON.parse(body))).toBe(true)
        expect(PAYLOAD_LENGTHS).toContain(Buffer.byteLength(body))
      }),
      { numRuns: 300 },
    )
  })

  it('keeps its IDs as long as they fit', () => {
    fc.assert(
      fc.property(full, (push) => {
        const ids = { eventId: '$event', roomId: '!room:example.org', encrypted: undefined }
        expect(payloadIn(render({ ...push, ...ids }))).toMatchObject({
          event_id: '$event',
          room_id: '!room:example.org',
        })
      }),
      { numRuns: 200 },
    )
  })

  it('is soon done with the largest content that a homeserver can send', () => {
    const bytes = 500_000
    const push: FullPush = {
      ...event,
      detail: 'full',
      content: { body: 'é'.repeat(bytes / 2), other: { deep: 'x'.repeat(bytes) } },
      defaultPayload: Object.fromEntries(
        Array.from({ length: bytes / 100 }, (_, index) => [`key${index}`, 'v'.repeat(80)]),
      ),
    }
    const elapsedMs = () => {
      const startedMs = performance.now()
      render(push)
      return performance.now() - startedMs
    }
    // About 20 on an idle machine; with quadratic time over half a million characters, minutes.
    expect(Math.min(...Array.from({ length: 5 }, elapsedMs))).toBeLessThan(500)
  })
})
