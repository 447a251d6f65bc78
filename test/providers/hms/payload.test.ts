/** Push → message of Push Kit, through the privacy policy, checked by the simulator's own rules where a device would get it (sender.test.ts). */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import { applyPrivacy, type PrivacyMode, type PrivacyPolicy } from '../../../src/core/privacy-policy.ts'
import { renderer as fcmRenderer } from '../../../src/providers/fcm/payload.ts'
import type { HmsOptions } from '../../../src/providers/hms/options.ts'
import { renderer } from '../../../src/providers/hms/payload.ts'

const OPTIONS: HmsOptions = { project_id: '1', client_id: '2', client_secret_file: '-', badge_pushes: 'send' }
const VISIBLE = { title: 'New message', body: 'Open the app', badge_class: 'com.example.Main' }
const EVENT = {
  event_id: '$event',
  room_id: '!room:example.org',
  type: 'm.room.message',
  sender: '@alice:example.org',
  content: { msgtype: 'm.text', body: 'hi "there"' },
  counts: { unread: 3, missed_calls: 1 },
  prio: 'high',
}
const MAX_BYTES = 4096

interface Asked {
  readonly privacy?: PrivacyMode
  readonly counts?: PrivacyPolicy['counts']
  readonly data?: object
  readonly options?: Partial<HmsOptions>
}

function pushOf(notification: object, { privacy = 'full', counts = 'badge', data = {} }: Asked = {}) {
  const devices = [{ app_id: 'a', pushkey: 'PUSHKEY', data }]
  const parsed = parseNotification(Buffer.from(JSON.stringify({ notification: { ...notification, devices } })))
  const device = 'devices' in parsed ? parsed.devices[0] : undefined
  if (!('devices' in parsed) || device === undefined) throw new Error('not a notification')
  const push = applyPrivacy(parsed, device, { privacy, counts, defaultPayloadAllow: [], sealed: 'optional' })
  if (push === undefined) throw new Error('nothing is left')
  return push
}

function rendered(notification: object, asked: Asked = {}) {
  return renderer({ ...OPTIONS, ...asked.options })(pushOf(notification, asked), { lifetimeMs: 20_500 })
}

function messageOf(notification: object, asked?: Asked): { readonly android: JsonObject; readonly data: JsonObject } {
  const result = rendered(notification, asked)
  if (result.kind !== 'message') throw new Error(result.reason)
  const { android, data } = JSON.parse(result.message.body)
  return { android, data: JSON.parse(data) }
}

describe('a message of Push Kit', () => {
  it.each(['minimal', 'event_id_only', 'full'] as const)('has the data that FCM has, as one text: %s', (privacy) => {
    const push = pushOf(EVENT, { privacy, data: { default_payload: { cs: 'x', other: { a: 1 } } } })
    const fcm = fcmRenderer({ service_account_file: '-' })(push)
    if (fcm.kind !== 'message') throw new Error(fcm.reason)
    const asked = { privacy, data: { default_payload: { cs: 'x', other: { a: 1 } } } }
    expect(messageOf(EVENT, asked).data).toEqual(JSON.parse(fcm.message.body).data)
  })

  it('is a data message of normal urgency, unless the options say more', () => {
    expect(messageOf(EVENT).android).toEqual({ urgency: 'NORMAL' })
    const options = { urgency: 'high', category: 'IM' } as const
    expect(messageOf(EVENT, { options }).android).toEqual({ urgency: 'HIGH', category: 'IM' })
    expect(messageOf({ ...EVENT, prio: 'low' }, { options }).android).toMatchObject({ urgency: 'NORMAL' })
  })

  it('of a call lives as long as the call, where Huawei may know that it is one', () => {
    const call = { ...EVENT, type: 'm.call.invite' }
    expect(messageOf(call).android).toMatchObject({ ttl: '20s' })
    expect(messageOf(call, { privacy: 'event_id_only' }).android).not.toHaveProperty('ttl')
  })

  it('is a notification message where the options have one: the same text for everybody, and the number as the badge', () => {
    const { android } = messageOf(EVENT, { options: { notification: VISIBLE } })
    expect(android['notification']).toEqual({
      title: 'New message',
      body: 'Open the app',
      click_action: { type: 3 },
      importance: 'NORMAL',
      badge: { class: 'com.example.Main', set_num: 4 },
    })
    const many = { ...EVENT, counts: { unread: 1000 }, prio: 'low' }
    expect(messageOf(many, { options: { notification: VISIBLE } }).android).toMatchObject({
      notification: { importance: 'LOW', badge: { set_num: 99 } },
    })
  })

  it('of a badge update alerts nobody', () => {
    const clearing = { counts: { unread: 0 } }
    expect(messageOf(clearing, { options: { notification: VISIBLE } })).toEqual({
      android: { urgency: 'NORMAL' },
      data: { prio: 'high', unread: '0' },
    })
    expect(rendered(clearing, { options: { badge_pushes: 'drop' } })).toMatchObject({ kind: 'nothing' })
  })

  it('is one and the same for every event in minimal mode, but for the badge', () => {
    const asked = { privacy: 'minimal', options: { notification: VISIBLE } } as const
    const other = { event_id: '$other', room_id: '!other', counts: { unread: 4 }, prio: 'high' }
    expect(rendered(EVENT, asked)).toEqual(rendered(other, asked))
    expect(JSON.stringify(messageOf(EVENT, asked))).not.toMatch(/alice|event|room:|hi/)
    const none = { ...asked, counts: 'none' } as const
    expect(messageOf(EVENT, none).android['notification']).not.toHaveProperty('badge')
  })

  it('takes what the homeserver sealed whole, with nothing readable beside it', () => {
    const sealed = { ephemeral: 'e'.repeat(43), ciphertext: 'c'.repeat(2500), mac: 'm'.repeat(11) }
    const message = messageOf({ ...EVENT, ...sealed }, { options: { notification: VISIBLE } })
    expect(message.data).toEqual(sealed)
    expect(JSON.stringify(message.android)).not.toContain('badge')
    const large = messageOf({ ...EVENT, ...sealed, ciphertext: 'c'.repeat(4000) })
    expect(large.data).toEqual({ sync: '1' })
  })

  it('never has more than Huawei takes, whatever comes, and keeps the IDs of an event', () => {
    const text = fc
      .tuple(fc.string({ unit: 'binary', maxLength: 30 }), fc.constantFrom(1, 20, 300))
      .map(([piece, times]) => piece.repeat(times))
    const body = fc.oneof(text, fc.constantFrom('"\\'.repeat(3000), '\u0001'.repeat(3000), '👨‍👩‍👧‍👦'.repeat(900)))
    const content = fc.dictionary(text, body, { maxKeys: 8 })
    fc.assert(
      fc.property(content, fc.boolean(), (value, isVisible) => {
        const options = isVisible ? { notification: VISIBLE } : {}
        const result = rendered({ ...EVENT, content: value }, { options })
        if (result.kind !== 'message') throw new Error(result.reason)
        expect(Buffer.byteLength(`{"message":${result.message.body},"token":[]}`)).toBeLessThanOrEqual(MAX_BYTES)
        const data: unknown = JSON.parse(JSON.parse(result.message.body).data)
        if (!isJsonObject(data)) throw new Error('no data')
        expect(data).toMatchObject({ event_id: '$event', room_id: '!room:example.org' })
        expect(Object.values(data).every((each) => typeof each === 'string')).toBe(true)
      }),
      { numRuns: 100 },
    )
  })
})
