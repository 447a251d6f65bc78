/** Notifications that are nothing but canaries: each field that a homeserver can send, and some that none does. */
import { CANARY_FIELDS, canary, canaryNumber, tokenOf, type CanaryField, type SentValue } from './canary.ts'

/** Of a device; those that are not given are made up. */
export interface CanaryDevice {
  readonly appId: string
  readonly pushkey: string
  /** In the pusher's data, beside the usual. */
  readonly data?: object | undefined
}

/** With `about` instead of what it usually says. */
export function canaryNotification({ appId, pushkey, data }: CanaryDevice, about: object = {}): object {
  return {
    id: canary('unknown', 'id'),
    room_id: canary('room_id'),
    type: canary('type'),
    sender: canary('sender'),
    sender_display_name: canary('sender_display_name'),
    room_name: canary('room_name'),
    room_alias: canary('room_alias'),
    membership: canary('membership'),
    user_is_target: true,
    prio: 'high',
    content: canaryContent(),
    counts: canaryCounts(),
    [canary('unknown', 'key')]: canary('unknown', 'value'),
    ...about,
    devices: [
      {
        app_id: appId,
        pushkey,
        pushkey_ts: canaryNumber('pushkey_ts'),
        tweaks: { sound: canary('tweaks', 'sound'), highlight: true, [canary('tweaks', 'key')]: canary('tweaks') },
        data: { ...canaryData(), ...data },
        [canary('unknown', 'device key')]: canary('unknown', 'device value'),
      },
    ],
  }
}

export function canaryCounts(): object {
  return {
    unread: canaryNumber('unread'),
    missed_calls: canaryNumber('missed_calls'),
    [canary('unknown', 'count key')]: canary('unknown', 'count'),
  }
}

/** MSC3013: what the homeserver sealed for the device, which nobody but the push service gets. */
export const ENCRYPTED = {
  ephemeral: canary('encrypted', 'ephemeral'),
  ciphertext: canary('encrypted', 'ciphertext'),
  mac: canary('encrypted', 'mac'),
} as const

/** `kid` has exactly 22 characters. */
export function canaryDeviceKey(keys: { readonly p256dh: string; readonly auth: string }): object {
  const { p256dh, auth } = keys
  return { hushgate_key: { v: 1, kid: tokenOf('device_key').padEnd(22, 'x'), p256dh, auth } }
}

function canaryContent(): object {
  return {
    msgtype: canary('content', 'msgtype'),
    body: canary('content', 'body'),
    formatted_body: canary('content', 'formatted'),
    'm.relates_to': {
      event_id: canary('content', 'related'),
      list: [canary('content', 'listed'), [canary('content')]],
    },
    [canary('content', 'key')]: canary('content', 'value'),
    number: canaryNumber('content'),
  }
}

function canaryData(): object {
  return {
    format: canary('pusher_data', 'format'),
    brand: canary('pusher_data', 'brand'),
    url: `https://${tokenOf('pusher_data')}.example.org/_matrix/push/v1/notify`,
    [canary('pusher_data', 'key')]: canary('pusher_data', 'value'),
    default_payload: {
      cs: canary('default_payload_allowed', 'cs'),
      session_id: canary('default_payload_allowed', 'session'),
      aps: {
        'mutable-content': canaryNumber('default_payload_allowed'),
        sound: canary('default_payload_allowed', 'sound'),
        alert: {
          'loc-key': canary('default_payload_allowed', 'loc-key'),
          title: canary('default_payload', 'title'),
          'loc-args': [canary('default_payload', 'loc-arg')],
        },
        category: canary('default_payload', 'category'),
        [canary('default_payload', 'aps key')]: canary('default_payload', 'aps value'),
      },
      pusher_notification_client_identifier: canary('default_payload', 'client'),
      [canary('default_payload', 'key')]: { [canary('default_payload', 'inner')]: canary('default_payload', 'value') },
    },
  }
}

/** Every text and number in a body, whole, with the field to which it belongs: what may be hashed as it is. */
export function valuesIn(body: unknown, name = ''): SentValue[] {
  if (typeof body === 'string' || typeof body === 'number') return valuesOf(String(body), name)
  if (typeof body !== 'object' || body === null) return []
  return Object.entries(body).flatMap(([key, value]) => {
    const inner = valuesIn(value, key)
    return [
      ...valuesOf(key, ''),
      ...inner.map((sent) => (key === 'hushgate_key' ? { ...sent, field: DEVICE_KEY } : sent)),
    ]
  })
}

const DEVICE_KEY: CanaryField = 'device_key'

/** Those of one device are found by their place: some have nothing in them but randomness. */
const OF_DEVICE = new Set(['pushkey', 'endpoint', 'p256dh', 'auth'])
/** A word like `high` is everywhere. */
const SHORTEST = 8

function valuesOf(text: string, name: string): SentValue[] {
  if (text.length < SHORTEST) return []
  if (OF_DEVICE.has(name)) {
    const decoded = Buffer.from(text, 'base64')
    const isBase64 = decoded.toString('base64') === text
    // What APNs is told.
    const hex = isBase64 ? [decoded.toString('hex'), decoded.toString('latin1')] : []
    return [text, ...hex].map((each) => ({ field: 'pushkey', text: each }))
  }
  const field = CANARY_FIELDS.find((each) => text.includes(tokenOf(each))) ?? fieldOfNumber(text)
  return field === undefined ? [] : [{ field, text }]
}

function fieldOfNumber(text: string): CanaryField | undefined {
  const fields = ['unread', 'missed_calls', 'pushkey_ts', 'default_payload_allowed', 'content'] as const
  return fields.find((field) => text === String(canaryNumber(field)))
}
