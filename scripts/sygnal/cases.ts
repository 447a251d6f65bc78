/** Notify requests made of a seed, each with a few fields that a homeserver should not send so: what Sygnal does with them is recorded, and compared with. */
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { Random } from '../fuzz/random.ts'

export interface GeneratedRequest {
  readonly name: string
  /** As it is sent. */
  readonly body: string
}

const ABSENT = Symbol('absent')
type Choice = JsonValue | symbol

const ZWJ = '👨‍👩‍👧‍👦'
/** What stands where there should be a text. */
const ODD: readonly Choice[] = [ABSENT, null, '', ' ', 0, 7, 1.5, true, false, [], ['a'], {}, { a: 'b' }, '0', '\u0000']
const LONG: readonly string[] = [
  'r'.repeat(1030),
  'ü'.repeat(600),
  ZWJ.repeat(60),
  '"\\\n'.repeat(500),
  'x'.repeat(5000),
]
const TYPES = [
  'm.room.message',
  'm.room.message',
  'm.room.message',
  'm.room.encrypted',
  'm.room.member',
  'm.call.invite',
  'm.reaction',
  'm.rtc.notification',
  'org.example.own',
]
const MSGTYPES: readonly Choice[] = [
  'm.text',
  'm.notice',
  'm.emote',
  'm.image',
  'm.file',
  'm.video',
  'm.location',
  'org.example.own',
  ABSENT,
  null,
  '',
  5,
  ['m.text'],
  {},
]
const BODIES: readonly Choice[] = [
  'hi',
  'hi',
  'cat.png',
  ABSENT,
  null,
  '',
  ' ',
  0,
  5,
  true,
  false,
  ['a'],
  {},
  { a: 1 },
  ...LONG,
]
const OFFERS: readonly Choice[] = [
  { type: 'offer', sdp: 'v=0\r\nm=audio 9\r\n' },
  { type: 'offer', sdp: 'v=0\r\nm=audio 9\r\nm=video 9\r\n' },
  {},
  null,
  'sdp',
  'm=video',
  ['sdp'],
  { sdp: null },
  { sdp: ['m=video'] },
  { sdp: { 'm=video': 1 } },
  { sdp: 5 },
]
const CONTENTS: readonly Choice[] = [
  ABSENT,
  null,
  {},
  '',
  'text',
  'msgtype body',
  0,
  5,
  true,
  [],
  ['msgtype', 'body'],
  [{}],
]
const USUAL_COUNTS: readonly Choice[] = [0, 1, 3, ABSENT]
const COUNTS: readonly Choice[] = [0, 1, 3, ABSENT, ABSENT, null, '3', '', 2.5, 2, -1, true, false, [], {}, 2 ** 53]
const PAYLOADS: readonly Choice[] = [
  {},
  { aps: { 'mutable-content': 1, 'content-available': 1, alert: { 'loc-key': 'SINGLE_UNREAD', 'loc-args': [] } } },
  { aps: { sound: 'default', badge: 99, alert: { title: 'T', body: 'B', 'loc-args': ['x', 5, null] } } },
  { aps: {} },
  { aps: { alert: {} } },
  { aps: { alert: '' } },
  { aps: { alert: 'text' } },
  { aps: { alert: null } },
  { aps: { alert: ['a'] } },
  { aps: null },
  { aps: 'text' },
  { aps: [] },
  { event_id: 'theirs', room_id: 'theirs', content: 'theirs', prio: 'theirs', unread: 'theirs', type: 'theirs' },
  { unread_count: 'theirs', missed_calls: 'theirs', content_body: 'theirs' },
  { content: { body: 'theirs', nested: { a: 1 } } },
  { content: {} },
  { number: 1, boolean: true, nothing: null, list: [1], object: { a: { b: 1 } }, text: ' ' },
  { '': 'empty', 'ä key': 'ü', notification: 'x', collapse_key: 'x' },
  { long: 'l'.repeat(3000) },
  null,
  [],
  ['a'],
  '',
  'text',
  5,
  0,
  false,
]
const PRIOS: readonly Choice[] = ['high', 'low', 'high', 'low', ABSENT, null, '', 'LOW', 'normal', 1, ['low'], {}]

const SERVICES = ['apns', 'fcm', 'webpush'] as const
const APPS = { apns: 'com.example.ios', fcm: 'com.example.android', webpush: 'com.example.web.any' } as const
const PUSHKEYS = {
  /** 32 bytes in base64, as iOS apps of Sygnal register them. */
  apns: Buffer.from('generated-apns-token-of-32-bytes').toString('base64'),
  fcm: 'generated-fcm-token',
  /** A point of the curve, as a browser has it: that of RFC 8291, appendix A. */
  webpush: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
} as const
const SUBSCRIPTION = { endpoint: 'https://push.example.org/generated', auth: 'BTBZMqHH6r4Tts7J_aSIgg' } as const
const WISHES: readonly Choice[] = [true, true, false, 'true', 1, null, {}]

export function generatedRequest(seed: number, index: number): GeneratedRequest {
  const random = new Random(seed, index)
  const service = SERVICES[index % SERVICES.length] ?? 'apns'
  const notification = { ...withoutAbsent(eventOf(random)), devices: [deviceOf(random, service)] }
  return { name: `${service}-${seed}-${index}`, body: JSON.stringify({ notification }) }
}

function eventOf(random: Random): Record<string, Choice> {
  const text = (usual: string): Choice => mostly(random, usual, random.once(3) ? LONG : ODD)
  const kind = random.under(10)
  const counts = mostly(random, withoutAbsent({ unread: countOf(random), missed_calls: countOf(random) }), [
    ABSENT,
    {},
    {},
    ABSENT,
    null,
    [],
    '',
  ])
  const prio = random.pick(PRIOS)
  // Nothing but counts; nothing but IDs; everything.
  if (kind === 0)
    return { event_id: random.pick(['', ABSENT]), type: random.pick([null, ABSENT]), sender: '', counts, prio }
  const ids = { event_id: text('$event:example.org'), room_id: text('!room:example.org'), counts, prio }
  if (kind <= 2) return ids
  const type = mostly(random, random.pick(TYPES), ODD)
  return {
    ...ids,
    type,
    sender: text('@alice:example.org'),
    sender_display_name: random.once(2) ? text('Alice') : random.pick([ABSENT, '', 'Alice']),
    room_name: random.once(2) ? text('Room') : random.pick([ABSENT, '', 'Room']),
    room_alias: random.once(2) ? text('#room:example.org') : ABSENT,
    membership: mostly(random, random.pick(['invite', 'join', 'leave']), ODD),
    user_is_target: random.pick([true, true, false, ABSENT, null, 0, 1, 'yes', '']),
    content: contentOf(random, type),
  }
}

function countOf(random: Random): Choice {
  return mostly(random, random.pick(USUAL_COUNTS), COUNTS, 12)
}

function contentOf(random: Random, type: Choice): Choice {
  if (random.once(6)) return random.pick(CONTENTS)
  const nested = random.once(4)
    ? { 'm.relates_to': { event_id: '$other' }, list: [{ a: [1] }], number: 5, '': 'x' }
    : {}
  if (type === 'm.call.invite') return withoutAbsent({ offer: random.pick(OFFERS), lifetime: 60_000, ...nested })
  const formatted = random.once(5)
    ? { format: 'org.matrix.custom.html', formatted_body: '<b>hi</b>'.repeat(random.size(400)) }
    : {}
  return withoutAbsent({ msgtype: random.pick(MSGTYPES), body: random.pick(BODIES), ...formatted, ...nested })
}

function deviceOf(random: Random, service: keyof typeof APPS): JsonObject {
  return withoutAbsent({
    app_id: APPS[service],
    pushkey: PUSHKEYS[service],
    pushkey_ts: mostly(random, 1_764_000_000, [ABSENT, null, 1.5, '1', true], 20),
    data: dataOf(random, service),
    tweaks: mostly(
      random,
      random.pick([{}, { sound: 'bing', highlight: true }]),
      [ABSENT, null, [], { sound: null }, { sound: 5 }],
      20,
    ),
  })
}

function dataOf(random: Random, service: keyof typeof APPS): Choice {
  const payload = random.once(3) ? withoutAbsent({ default_payload: random.pick(PAYLOADS) }) : undefined
  if (service !== 'webpush') return payload ?? mostly(random, {}, [ABSENT, {}, null, [], 'text', 5])
  const wishes = {
    events_only: random.once(4) ? random.pick(WISHES) : ABSENT,
    only_last_per_room: random.once(4) ? random.pick(WISHES) : ABSENT,
  }
  return withoutAbsent({ ...SUBSCRIPTION, ...payload, ...wishes })
}

/** Once in so many times it is another. */
function mostly(random: Random, usual: Choice, others: readonly Choice[], inTimes = 8): Choice {
  return random.once(inTimes) ? random.pick(others) : usual
}

function withoutAbsent(fields: Readonly<Record<string, Choice>>): JsonObject {
  const kept: Record<string, JsonValue> = {}
  for (const [key, value] of Object.entries(fields)) if (typeof value !== 'symbol') kept[key] = value
  return kept
}
