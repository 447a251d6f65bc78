/** Bodies of requests: what a homeserver or an operator sends, with mistakes in it. */
import { createECDH, createHash } from 'node:crypto'
import type { JsonValue } from '../../src/core/json.ts'
import { mutate, textOf, treeOf, type Tree } from './json-tree.ts'
import type { Random } from './random.ts'

/** The apps of gateway.ts, one that no app is configured for, and names that JavaScript knows. */
export const APP_IDS = ['fuzz.ios', 'fuzz.android', 'fuzz.web', 'fuzz.full', 'fuzz.ids', 'fuzz.unknown', '__proto__']

/** Stands for the simulated Web Push service; its port has as many digits. */
export const WEB_PUSH_HOST = 'localhost:00000'

const MOST_DEVICES = 100
const MANY_DEVICES_ONCE_IN = 300
const TOO_MANY_DEVICES_ONCE_IN = 600
const MOST_MUTATIONS = 4
const BYTES_CHANGED_ONCE_IN = 5
const MOST_BYTE_CHANGES = 6

/** Some points of P-256, always the same: to make one takes as long as all else here. */
const POINTS = Array.from({ length: 8 }, (_, index) => {
  const pair = createECDH('prime256v1')
  pair.setPrivateKey(createHash('sha256').update(`point ${index}`).digest())
  return pair.getPublicKey('base64url')
})

export function notifyBody(random: Random): Buffer {
  return spoilt({ notification: { ...aboutEvent(random), devices: devices(random) } }, random)
}

export function adminBody(random: Random): Buffer {
  const bodies: (() => JsonValue)[] = [
    () => ({ app: random.pick(APP_IDS), id: random.bytes(8).toString('hex'), reason: 'expired' }),
    () => ({ app: random.pick(APP_IDS), verdict: random.pick(['confirm', 'discard']) }),
    () => ({ app_id: random.pick(APP_IDS), pushkey: pushkey(random), data: dataOf(random) }),
  ]
  return spoilt(random.pick(bodies)(), random)
}

/** What an app trades for an endpoint. */
export function tradeBody(random: Random): Buffer {
  const kid = random.once(2) ? {} : { kid: random.bytes(16).toString('base64url') }
  return spoilt({ pushkey: pushkey(random), vapid: random.pick(POINTS), ...kid }, random)
}

/** One record of RFC 8188, as far as that shows from outside. */
export function recordBody(random: Random): Buffer {
  const size = Buffer.of(0, 0, 16, 0)
  const point = Buffer.from(random.pick(POINTS), 'base64url')
  const record = Buffer.concat([
    random.bytes(16),
    size,
    Buffer.of(point.length),
    point,
    random.bytes(17 + random.size(3000)),
  ])
  return random.once(BYTES_CHANGED_ONCE_IN) ? changed(record, random) : record
}

function aboutEvent(random: Random): { readonly [key: string]: JsonValue } {
  const id = `$${random.bytes(12).toString('base64url')}`
  const abouts: (() => { readonly [key: string]: JsonValue })[] = [
    () => ({ event_id: id, room_id: '!room:example.org', prio: 'high', counts: { unread: 2 } }),
    () => ({ counts: { unread: random.under(9), missed_calls: 1 } }),
    () => ({ ephemeral: 'e'.repeat(43), ciphertext: 'c'.repeat(400), mac: 'm'.repeat(11), counts: { unread: 1 } }),
    () => ({
      event_id: id,
      id,
      room_id: '!room:example.org',
      type: 'm.room.message',
      sender: '@alice:example.org',
      sender_display_name: 'Alice',
      room_name: 'Mission Control',
      room_alias: '#mission:example.org',
      membership: 'join',
      user_is_target: true,
      prio: 'low',
      counts: { unread: 1, missed_calls: 0 },
      content: { msgtype: 'm.text', body: 'Hello, wörld 🎉', info: { w: 1, list: [1, 'x', null] } },
    }),
  ]
  return random.pick(abouts)()
}

function devices(random: Random): JsonValue[] {
  let count = 1 + random.under(2)
  if (random.once(MANY_DEVICES_ONCE_IN)) count = random.size(MOST_DEVICES)
  else if (random.once(TOO_MANY_DEVICES_ONCE_IN)) count = MOST_DEVICES + random.size(2000)
  return Array.from({ length: count }, () => ({
    app_id: random.pick(APP_IDS),
    pushkey: pushkey(random),
    pushkey_ts: 1_795_445_374,
    data: dataOf(random),
    tweaks: { sound: 'default', highlight: true },
  }))
}

function pushkey(random: Random): string {
  const kinds: (() => string)[] = [
    () => random.bytes(32).toString('base64'),
    () => random.bytes(16).toString('base64url'),
    () => `${random.bytes(8).toString('base64url')}:APA91b${random.bytes(96).toString('base64url')}`,
    () => random.pick(POINTS),
    () => random.bytes(random.size(600)).toString('latin1'),
  ]
  return random.pick(kinds)()
}

function dataOf(random: Random): JsonValue {
  const auth = random.bytes(16).toString('base64url')
  const hosts = [WEB_PUSH_HOST, WEB_PUSH_HOST, '127.0.0.1:1', '[::1]', '169.254.169.254', 'x@y', '']
  const datas: (() => JsonValue)[] = [
    () => ({}),
    () => ({
      format: 'event_id_only',
      default_payload: { aps: { 'mutable-content': 1, alert: { 'loc-args': ['a'] } } },
    }),
    () => ({ endpoint: `https://${random.pick(hosts)}/x`, auth, events_only: true, only_last_per_room: true }),
    () => ({ hushgate_key: { v: 1, kid: random.bytes(16).toString('base64url'), p256dh: random.pick(POINTS), auth } }),
  ]
  return random.pick(datas)()
}

/** With mistakes in what it says, and now and then in its bytes. */
function spoilt(json: JsonValue, random: Random): Buffer {
  let tree: Tree = treeOf(json)
  // Now and then none: what is right must go on being taken.
  for (let count = random.under(MOST_MUTATIONS + 1); count > 0; count -= 1) tree = mutate(tree, random)
  const bytes = Buffer.from(textOf(tree))
  return random.once(BYTES_CHANGED_ONCE_IN) ? changed(bytes, random) : bytes
}

/** `bytes`, with some of them changed, moved, doubled or gone, or in another encoding. */
export function changed(bytes: Buffer, random: Random): Buffer {
  const at = random.under(bytes.length + 1)
  const ways: (() => Buffer)[] = [
    () => bytes.subarray(0, at),
    () => bytes.subarray(at),
    () => Buffer.concat([Buffer.of(0xef, 0xbb, 0xbf), bytes]),
    () => Buffer.from(bytes.toString(), 'utf16le'),
    () => Buffer.from(bytes.toString(), 'latin1'),
    () => Buffer.concat([bytes.subarray(0, at), random.bytes(random.size(200)), bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.alloc(random.size(200)), bytes.subarray(at)]),
    () => Buffer.concat([bytes, bytes.subarray(at)]),
    () => Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]),
    () => Buffer.concat([bytes.subarray(0, at), Buffer.of(0xed, 0xa0, 0x80, 0xc0, 0xaf, 0xf5), bytes.subarray(at)]),
    () => flipped(bytes, random),
  ]
  return random.pick(ways)()
}

function flipped(bytes: Buffer, random: Random): Buffer {
  const copy = Buffer.from(bytes)
  for (let count = random.size(MOST_BYTE_CHANGES); count > 0 && copy.length > 0; count -= 1) {
    const at = random.under(copy.length)
    copy[at] = (copy[at] ?? 0) ^ (1 << random.under(8))
  }
  return copy
}
