import fc from 'fast-check'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { isJsonObject } from '../../../src/core/json.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import { applyPrivacy, type PrivacyMode, type PrivacyPolicy } from '../../../src/core/privacy-policy.ts'
import { fcm, type FcmOptions } from '../../../src/providers/fcm/index.ts'
import { renderer } from '../../../src/providers/fcm/payload.ts'

const MAX_BYTES = 4096
const EVENT = {
  event_id: '$event',
  room_id: '!room:example.org',
  type: 'm.room.message',
  sender: '@alice:example.org',
  sender_display_name: 'Alice',
  room_name: 'Room',
  room_alias: '#room:example.org',
  user_is_target: true,
  content: { msgtype: 'm.text', body: 'hi' },
  counts: { unread: 3 },
  prio: 'high',
}
const EVENT_ID_ONLY = { event_id: '$event', room_id: '!room:example.org', counts: { unread: 3 }, prio: 'high' }
const CLEARING = { counts: { unread: 0 } }
/** FluffyChat's pusher (docs/facts/apps.md#fluffychat). */
const FLUFFY = { format: 'event_id_only', client_name: 'FluffyChat 2' }

interface Asked {
  readonly privacy?: PrivacyMode
  readonly counts?: PrivacyPolicy['counts']
  readonly data?: object
  readonly appId?: string
  readonly options?: Partial<FcmOptions>
}

/** The whole way from the request to the message. */
function rendered(notification: object, asked: Asked = {}) {
  const { privacy = 'event_id_only', counts = 'badge', data = {}, appId = 'chat.example', options = {} } = asked
  const devices = [{ app_id: appId, pushkey: 'PUSHKEY', data }]
  const parsed = parseNotification(Buffer.from(JSON.stringify({ notification: { ...notification, devices } })))
  const device = 'devices' in parsed ? parsed.devices[0] : undefined
  if (!('devices' in parsed) || device === undefined) throw new Error('not a notification')
  const policy = { privacy, counts, defaultPayloadAllow: [], sealed: 'optional' } as const
  const push = applyPrivacy(parsed, device, policy)
  if (push === undefined) throw new Error('nothing is left')
  const all = { service_account_file: '-', badge_pushes: 'send', payload_style: 'hedwig', ...options } as const
  return renderer(all)(push)
}

function messageOf(notification: object, asked?: Asked): Record<string, unknown> {
  const result = rendered(notification, asked)
  if (result.kind !== 'message') throw new Error(result.reason)
  return JSON.parse(result.message.body)
}

const android = { data: { ...FLUFFY, data_message: 'android' } }
const ios = { data: { ...FLUFFY, data_message: 'ios' } }

const WOKEN = { 'mutable-content': 1, 'content-available': 1 }
const ANDROID_DATA = { priority: 'high', direct_boot_ok: false }
const VISIBLE = { title: '3 unread rooms', body: 'Open app to read the messages, 3 unread messages' }
const VISIBLE_ANDROID = {
  icon: 'notifications_icon',
  tag: 'org.matrix.default_notification',
  channel_id: 'org.matrix.app.message',
  sound: 'default',
  click_action: 'FLUTTER_NOTIFICATION_CLICK',
}
const apns = (aps: object) => ({ headers: {}, payload: { aps: { ...aps, ...WOKEN } } })
const devicesOf = (shape: string) => JSON.stringify([{ data: { client_name: 'FluffyChat 2', data_message: shape } }])
const dataFor = (shape: string, unread: number) => ({
  prio: '"high"',
  counts: `{"unread":${unread},"missed_calls":null}`,
  content: 'null',
  devices: devicesOf(shape),
})
const IDS = { event_id: '$event', room_id: '!room:example.org' }

describe("Hedwig's shapes (docs/facts/peers.md#shapes-of-hedwig)", () => {
  it.each([
    // [what, notification, pusher data, message]
    [
      'an event for Android',
      EVENT_ID_ONLY,
      android,
      { android: ANDROID_DATA, data: { ...dataFor('android', 3), ...IDS } },
    ],
    [
      'an event for iOS',
      EVENT_ID_ONLY,
      ios,
      {
        android: ANDROID_DATA,
        data: { ...dataFor('ios', 3), ...IDS },
        notification: VISIBLE,
        apns: apns({ badge: 3, sound: 'default' }),
      },
    ],
    [
      'an event for a pusher without data_message',
      EVENT_ID_ONLY,
      {},
      {
        android: { ...ANDROID_DATA, notification: VISIBLE_ANDROID },
        notification: VISIBLE,
        apns: apns({ badge: 3, sound: 'default' }),
      },
    ],
    ['a clearing push for Android', CLEARING, android, { android: ANDROID_DATA, data: dataFor('android', 0) }],
    // Never an alert, so no sound either, where Hedwig plays one.
    [
      'a clearing push for iOS',
      CLEARING,
      ios,
      { android: ANDROID_DATA, data: dataFor('ios', 0), apns: apns({ badge: 0 }) },
    ],
    ['a clearing push without data_message', CLEARING, {}, { android: ANDROID_DATA, apns: apns({ badge: 0 }) }],
  ])('%s', (_what, notification, asked, message) => {
    expect(messageOf(notification, asked)).toEqual(message)
  })

  it('take Android from the deprecated suffix of the app_id', () => {
    expect(messageOf(EVENT_ID_ONLY, { appId: 'chat.example.data_message' })).toEqual({
      android: ANDROID_DATA,
      data: { ...dataFor('android', 3), ...IDS, devices: '[{"data":{"data_message":"android"}}]' },
    })
  })

  it('tell everything in full mode, what is no text as JSON', () => {
    const { content, user_is_target: _isTarget, counts: _counts, prio: _prio, ...texts } = EVENT
    expect(messageOf(EVENT, { ...android, privacy: 'full' })['data']).toEqual({
      ...dataFor('android', 3),
      ...texts,
      user_is_target: 'true',
      content: JSON.stringify(content),
    })
  })

  it('have counts as an object even without any, and low priority where the homeserver says so', () => {
    expect(messageOf({ ...IDS, prio: 'low' }, android)).toMatchObject({
      android: { priority: 'normal' },
      data: { prio: '"low"', counts: '{"unread":null,"missed_calls":null}' },
    })
  })

  it('have texts without a number where there is none', () => {
    expect(messageOf(IDS, ios)).toMatchObject({
      notification: { title: 'unread rooms', body: 'Open app to read the messages, unread messages' },
      apns: { payload: { aps: { sound: 'default', ...WOKEN } } },
    })
  })

  it('say what the options say', () => {
    const hedwig = {
      notification_title: '🦊 <count> 🦊',
      notification_body: 'read <count>',
      notification_sound: 'fox.caf',
      notification_click_action: 'OPEN',
      notification_android: { icon: 'fox', channel_id: 'foxes', color: '#ff8800', sticky: false },
      apns_headers: { apns_push_type: 'alert', apns_priority: '10', apns_topic: 'chat.example' },
      apns_payload: { category: 'fox', mutable_content: 0 },
    } as const
    const options = { hedwig, options: { android: { ttl: '60s' }, fcm_options: { analytics_label: 'x' } } }
    expect(Value.Check(fcm.options, { service_account_file: '-', payload_style: 'hedwig', ...options })).toBe(true)
    expect(messageOf(EVENT_ID_ONLY, { options })).toEqual({
      fcm_options: { analytics_label: 'x' },
      notification: { title: '🦊 3 🦊', body: 'read 3' },
      android: {
        ...ANDROID_DATA,
        ttl: '60s',
        notification: {
          icon: 'fox',
          tag: 'org.matrix.default_notification',
          channel_id: 'foxes',
          color: '#ff8800',
          sticky: false,
          sound: 'fox.caf',
          click_action: 'OPEN',
        },
      },
      apns: {
        headers: { 'apns-push-type': 'alert', 'apns-priority': '10', 'apns-topic': 'chat.example' },
        payload: { aps: { badge: 3, sound: 'fox.caf', category: 'fox', 'content-available': 1 } },
      },
    })
  })

  it('leave badge updates out unless the app wants them', () => {
    expect(rendered(CLEARING, { ...android, options: { badge_pushes: 'drop' } })).toMatchObject({ kind: 'nothing' })
  })
})

describe("privacy in Hedwig's shapes", () => {
  it('the pushkey and the app_id go nowhere', () => {
    for (const privacy of ['minimal', 'event_id_only', 'full'] as const)
      for (const asked of [android, ios, {}])
        expect(JSON.stringify(messageOf(EVENT, { ...asked, privacy, appId: 'chat.DEVICEID' }))).not.toMatch(
          /PUSHKEY|DEVICEID/,
        )
  })

  it.each([
    ['android', android],
    ['ios', ios],
    ['generic', {}],
  ] as const)('minimal is one and the same message for every event: %s', (shape, asked) => {
    const minimal = messageOf(EVENT, { ...asked, privacy: 'minimal' })
    expect(messageOf({ event_id: '$other', prio: 'high' }, { ...asked, privacy: 'minimal' })).toEqual(minimal)
    expect(minimal['data']).toEqual(
      shape === 'generic'
        ? undefined
        : {
            sync: '1',
            prio: '"high"',
            counts: '{"unread":null,"missed_calls":null}',
            content: 'null',
            devices: `[{"data":{"data_message":"${shape}"}}]`,
          },
    )
    expect(JSON.stringify(minimal)).not.toMatch(/alice|room:|event"|FluffyChat|badge|3/i)
  })

  it('minimal tells counts only to an app that may have them', () => {
    expect(messageOf(EVENT, { ...ios, privacy: 'minimal', counts: 'exact' })).toMatchObject({
      notification: { title: '3 unread rooms' },
      apns: { payload: { aps: { badge: 3 } } },
      data: { counts: '{"unread":3,"missed_calls":null}' },
    })
  })

  it("the apps' own test of the chain keeps its public IDs", () => {
    const test = { event_id: '$THIS_IS_A_FAKE_EVENT_ID', room_id: '!room:domain' }
    expect(messageOf(test, { ...android, privacy: 'minimal' })).toMatchObject({ data: test })
  })

  it('what the homeserver sealed goes whole, with nothing readable beside it but which account is meant', () => {
    const sealed = { ephemeral: 'e'.repeat(43), ciphertext: 'c'.repeat(2000), mac: 'm'.repeat(11) }
    const message = messageOf({ ...EVENT, ...sealed }, { ...ios, privacy: 'full' })
    expect(message['data']).toEqual({ ...sealed, devices: devicesOf('ios') })
    expect(JSON.stringify(message)).not.toMatch(/alice|room:|\$event|badge/i)
  })
})

describe("the limit of FCM, in Hedwig's shapes", () => {
  it('costs the content first, which is whole or gone, and never an ID', () => {
    const content = { body: 'b'.repeat(4000) }
    const result = rendered({ ...EVENT, content }, { ...android, privacy: 'full' })
    expect(result).toMatchObject({ truncated: true })
    const data = messageOf({ ...EVENT, content }, { ...android, privacy: 'full' })['data']
    expect(data).toMatchObject({ ...IDS, room_name: 'Room', devices: devicesOf('android') })
    expect(data).not.toHaveProperty('content')
  })

  it('leaves room for what is sealed to the device beside the largest texts', () => {
    const hedwig = { notification_title: 't'.repeat(256), notification_body: '<count>'.repeat(36) }
    const sealed = { kid: 'k'.repeat(22), record: 'r'.repeat(1503) }
    const push = {
      detail: 'minimal',
      kind: 'event',
      prio: 'high',
      defaultPayload: {},
      sealed,
    } as const
    const pusher = { eventsOnly: false, onlyLastPerRoom: false, dataMessage: 'ios' } as const
    const message = renderer({ service_account_file: '-', payload_style: 'hedwig', hedwig })({ ...push, pusher })
    const body = expect.stringContaining(`"hushgate_sealed":"${sealed.record}"`)
    expect(message).toMatchObject({ message: { body }, truncated: false })
  })

  it('is kept, with strings only, whatever comes', () => {
    const short = fc.string({ unit: 'binary', maxLength: 40 })
    const text = fc.tuple(short, fc.constantFrom(1, 1, 50, 200)).map(([piece, times]) => piece.repeat(times))
    const anything = fc.jsonValue({ maxDepth: 3 })
    const payload = fc.dictionary(text, fc.oneof(text, anything), { maxKeys: 12 })
    const fields = fc.record(
      {
        // Never empty, or there would be nothing to tell.
        event_id: text.map((rest) => `$${rest}`),
        room_id: text,
        type: text,
        sender: text,
        room_name: text,
        content: payload,
        counts: fc.record({ unread: fc.oneof(fc.nat(), fc.double()), missed_calls: fc.double() }),
        ephemeral: text,
        ciphertext: text,
        mac: text,
      },
      { requiredKeys: ['event_id'] },
    )
    const data = fc.record({
      default_payload: payload,
      client_name: text,
      data_message: fc.constantFrom('android', 'ios', true, false, undefined),
    })
    const texts = { notification_title: '<count>'.repeat(36), notification_body: 'b'.repeat(256) }
    fc.assert(
      fc.property(
        fields,
        data,
        fc.constantFrom('minimal', 'event_id_only', 'full'),
        (notification, pusher, privacy) => {
          const message = messageOf(notification, { data: pusher, privacy, options: { hedwig: texts } })
          const sent = isJsonObject(message['data']) ? message['data'] : {}
          let bytes = sizeOf(message['notification']) + sizeOf(partOf(message['android'], 'notification'))
          bytes += sizeOf(partOf(message['apns'], 'payload'))
          for (const [key, value] of Object.entries(sent)) {
            expect(typeof value === 'string' && value.isWellFormed() && key.isWellFormed()).toBe(true)
            bytes += Buffer.byteLength(key) + (typeof value === 'string' ? Buffer.byteLength(value) : 0)
          }
          expect(bytes).toBeLessThanOrEqual(MAX_BYTES)
          const isBare = typeof pusher.data_message === 'boolean'
          for (const key of ['counts', 'content', 'devices', ...(isBare ? [] : ['prio'])])
            if (typeof sent[key] === 'string') JSON.parse(sent[key])
        },
      ),
      { numRuns: 150 },
    )
  })
})

function sizeOf(part: unknown): number {
  return part === undefined ? 0 : Buffer.byteLength(JSON.stringify(part))
}

function partOf(value: unknown, key: string): unknown {
  return isJsonObject(value) ? value[key] : undefined
}

describe('the section of an app made for Hedwig', () => {
  it.each([
    ['a word that is not known', { hedwig: { notification_subtitle: 'x' } }],
    ['the apns-id, which is to differ from push to push', { hedwig: { apns_headers: { apns_id: 'x' } } }],
    ['a colour by name', { hedwig: { notification_android: { color: 'red' } } }],
    ['another style', { payload_style: 'gorush' }],
  ])('may not have %s', (_what, options) => {
    const section = { service_account_file: 'sa.json', payload_style: 'hedwig', ...options }
    expect(Value.Check(fcm.options, section)).toBe(false)
  })

  it.each([
    ['hedwig: has no effect without payload_style: hedwig', { payload_style: 'sygnal', hedwig: {} }],
    [
      'options.notification: is written by payload_style: hedwig; say it under "hedwig"',
      { options: { notification: { title: 'x' } } },
    ],
    ['options.apns: is written by payload_style: hedwig; say it under "hedwig"', { options: { apns: {} } }],
    [
      'options.android.notification: is written by payload_style: hedwig; say it under "hedwig"',
      { options: { android: { notification: {} } } },
    ],
    [
      "hedwig: leaves too little of FCM's 4096 bytes for the push itself",
      { hedwig: { notification_title: '👨‍👩‍👧‍👦'.repeat(60), notification_body: '👨‍👩‍👧‍👦'.repeat(60) } },
    ],
  ] as const)('is told: %s', async (mistake, options) => {
    const found = await fcm.inspect({ service_account_file: '/nowhere', payload_style: 'hedwig', ...options })
    expect(found.map(({ option, message }) => `${option}: ${message}`)).toEqual([
      'service_account_file: /nowhere cannot be read (ENOENT)',
      mistake,
    ])
  })
})
