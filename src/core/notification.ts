/**
 * What a homeserver posts to `/_matrix/push/v1/notify` (push gateway API v1), read leniently: a homeserver that is answered 400 stops pushing to
 * that device for a day (docs/facts/homeservers.md#what-an-answer-does), so only what makes the request meaningless is refused; any other wrong type counts as absent.
 */
import { boundedContent, boundedEntries, boundedText } from './bounds.ts'
import { shapeOf } from './json-shape.ts'
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from './json.ts'
import type { Counts, EncryptedPush } from './push.ts'
import { DEVICE_KEY, hasDeviceKey } from './device-key.ts'
import { Secret } from './secret.ts'

export interface Notification {
  /** `nothing`: neither an event nor counts; there is nothing to tell the device. */
  readonly kind: 'event' | 'counts' | 'nothing'
  readonly prio: 'high' | 'low'
  readonly devices: readonly Device[]
  readonly eventId?: string | undefined
  readonly roomId?: string | undefined
  readonly type?: string | undefined
  readonly sender?: string | undefined
  readonly senderDisplayName?: string | undefined
  readonly roomName?: string | undefined
  readonly roomAlias?: string | undefined
  readonly membership?: string | undefined
  readonly userIsTarget?: boolean | undefined
  readonly content?: JsonObject | undefined
  readonly counts?: Counts | undefined
  readonly encrypted?: EncryptedPush | undefined
}

export interface Device {
  readonly appId: string
  readonly pushkey: Secret
  /** Seconds, by the homeserver's clock. */
  readonly pushkeyTs?: number | undefined
  /** The pusher's data without its URL; `{}` when there is none. */
  readonly data: JsonObject
}

/** Why a request means nothing; the sentence is for whoever wrote the homeserver. */
export interface BadNotification {
  readonly errcode: 'M_NOT_JSON' | 'M_BAD_JSON' | 'M_TOO_LARGE'
  readonly error: string
}

/** Homeservers send one. */
export const DEFAULT_MAX_DEVICES = 100
/** Whatever is larger is no count; and it would be written with an exponent one day. */
const LARGEST_COUNT = 2 ** 63
/** Deeper than any real event; keeps everything that walks or writes JSON off the end of the stack. */
const MAX_DEPTH = 100
/**
 * What has many members or elements takes long to parse, and while it is parsed nobody else is served. An event of 64 KiB, the largest that there is, has at
 * most 11,000 members and 33,000 elements; a hundred devices have about 1,200 members.
 */
const MAX_MEMBERS = 24_000
const MAX_COMMAS = 80_000
/** Of so few bytes nothing takes long. */
const SMALL_BYTES = 32_768
/** No `pushkey_ts` in seconds is that large before the year 5138: a homeserver that sends milliseconds. */
const MILLISECONDS_FROM = 1e11

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** `maxDevices`: how many one request may be for. */
export function parseNotification(body: Uint8Array, maxDevices = DEFAULT_MAX_DEVICES): Notification | BadNotification {
  // Of a small body it is not worth looking: it is walked when it is read.
  const shape = body.length > SMALL_BYTES ? shapeOf(body) : undefined
  if (shape !== undefined && (shape.members > MAX_MEMBERS || shape.commas > MAX_COMMAS))
    return { errcode: 'M_TOO_LARGE', error: `The body has more than ${MAX_MEMBERS} members or ${MAX_COMMAS} elements` }
  let json: unknown
  try {
    json = JSON.parse(utf8.decode(body))
  } catch {
    return { errcode: 'M_NOT_JSON', error: 'The body is not JSON' }
  }
  const notification = isJsonObject(json) ? json['notification'] : undefined
  if (!isJsonObject(notification)) return badJson('The body has no object "notification"')
  const list = notification['devices']
  if (!Array.isArray(list) || list.length === 0)
    return badJson('"notification.devices" is not a list of at least one device')
  if (list.length > maxDevices)
    return { errcode: 'M_TOO_LARGE', error: `"notification.devices" has more than ${maxDevices} devices` }
  const isShallow = shape !== undefined && shape.depth <= MAX_DEPTH
  const devices: Device[] = []
  for (const item of list) {
    const device = readDevice(item, isShallow)
    if (device === undefined) return badJson('A device has no string "app_id" or no string "pushkey"')
    devices.push(device)
  }
  return readNotification(notification, devices, { isShallow, bodyBytes: body.length })
}

function badJson(error: string): BadNotification {
  return { errcode: 'M_BAD_JSON', error }
}

/** `isShallow`: nothing in the body is nested too deep. */
function readDevice(value: unknown, isShallow: boolean): Device | undefined {
  if (!isJsonObject(value)) return undefined
  const { app_id: appId, pushkey, pushkey_ts: timestamp } = value
  if (typeof appId !== 'string' || typeof pushkey !== 'string') return undefined
  return {
    appId,
    pushkey: new Secret(pushkey),
    pushkeyTs:
      typeof timestamp === 'number' && timestamp > 0 && Number.isFinite(timestamp)
        ? Math.trunc(timestamp > MILLISECONDS_FROM ? timestamp / 1000 : timestamp)
        : undefined,
    data: readData(value['data'], isShallow),
  }
}

function readData(value: JsonValue | undefined, isShallow: boolean): JsonObject {
  const data = shallowEntries(value, isShallow) ?? {}
  const { default_payload: payload } = data
  const bounded = isJsonObject(payload) ? { ...data, default_payload: boundedEntries(payload) } : data
  // That there was a key for the device must not be forgotten with what is beyond all reason (`core/device-key.ts`).
  return isJsonObject(value) && hasDeviceKey(value) && !hasDeviceKey(data)
    ? { ...bounded, [DEVICE_KEY]: null }
    : bounded
}

interface Measured {
  readonly isShallow: boolean
  readonly bodyBytes: number
}

function readNotification(
  json: JsonObject,
  devices: readonly Device[],
  { isShallow, bodyBytes }: Measured,
): Notification {
  const encrypted = readEncrypted(json)
  const common = { devices, counts: readCounts(json['counts']), prio: json['prio'] === 'low' ? 'low' : 'high' } as const
  // MSC3013: whatever stands in clear beside the sealed fields is ignored.
  if (encrypted !== undefined) return { ...common, kind: 'event', encrypted }
  const eventId = text(json['event_id'])
  const type = text(json['type'])
  const givenContent = shallowEntries(json['content'], isShallow)
  const content = givenContent && boundedContent(givenContent, bodyBytes)
  const isEvent = eventId !== undefined || type !== undefined || content !== undefined
  return {
    ...common,
    kind: isEvent ? 'event' : isJsonObject(json['counts']) ? 'counts' : 'nothing',
    eventId,
    type,
    content,
    roomId: text(json['room_id']),
    sender: text(json['sender']),
    senderDisplayName: text(json['sender_display_name']),
    roomName: text(json['room_name']),
    roomAlias: text(json['room_alias']),
    membership: text(json['membership']),
    userIsTarget: typeof json['user_is_target'] === 'boolean' ? json['user_is_target'] : undefined,
  }
}

function readEncrypted(json: JsonObject): EncryptedPush | undefined {
  const { ephemeral, ciphertext, mac } = json
  if (typeof ephemeral !== 'string' || typeof ciphertext !== 'string' || typeof mac !== 'string') return undefined
  return { ephemeral, ciphertext, mac }
}

function readCounts(value: JsonValue | undefined): Counts | undefined {
  if (!isJsonObject(value)) return undefined
  const counts = { unread: count(value['unread']), missedCalls: count(value['missed_calls']) }
  return counts.unread === undefined && counts.missedCalls === undefined ? undefined : counts
}

function count(value: JsonValue | undefined): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined
  return Math.min(Math.trunc(value), LARGEST_COUNT)
}

/** Synapse writes `""` for what it leaves out (docs/facts/push-gateway-api.md#empty-values). Lone surrogates, which no push service takes, become U+FFFD. */
function text(value: JsonValue | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? boundedText(value).toWellFormed() : undefined
}

/** The object without those of its entries that are nested beyond all reason; undefined where none is left. */
function shallowEntries(value: JsonValue | undefined, isShallow: boolean): JsonObject | undefined {
  const whole = shallowObject(value, isShallow)
  if (whole !== undefined || !isJsonObject(value)) return whole
  const kept = Object.entries(value).filter(([, each]) => shallowObject({ each }, false) !== undefined)
  return kept.length === 0 ? undefined : jsonObject(kept)
}

/** The object, unless it is none or nested beyond all reason. */
function shallowObject(value: JsonValue | undefined, isShallow: boolean): JsonObject | undefined {
  if (!isJsonObject(value)) return undefined
  if (isShallow) return value
  const pending: { readonly node: JsonValue; readonly depth: number }[] = [{ node: value, depth: 1 }]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, depth } = next
    if (typeof node !== 'object' || node === null) continue
    if (depth > MAX_DEPTH) return undefined
    for (const child of Object.values(node))
      if (typeof child === 'object' && child !== null) pending.push({ node: child, depth: depth + 1 })
  }
  return value
}
