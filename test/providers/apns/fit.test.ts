import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts'
import type { FullPush, Push } from '../../../src/core/push.ts'
import { renderer } from '../../../src/providers/apns/payload.ts'

const identity = {
  id: '11111111-2222-4333-8444-555555555555',
  collapseId: 'c',
  expiresAtMs: 1_800_000_000_000,
  lifetimeMs: 86_400_000,
}
const MAX_BYTES = 4096
const MAX_BYTES_VOIP = 5120

function bodyOf(push: Push, pushType: 'alert' | 'voip' = 'alert'): string {
  const rendered = renderer({ topic: 't', push_type: pushType })(push, identity)
  return rendered.kind === 'message' ? rendered.message.body : '{}'
}

function message(body: string, more: Partial<FullPush> = {}): FullPush {
  const content = { msgtype: 'm.text', body }
  const ids = { eventId: '$event', roomId: '!room' }
  const names = { senderDisplayName: 'Major Tom', roomName: 'Mission Control' }
  const pusher = { eventsOnly: false, onlyLastPerRoom: false }
  const base = {
    pusher,
    detail: 'full',
    kind: 'event',
    prio: 'high',
    defaultPayload: {},
    type: 'm.room.message',
  } as const
  return { ...base, ...ids, ...names, content, counts: { unread: 1 }, ...more }
}

function argsOf(body: string): readonly unknown[] {
  const { aps } = JSON.parse(body)
  return aps.alert['loc-args']
}

describe('fitting a payload into the limit of APNs', () => {
  it('never exceeds it, whatever is sent, and always leaves JSON', () => {
    const text = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc
        .tuple(fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }), fc.nat(9000))
        .map(([one, n]) => one.repeat(n)),
      // Lone surrogates too: JSON from outside may hold them.
      fc
        .array(fc.integer({ min: 0xd7f0, max: 0xe010 }), { maxLength: 1500 })
        .map((units) => String.fromCharCode(...units)),
    )
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        text,
        fc.constant(null),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.array(tie('any'), { maxLength: 5 }),
        fc.dictionary(fc.oneof(fc.constantFrom('body', 'title', 'loc-key', 'loc-args'), text), tie('any'), {
          maxKeys: 5,
        }),
      ),
    })).any
    const alert = fc.oneof(value, fc.record({ 'loc-key': text, 'loc-args': fc.array(text), body: text, title: text }))
    const aps = fc.oneof(value, fc.record({ alert, sound: value, badge: fc.nat() }, { requiredKeys: [] }))
    const defaultPayload = fc.oneof(
      fc.record({ aps, room_id: value, cs: text, unread_count: value }, { requiredKeys: [] }),
      fc.dictionary(text, value, { maxKeys: 20 }),
    )
    const push = fc.record({
      detail: fc.constantFrom('full' as const, 'event_id_only' as const),
      body: text,
      eventId: fc.option(text, { nil: undefined }),
      roomId: fc.option(text, { nil: undefined }),
      senderDisplayName: text,
      roomName: text,
      defaultPayload: defaultPayload.filter(isJsonObject),
      isSealed: fc.boolean(),
      voip: fc.boolean(),
    })
    fc.assert(
      fc.property(push, ({ body, detail, isSealed, voip, ...more }) => {
        const encrypted = isSealed ? { ephemeral: 'e', ciphertext: body, mac: 'm' } : undefined
        const all = message(body, { ...more, encrypted })
        const sent = bodyOf(detail === 'full' ? all : { ...all, detail }, voip ? 'voip' : 'alert')
        expect(Buffer.byteLength(sent)).toBeLessThanOrEqual(voip ? MAX_BYTES_VOIP : MAX_BYTES)
        expect(isJsonObject(JSON.parse(sent))).toBe(true)
        expect(Buffer.from(sent).toString()).toBe(sent)
      }),
      { numRuns: 100 },
    )
  }, 60_000)

  it('uses the limit to the last bytes', () => {
    expect(Buffer.byteLength(bodyOf(message('x'.repeat(10_000))))).toBe(MAX_BYTES)
    expect(Buffer.byteLength(bodyOf(message('x'.repeat(10_000)), 'voip'))).toBe(MAX_BYTES_VOIP)
    // Each of these takes several bytes, and is not cut in two.
    for (const unit of ['ä', 'ば', '🎉', '"', '\u0001'])
      expect(Buffer.byteLength(bodyOf(message(unit.repeat(9000))))).toBeGreaterThan(MAX_BYTES - 12)
  })

  it('leaves what fits as it is', () => {
    const room = bodyOf(message('')).length
    const exact = message('x'.repeat(MAX_BYTES - room - ',""_WITH_CONTENT'.length))
    expect(bodyOf(exact)).toHaveLength(MAX_BYTES)
    expect(bodyOf(exact)).not.toContain('…')
  })

  it('shortens the message first, with an ellipsis, and leaves the names', () => {
    const args = argsOf(bodyOf(message('x'.repeat(10_000))))
    expect(args).toEqual(['Major Tom', 'Mission Control', expect.stringMatching(/^x{3000,}…$/)])
  })

  it('shortens the caption of a picture, which is not last', () => {
    const content = { msgtype: 'm.image', body: 'x'.repeat(10_000) }
    const args = argsOf(bodyOf(message('', { content })))
    expect(args).toEqual(['Major Tom', expect.stringMatching(/^x{3000,}…$/), 'Mission Control'])
  })

  it('never splits what people see as one character', () => {
    const family = '👩‍👩‍👧‍👦'
    const [, , body] = argsOf(bodyOf(message(family.repeat(1000))))
    expect(String(body).replaceAll(family, '')).toBe('…')
  })

  it('shortens names when the message alone does not do', () => {
    const args = argsOf(bodyOf(message('hi', { senderDisplayName: '名'.repeat(1000), roomName: '名'.repeat(1000) })))
    expect(args).toEqual(['名'.repeat(1000), expect.stringMatching(/^名+…$/), ''])
  })

  it('then drops what default_payload brought, and keeps the IDs', () => {
    const defaultPayload = { junk: 'x'.repeat(5000), aps: { category: 'y', 'mutable-content': 1 } }
    expect(JSON.parse(bodyOf(message('hi', { defaultPayload })))).toEqual({
      aps: {
        category: 'y',
        'mutable-content': 1,
        alert: expect.objectContaining({ 'loc-key': 'MSG_FROM_USER_IN_ROOM_WITH_CONTENT' }),
        badge: 1,
      },
      room_id: '!room',
      event_id: '$event',
    })
  })

  it('drops IDs that are beyond reason, as the last thing', () => {
    const payload = JSON.parse(bodyOf(message('hi', { eventId: '$'.repeat(100_000) })))
    expect(payload).toMatchObject({ aps: { badge: 1 }, room_id: '!room' })
    expect(payload).not.toHaveProperty('event_id')
  })

  it('comes down to a bare wake-up when even the loc-key is too large', () => {
    const defaultPayload = { aps: { alert: { 'loc-key': 'K'.repeat(5000) } } }
    const push: Push = { ...message('', { defaultPayload }), detail: 'event_id_only' }
    expect(JSON.parse(bodyOf(push))).toMatchObject({ aps: { alert: { 'loc-key': 'Notification' } } })
  })

  it('takes no longer than the text is long', () => {
    const many: JsonObject = Object.fromEntries(Array.from({ length: 40_000 }, (_, index) => [`key${index}`, index]))
    const pushes = [
      message('x'.repeat(512 * 1024)),
      message('\u0301'.repeat(256 * 1024)),
      message('hi', { defaultPayload: many }),
      message('hi', {
        type: undefined,
        defaultPayload: { aps: { alert: { 'loc-args': Array.from({ length: 100_000 }, () => 'a') } } },
      }),
    ]
    for (const push of pushes) bodyOf(push)
    const startedMs = performance.now()
    for (const push of pushes) expect(Buffer.byteLength(bodyOf(push))).toBeLessThanOrEqual(MAX_BYTES)
    // About 100 ms on a busy machine; anything quadratic takes minutes.
    expect(performance.now() - startedMs).toBeLessThan(3000)
  })
})
