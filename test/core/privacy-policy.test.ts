import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNotification, type Notification } from '../../src/core/notification.ts'
import { applyPrivacy, type PrivacyMode, type PrivacyPolicy } from '../../src/core/privacy-policy.ts'
import { PlaceholderIds } from '../../src/core/placeholder-ids.ts'
import { TEST_PUSH, type Push } from '../../src/core/push.ts'

/** Every field of a notification that names or describes something, as an unmistakable string. */
const CANARIES = {
  event_id: '$CANARY-event',
  room_id: '!CANARY-room',
  type: 'CANARY-type',
  sender: '@CANARY-sender',
  sender_display_name: 'CANARY display name',
  room_name: 'CANARY room name',
  room_alias: '#CANARY-alias',
  membership: 'CANARY-membership',
  content: { body: 'CANARY body', nested: { deep: 'CANARY deep' } },
}
const PAYLOAD = {
  cs: 'client-secret',
  session_id: 'session',
  pusher_notification_client_identifier: 'CANARY-sha256-of-the-user',
  aps: {
    'mutable-content': 1,
    sound: 'ping.caf',
    category: 'CANARY',
    alert: { 'loc-key': 'Notification', 'loc-args': ['CANARY'], body: 'CANARY' },
  },
}

function notificationWith(fields: object, data: object = {}): Notification {
  const parsed = parseNotification(
    Buffer.from(
      JSON.stringify({ notification: { devices: [{ app_id: 'a', pushkey: 'CANARY-pushkey', data }], ...fields } }),
    ),
  )
  if ('errcode' in parsed) throw new Error(parsed.error)
  return parsed
}

function policy(privacy: PrivacyMode, more: Partial<PrivacyPolicy> = {}): PrivacyPolicy {
  return { privacy, counts: 'badge', defaultPayloadAllow: [], sealed: 'optional', ...more }
}

function pushOf(notification: Notification, chosen: PrivacyPolicy) {
  const [device] = notification.devices
  if (device === undefined) throw new Error('no device')
  return applyPrivacy(notification, device, chosen, undefined, () => new PlaceholderIds(randomBytes))
}

function idsOf(push: Push | undefined) {
  return push?.detail === 'minimal' ? push.ids : undefined
}

describe('minimal', () => {
  it('leaves nothing of the event, of whom it is from, or of the pusher, but the allow-listed keys', () => {
    const push = pushOf(
      notificationWith(
        { ...CANARIES, counts: { unread: 2, missed_calls: 1 }, prio: 'low' },
        { default_payload: PAYLOAD },
      ),
      policy('minimal'),
    )
    expect(push).toEqual({
      detail: 'minimal',
      kind: 'event',
      prio: 'low',
      encrypted: undefined,
      pusher: { eventsOnly: false, onlyLastPerRoom: false, dataMessage: undefined },
      badge: 3,
      counts: undefined,
      defaultPayload: {
        aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1, sound: 'ping.caf' },
        cs: 'client-secret',
        session_id: 'session',
      },
    })
  })

  it('keeps no string that the homeserver sent, whatever the fields hold', () => {
    const canary = fc.string({ minLength: 6 }).map((text) => `CANARY${text}`)
    const value = fc.letrec((tie) => ({
      value: fc.oneof(
        canary,
        fc.integer(),
        fc.dictionary(fc.constantFrom('aps', 'alert', 'loc-key', 'x', '__proto__'), tie('value'), { maxKeys: 3 }),
      ),
    })).value
    const names = fc.constantFrom(...Object.keys(CANARIES), 'counts', 'tweaks', 'unknown')
    fc.assert(
      fc.property(
        fc.dictionary(names, value),
        fc.dictionary(fc.constantFrom('x', 'y', 'room_id', 'event_id'), value),
        (fields, payload) => {
          const push = pushOf(notificationWith(fields, { default_payload: payload, other: payload }), policy('minimal'))
          expect(JSON.stringify(push) ?? '').not.toContain('CANARY')
        },
      ),
    )
  })

  it.each([
    ['a string of more than 128 bytes', 'ä'.repeat(65)],
    ['an object', { nested: 1 }],
    ['a list', [1]],
    ['null', null],
  ])('an allow-listed key with %s is dropped', (_what, cs) => {
    expect(
      pushOf(notificationWith({ event_id: '$e' }, { default_payload: { cs } }), policy('minimal'))?.defaultPayload,
    ).toEqual({})
  })

  it('the app may allow further keys', () => {
    const push = pushOf(
      notificationWith({ event_id: '$e' }, { default_payload: { aps: { 'thread-id': 't' }, cs: 'c' } }),
      policy('minimal', { defaultPayloadAllow: ['aps.thread-id'] }),
    )
    expect(push?.defaultPayload).toEqual({ aps: { 'thread-id': 't' }, cs: 'c' })
  })

  it("knows the apps' test push, whose IDs are public constants", () => {
    expect(pushOf(notificationWith({ event_id: '$THIS_IS_A_FAKE_EVENT_ID' }), policy('minimal'))).toMatchObject({
      ids: TEST_PUSH,
    })
  })

  it('has no IDs unless the app wants placeholders, which are new for each push', () => {
    const event = notificationWith(CANARIES)
    expect(idsOf(pushOf(event, policy('minimal')))).toBeUndefined()
    const both = [1, 2].map(() => idsOf(pushOf(event, policy('minimal', { placeholderIds: true }))))
    expect(both[0]).toBeInstanceOf(PlaceholderIds)
    expect(both[0]?.eventId).not.toBe(both[1]?.eventId)
    expect(both[0]?.roomId).not.toBe(both[1]?.roomId)
  })

  it.each([
    ["the apps' test push, which has its own", { event_id: TEST_PUSH.eventId }, TEST_PUSH],
    ['what the homeserver sealed', { ephemeral: 'e', ciphertext: 'c', mac: 'm' }, undefined],
    ['a badge update', { counts: { unread: 1 } }, undefined],
  ])('makes up no IDs for %s', (_what, fields, ids) => {
    expect(idsOf(pushOf(notificationWith(fields), policy('minimal', { placeholderIds: true })))).toEqual(ids)
  })

  it('makes up no IDs beside what is sealed to the device', () => {
    const [device] = notificationWith({}).devices
    if (device === undefined) throw new Error('no device')
    const sealed = { kid: 'k', record: 'r' }
    const push = applyPrivacy(
      notificationWith(CANARIES),
      device,
      policy('minimal', { placeholderIds: true }),
      sealed,
      () => new PlaceholderIds(randomBytes),
    )
    expect(push).toMatchObject({ sealed })
    expect(idsOf(push)).toBeUndefined()
  })

  it.each([
    ['badge', { badge: 2, counts: undefined }],
    ['exact', { badge: 2, counts: { unread: 2 } }],
    ['none', { badge: undefined, counts: undefined }],
  ] as const)('counts: %s', (counts, expected) => {
    expect(pushOf(notificationWith({ counts: { unread: 2 } }), policy('minimal', { counts }))).toMatchObject(expected)
  })
})

describe('event_id_only', () => {
  it('passes the IDs, the counts and the whole default_payload, and nothing else even when the homeserver sent it', () => {
    const push = pushOf(
      notificationWith({ ...CANARIES, counts: { unread: 2 } }, { default_payload: PAYLOAD }),
      policy('event_id_only'),
    )
    expect(push).toEqual({
      detail: 'event_id_only',
      kind: 'event',
      prio: 'high',
      encrypted: undefined,
      pusher: { eventsOnly: false, onlyLastPerRoom: false, dataMessage: undefined },
      eventId: '$CANARY-event',
      roomId: '!CANARY-room',
      counts: { unread: 2 },
      defaultPayload: PAYLOAD,
    })
  })
})

describe('full', () => {
  it('passes all that the homeserver sent', () => {
    expect(pushOf(notificationWith({ ...CANARIES, user_is_target: true }), policy('full'))).toMatchObject({
      detail: 'full',
      eventId: '$CANARY-event',
      roomId: '!CANARY-room',
      type: 'CANARY-type',
      sender: '@CANARY-sender',
      senderDisplayName: 'CANARY display name',
      roomName: 'CANARY room name',
      roomAlias: '#CANARY-alias',
      membership: 'CANARY-membership',
      userIsTarget: true,
      content: CANARIES.content,
    })
  })
})

describe('in every mode', () => {
  const modes = ['minimal', 'event_id_only', 'full'] as const

  it.each(modes)('%s: a notification that says nothing becomes no push', (mode) => {
    expect(pushOf(notificationWith({}), policy(mode))).toBeUndefined()
  })

  it.each(modes)('%s: what the homeserver sealed for the device is passed through untouched', (mode) => {
    const encrypted = { ephemeral: 'e', ciphertext: 'c', mac: 'm' }
    expect(pushOf(notificationWith(encrypted), policy(mode))).toMatchObject({ encrypted })
  })

  it.each(
    modes.flatMap((mode) =>
      ['disable_badge_count', 'org.matrix.msc4076.disable_badge_count'].map((key) => [mode, key] as const),
    ),
  )('%s: a device that sets %s gets no counts', (mode, key) => {
    expect(
      JSON.stringify(
        pushOf(notificationWith({ event_id: '$e', counts: { unread: 77 } }, { [key]: true }), policy(mode)),
      ),
    ).not.toContain('77')
  })

  it.each(modes)('%s: counts: none passes no counts', (mode) => {
    expect(
      JSON.stringify(
        pushOf(notificationWith({ event_id: '$e', counts: { unread: 77 } }), policy(mode, { counts: 'none' })),
      ),
    ).not.toContain('77')
  })
})
