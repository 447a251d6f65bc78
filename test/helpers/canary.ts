/** Strings and numbers that occur nowhere else, a notification made of them, and the search for them in whatever somebody might read. */

/**
 * Part of every canary. Letters and digits only, in lower case: no escape of JSON, URLs, Redis or a log touches it, so whoever keeps a canary in any of
 * these forms keeps this.
 */
export const MARKER = 'hushcanary7'

/** Numbers that are passed on as numbers; the sum is what a badge shows. */
export const CANARY_NUMBERS = {
  unread: 7_391_746_285_013,
  missedCalls: 5_182_937_461_027,
  badge: 12_574_683_746_040,
  pushkeyTs: 1_194_837_265,
  ofPayload: 9_462_817_350_426,
  ofContent: 8_264_193_750_682,
} as const

/** With characters that need escaping wherever something is escaped. */
export function canary(field: string): string {
  return `$${MARKER} ${field} "ü/\u{1f600}\\:`
}

/** Each field that a homeserver can send, and some that none does. */
export function canaryNotification(appId: string, pushkey: string): object {
  const { unread, missedCalls, pushkeyTs } = CANARY_NUMBERS
  return {
    event_id: canary(`event_id ${pushkey}`),
    id: canary('id'),
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
    counts: { unread, missed_calls: missedCalls, [canary('count key')]: canary('count') },
    [canary('notification key')]: canary('notification value'),
    devices: [
      {
        app_id: appId,
        pushkey,
        pushkey_ts: pushkeyTs,
        tweaks: { sound: canary('tweak sound'), highlight: true, [canary('tweak key')]: canary('tweak') },
        data: canaryData(),
        [canary('device key')]: canary('device value'),
      },
    ],
  }
}

/** MSC3013: what the homeserver sealed for the device, which nobody but the push service gets. */
export function sealedCanaryNotification(appId: string, pushkey: string): object {
  const sealed = { ephemeral: canary('ephemeral'), ciphertext: canary('ciphertext'), mac: canary('mac') }
  return { ...canaryNotification(appId, pushkey), ...sealed }
}

function canaryContent(): object {
  return {
    msgtype: canary('msgtype'),
    body: canary('body'),
    formatted_body: canary('formatted_body'),
    'm.relates_to': { event_id: canary('related event'), list: [canary('in a list'), [canary('deeper')]] },
    [canary('content key')]: canary('content value'),
    [canary('nested key')]: { [canary('inner key')]: canary('inner value') },
    number: CANARY_NUMBERS.ofContent,
  }
}

function canaryData(): object {
  return {
    format: canary('format'),
    brand: canary('brand'),
    url: `https://${MARKER}.example.org/_matrix/push/v1/notify`,
    [canary('data key')]: canary('data value'),
    default_payload: {
      ...ALLOWED_PAYLOAD,
      aps: {
        ...ALLOWED_PAYLOAD.aps,
        alert: { ...ALLOWED_PAYLOAD.aps.alert, title: canary('title'), 'loc-args': [canary('loc-arg')] },
        category: canary('category'),
        [canary('aps key')]: canary('aps value'),
      },
      pusher_notification_client_identifier: canary('client identifier'),
      [canary('payload key')]: canary('payload value'),
      [canary('payload object')]: { [canary('payload inner key')]: canary('payload inner value') },
    },
  }
}

/** What a minimal push may hold of all this (core/privacy.ts, `ALWAYS_ALLOWED`). */
export const ALLOWED_PAYLOAD = {
  cs: canary('cs'),
  session_id: canary('session_id'),
  aps: {
    alert: { 'loc-key': canary('loc-key') },
    'mutable-content': CANARY_NUMBERS.ofPayload,
    sound: canary('sound'),
  },
} as const

interface Form {
  readonly name: string
  readonly needle: string
  /** Base64 tells cases apart. */
  readonly isCaseSensitive?: boolean
}

/** The ways in which a text can lie about in bytes. */
export function formsOf(text: string): readonly Form[] {
  const bytes = Buffer.from(text)
  const each = (write: (byte: number) => string, separator = '') => [...bytes].map(write).join(separator)
  const hex = (byte: number) => byte.toString(16).padStart(2, '0')
  const base64 = [0, 1, 2].flatMap((offset) => {
    // Which of its characters do not depend on what stands before and after.
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const needle = whole.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
    const urlSafe = needle.replaceAll('+', '-').replaceAll('/', '_')
    return [
      { name: `base64 at offset ${offset}`, needle, isCaseSensitive: true },
      { name: `base64url at offset ${offset}`, needle: urlSafe, isCaseSensitive: true },
    ]
  })
  return [
    { name: 'as it is', needle: text },
    { name: 'UTF-16', needle: Buffer.from(text, 'utf16le').toString('latin1') },
    { name: 'hex', needle: each(hex) },
    { name: 'hex with spaces', needle: each(hex, ' ') },
    { name: 'URL encoding', needle: each((byte) => `%${hex(byte)}`) },
    { name: 'JSON escapes', needle: each((byte) => `\\u00${hex(byte)}`) },
    { name: 'Redis escapes', needle: each((byte) => `\\x${hex(byte)}`) },
    { name: 'list of bytes', needle: each(String, ',') },
    ...base64,
  ]
}

const ALL_FORMS = [MARKER, ...Object.values(CANARY_NUMBERS).map(String)].flatMap(formsOf)
const CONTEXT_CHARACTERS = 60

/** Where a canary is, in which form, with what stands around it; at most one finding per form. */
export function findCanaries(bytes: Uint8Array): readonly string[] {
  // One character per byte: what is not text is searched too.
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
  const lowerCase = haystack.toLowerCase()
  return ALL_FORMS.flatMap(({ name, needle, isCaseSensitive = false }) => {
    const at = (isCaseSensitive ? haystack : lowerCase).indexOf(needle)
    if (at < 0) return []
    const context = haystack.slice(Math.max(0, at - CONTEXT_CHARACTERS), at + needle.length + CONTEXT_CHARACTERS)
    return [`${name} at ${at}: ${JSON.stringify(context)}`]
  })
}
