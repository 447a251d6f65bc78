import { describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { parseNotification } from '../../src/core/notification.ts'
import { applyPrivacy, sealFor, type PrivacyPolicy } from '../../src/core/privacy-policy.ts'
import { deviceKeyOf, plaintextOf, type EncryptForDevice } from '../../src/core/device-key.ts'

/** Of RFC 8291 §5. */
const KEY = {
  v: 1,
  kid: 'AAAAAAAAAAAAAAAAAAAAAA',
  p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
  auth: 'BTBZMqHH6r4Tts7J_aSIgg',
} as const
const NOW_MS = 1_790_000_000_000
/** Shows what it was given to seal. */
const seal: EncryptForDevice = ({ kid }, plaintext) => ({ kid, record: Buffer.from(plaintext).toString().trim() })
const POLICY: PrivacyPolicy = { privacy: 'full', counts: 'exact', defaultPayloadAllow: [], sealed: 'optional' }
const EVENT = {
  event_id: '$event',
  room_id: '!room',
  type: 'm.room.message',
  sender: '@alice:example.org',
  content: { body: 'secret' },
  counts: { unread: 3, missed_calls: 1 },
}

function pushOf(fields: object, data: unknown, policy: Partial<PrivacyPolicy> = {}) {
  const devices = [{ app_id: 'a', pushkey: 'p', data }]
  const notification = parseNotification(Buffer.from(JSON.stringify({ notification: { ...fields, devices } })))
  if ('errcode' in notification) throw new Error(notification.error)
  const [device] = notification.devices
  if (device === undefined) throw new Error('no device')
  const whole = { ...POLICY, ...policy }
  const sealing = sealFor(notification, device, whole, seal, NOW_MS)
  return { key: sealing?.key, push: applyPrivacy(notification, device, whole, sealing?.block) }
}

function opened(fields: Parameters<typeof plaintextOf>[0], unread?: number): JsonObject {
  const plaintext = plaintextOf(fields, unread, NOW_MS)
  expect(plaintext).toHaveLength(1024)
  const json: unknown = JSON.parse(plaintext.toString())
  if (!isJsonObject(json)) throw new Error('no object')
  return json
}

describe('hushgate_key', () => {
  it('is taken when it has a version, a key ID, a point and a secret', () => {
    const { v: _, ...key } = KEY
    expect(deviceKeyOf({ hushgate_key: KEY })).toEqual(key)
    expect(deviceKeyOf({ hushgate_key: { ...KEY, more: 1 } })).toEqual(key)
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['a string', 'key'],
    ['a list', [KEY]],
    ['an empty object', {}],
    ['another version', { ...KEY, v: 2 }],
    ['a version as text', { ...KEY, v: '1' }],
    ['a key ID of 21 characters', { ...KEY, kid: 'A'.repeat(21) }],
    ['a key ID of 23 characters', { ...KEY, kid: 'A'.repeat(23) }],
    ['a key ID that needs escapes', { ...KEY, kid: '"'.repeat(22) }],
    ['a compressed point', { ...KEY, p256dh: Buffer.alloc(33, 2).toString('base64url') }],
    ['a point of 64 bytes', { ...KEY, p256dh: Buffer.alloc(64, 4).toString('base64url') }],
    ['a point with padding', { ...KEY, p256dh: `${KEY.p256dh}=` }],
    ['a point with another first byte', { ...KEY, p256dh: Buffer.alloc(65, 5).toString('base64url') }],
    ['a secret of 15 bytes', { ...KEY, auth: Buffer.alloc(15).toString('base64url') }],
    ['a secret of 17 bytes', { ...KEY, auth: Buffer.alloc(17).toString('base64url') }],
    ['no secret', { ...KEY, auth: undefined }],
  ])('that is %s is invalid: minimal, without the block', (_, value) => {
    const { key, push } = pushOf(EVENT, { hushgate_key: value })
    expect(key).toBe('invalid')
    expect(push).toMatchObject({ detail: 'minimal', badge: 4 })
    expect(push).not.toHaveProperty('sealed')
    expect(JSON.stringify(push)).not.toMatch(/\$event|!room|secret|alice/)
  })

  it('that cannot be sealed to is invalid, too', () => {
    const notification = parseNotification(
      Buffer.from(
        JSON.stringify({
          notification: { ...EVENT, devices: [{ app_id: 'a', pushkey: 'p', data: { hushgate_key: KEY } }] },
        }),
      ),
    )
    const device = 'devices' in notification ? notification.devices[0] : undefined
    if (!('devices' in notification) || device === undefined) throw new Error('no device')
    expect(sealFor(notification, device, POLICY, () => undefined, NOW_MS)).toEqual({ key: 'invalid' })
  })

  it('is not forgotten where it is nested beyond all reason, and is as it is where something beside it is', () => {
    const deep: unknown = JSON.parse('{"x":'.repeat(150) + '1' + '}'.repeat(150))
    expect(pushOf(EVENT, { hushgate_key: deep })).toMatchObject({ key: 'invalid', push: { detail: 'minimal' } })
    expect(pushOf(EVENT, { hushgate_key: KEY, deep })).toMatchObject({ key: 'valid' })
  })
})

describe('what is sealed', () => {
  it('is the event, its room, the unread count, the priority and the time', () => {
    expect(opened({ eventId: '$event', roomId: '!room', prio: 'low' }, 0)).toEqual({
      v: 1,
      event_id: '$event',
      room_id: '!room',
      unread: 0,
      prio: 'low',
      ts: NOW_MS,
    })
  })

  it('is without what the homeserver did not send', () => {
    expect(opened({ prio: 'high' })).toEqual({ v: 1, prio: 'high', ts: NOW_MS })
  })

  const longest = `$${'x'.repeat(254)}`
  const escaped = `!${'\u0001'.repeat(200)}`
  it.each([
    ['two IDs of the longest kind', longest, longest, ['event_id', 'room_id']],
    ['an event ID longer than any', `${longest}x`, '!room', ['room_id']],
    ['a room ID longer than any', '$event', `${longest}x`, ['event_id']],
    ['a room ID of many escapes beside an event ID', longest, `!${'"'.repeat(250)}`, ['event_id', 'room_id']],
    ['an event ID of too many escapes', escaped, '!room', ['room_id']],
    ['a room ID of too many escapes', '$event', escaped, []],
  ])('of %s keeps what fits', (_, eventId, roomId, kept) => {
    const json = opened({ eventId, roomId, prio: 'high' }, Number.MAX_SAFE_INTEGER)
    expect(Object.keys(json)).toEqual(['v', ...kept, 'unread', 'prio', 'ts'])
  })
})

describe('a device with a key', () => {
  it.each(['minimal', 'event_id_only', 'full'] as const)(
    'gets a minimal push with the block and no counts in clear, with privacy: %s',
    (privacy) => {
      const { key, push } = pushOf(EVENT, { hushgate_key: KEY, default_payload: { cs: 'c', x: 'y' } }, { privacy })
      expect(key).toBe('valid')
      expect(push).toEqual({
        detail: 'minimal',
        kind: 'event',
        prio: 'high',
        encrypted: undefined,
        pusher: expect.anything(),
        defaultPayload: { cs: 'c' },
        sealed: { kid: KEY.kid, record: expect.stringContaining('"event_id":"$event","room_id":"!room","unread":3') },
      })
    },
  )

  it("has the apps' test push sealed, too", () => {
    const { push } = pushOf({ event_id: '$THIS_IS_A_FAKE_EVENT_ID', room_id: '!room:domain' }, { hushgate_key: KEY })
    expect(push).toMatchObject({
      sealed: { record: expect.stringContaining('"event_id":"$THIS_IS_A_FAKE_EVENT_ID","room_id":"!room:domain"') },
    })
  })

  it.each([
    ['the app passes on none', {}, { counts: 'none' } as const],
    ['the device wants none (MSC4076)', { disable_badge_count: true }, {}],
  ])('is told no count where %s', (_, data, policy) => {
    const { push } = pushOf(EVENT, { ...data, hushgate_key: KEY }, policy)
    expect(push).toMatchObject({ sealed: { record: expect.not.stringContaining('unread') } })
  })

  it('gets a badge update as the badge alone', () => {
    const { key, push } = pushOf({ counts: { unread: 2 } }, { hushgate_key: KEY }, { counts: 'badge' })
    expect(key).toBeUndefined()
    expect(push).toMatchObject({ detail: 'minimal', kind: 'counts', badge: 2, counts: undefined })
    expect(push).not.toHaveProperty('sealed')
  })

  it('gets untouched what the homeserver sealed (MSC3013)', () => {
    const encrypted = { ephemeral: 'e', ciphertext: 'c', mac: 'm' }
    const { key, push } = pushOf({ ...EVENT, ...encrypted }, { hushgate_key: KEY })
    expect(key).toBeUndefined()
    expect(push).toMatchObject({ detail: 'minimal', encrypted })
  })
})

describe('a device without a key', () => {
  it('gets what its app passes on', () => {
    expect(pushOf(EVENT, {})).toMatchObject({ key: 'missing', push: { detail: 'full', eventId: '$event' } })
  })

  it('gets no more than minimal where the app requires one', () => {
    const { key, push } = pushOf(EVENT, {}, { sealed: 'required' })
    expect(key).toBe('missing')
    expect(push).toMatchObject({ detail: 'minimal' })
    expect(JSON.stringify(push)).not.toMatch(/\$event|!room|secret|alice/)
  })
})

it('a push service that cannot read its messages anyway (Web Push) takes no notice of the key', () => {
  expect(pushOf(EVENT, { hushgate_key: KEY }, { sealed: 'ignored' })).toMatchObject({
    key: undefined,
    push: { detail: 'full', eventId: '$event' },
  })
})
