/** A payload's fields, fitted into what a push service takes, and padded so that its length says little. */
import { jsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { jsonBytes, truncate } from '../../core/text.ts'

/** A push service must take 4096 bytes (RFC 8030 §7.2), of which encryption needs 103: header 86, padding delimiter 1, tag 16 (RFC 8291 §4). */
export const MAX_PAYLOAD_BYTES = 3993
/** The lengths of payloads: one for all that is minimal or `event_id_only`; 2640 for Mozilla's way to FCM (docs/facts/web-push.md#lengths-of-messages). */
export const PAYLOAD_LENGTHS = [1024, 2048, 2640, MAX_PAYLOAD_BYTES] as const
/** Below this a text says too little to be worth its key. */
const MIN_TEXT_BYTES = 32
/** A value of default_payload up to this size is a constant that the app needs (`session_id`); beyond, it is content. */
const MAX_CONSTANT_BYTES = 128

/** What goes when a payload is too large, from what is missed least; within a row the longest first. */
const SHED_ORDER = [
  'ciphertext', // of no use to a service worker without keys; the app fetches the event by its ID
  'content', // every other field of the content
  'default payload', // its values over 128 bytes
  'room_alias',
  'body',
  'names', // who and where: what a notification is headed with
  'kind', // type, membership, msgtype
  'constants', // small values of default_payload: session_id tells Hydrogen whose push it is
  'ids', // event_id, room_id: all that is needed to fetch the rest
] as const
/** `kept`: our own few bytes (counts), and what was sealed for the device and has been measured before. */
export type Rank = (typeof SHED_ORDER)[number] | 'kept'

/** Texts of these ranks may be shortened; anything else is whole or gone. */
const SHORTENED = new Set<Rank>(['room_alias', 'body', 'names'])

export interface Field {
  readonly key: string
  readonly value: JsonValue
  readonly rank: Rank
  /** A field of the payload's `content`. */
  readonly inContent?: boolean | undefined
  /** It has been longer. */
  readonly isCut?: boolean | undefined
}

export interface Fitted {
  readonly json: string
  readonly truncated: boolean
}

/** A value of pusher data. */
export function defaultField(key: string, value: JsonValue): Field {
  const isLarge = Buffer.byteLength(JSON.stringify(value)) > MAX_CONSTANT_BYTES
  return { key, value, rank: isLarge ? 'default payload' : 'constants' }
}

/** Of fields with the same key the last counts, in the place of the first. */
export function fit(fields: readonly Field[]): Fitted {
  const unique = [...new Map(fields.map((field) => [`${field.inContent === true}.${field.key}`, field])).values()]
  const whole = JSON.stringify(toObject(unique))
  if (Buffer.byteLength(whole) <= MAX_PAYLOAD_BYTES)
    return { json: padded(whole), truncated: unique.some(({ isCut }) => isCut === true) }
  return { json: padded(JSON.stringify(toObject(shed(unique)))), truncated: true }
}

/** JSON may end in white space (RFC 8259 §2), which no parser hands on. */
function padded(json: string): string {
  const bytes = Buffer.byteLength(json)
  const length = PAYLOAD_LENGTHS.find((each) => each >= bytes) ?? bytes
  return json + ' '.repeat(length - bytes)
}

function toObject(fields: readonly Field[]): JsonObject {
  const entriesOf = (list: readonly Field[]) => list.map(({ key, value }) => [key, value] as const)
  const content = fields.filter(({ inContent }) => inContent === true)
  const others = fields.filter(({ inContent }) => inContent !== true)
  return jsonObject([
    ...entriesOf(others),
    ...(content.length === 0 ? [] : [['content', jsonObject(entriesOf(content))] as const]),
  ])
}

function shed(fields: readonly Field[]): readonly Field[] {
  const sized = fields.map((field) => ({ field, bytes: bytesOf(field) }))
  const budget = MAX_PAYLOAD_BYTES - Buffer.byteLength('{"content":{},}')
  let excess = sized.reduce((sum, { bytes }) => sum + bytes, -budget)
  const candidates = SHED_ORDER.flatMap((rank) =>
    sized.filter(({ field }) => field.rank === rank).sort((a, b) => b.bytes - a.bytes),
  )
  const changed = new Map<Field, Field | undefined>()
  for (const { field, bytes } of candidates) {
    if (excess <= 0) break
    const shorter = shortened(field, excess)
    changed.set(field, shorter)
    excess -= bytes - (shorter === undefined ? 0 : bytesOf(shorter))
  }
  return fields.flatMap((field) => {
    const kept = changed.has(field) ? changed.get(field) : field
    return kept === undefined ? [] : [kept]
  })
}

/** With its comma. */
function bytesOf({ key, value }: Field): number {
  return Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(value)) + 2
}

function shortened(field: Field, excess: number): Field | undefined {
  const { value, rank } = field
  if (typeof value !== 'string' || !SHORTENED.has(rank)) return undefined
  const shorter = truncate(value, jsonBytes(value) - excess, jsonBytes)
  return jsonBytes(shorter) < MIN_TEXT_BYTES ? undefined : { ...field, value: shorter }
}
