/** A payload's fields, fitted into what a push service takes, and padded so that its length says little. */
import { jsonObject, type JsonObject, type JsonValue } from '../../../core/json.ts'
import { jsonBytes } from '../../../core/text.ts'
import { defaultPayloadRank, leaveOutHopeless, shed, type Field, type Measure, type Rank } from '../shed.ts'

/** A push service must take 4096 bytes (RFC 8030 §7.2), of which encryption needs 103: header 86, padding delimiter 1, tag 16 (RFC 8291 §4). */
export const MAX_PAYLOAD_BYTES = 3993
/** The lengths of payloads: one for all that is minimal or `event_id_only`; 2640 for Mozilla's way to FCM (docs/facts/web-push.md#lengths-of-messages). */
export const PAYLOAD_LENGTHS = [1024, 2048, 2640, MAX_PAYLOAD_BYTES] as const
/** Texts of these ranks may be shortened; anything else is whole or gone. */
const SHORTENED = new Set<Rank>(['room_alias', 'body', 'names'])
/** The rest of a payload. */
const AROUND_BYTES = Buffer.byteLength('{"content":{},}')

export interface PayloadField extends Field {
  readonly key: string
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
export function defaultField(key: string, value: JsonValue): PayloadField {
  return { key, value, rank: defaultPayloadRank(Buffer.byteLength(JSON.stringify(value))) }
}

const MEASURE: Measure<PayloadField> = {
  bytesOf,
  lengthOf: bytesOf,
  textBytes: jsonBytes,
  mayShorten: ({ rank }) => SHORTENED.has(rank),
}

/** Of fields with the same key the last counts, in the place of the first. */
export function fit(fields: readonly PayloadField[]): Fitted {
  const { json, truncated } = fitInto(fields, MAX_PAYLOAD_BYTES)
  return { json: padded(json), truncated }
}

/** The same without padding, into so many bytes. */
export function fitInto(fields: readonly PayloadField[], maxBytes: number): Fitted {
  const unique = [...new Map(fields.map((field) => [`${field.inContent === true}.${field.key}`, field])).values()]
  const whole = JSON.stringify(toObject(unique))
  if (Buffer.byteLength(whole) <= maxBytes)
    return { json: whole, truncated: unique.some(({ isCut }) => isCut === true) }
  const excessBytes = unique.reduce((sum, field) => sum + bytesOf(field), AROUND_BYTES - maxBytes)
  return { json: JSON.stringify(toObject(shed(unique, excessBytes, MEASURE))), truncated: true }
}

/** Fields of an event's content without those for which there is no room in any case. One that stays tells that something went. */
export function withoutHopeless(content: readonly PayloadField[]): readonly PayloadField[] {
  const { fields, isCut } = leaveOutHopeless(content, MAX_PAYLOAD_BYTES, MEASURE)
  return isCut ? fields.map((field) => ({ ...field, isCut: true })) : fields
}

/** JSON may end in white space (RFC 8259 §2), which no parser hands on. */
export function padded(json: string): string {
  const bytes = Buffer.byteLength(json)
  const length = PAYLOAD_LENGTHS.find((each) => each >= bytes) ?? bytes
  return json + ' '.repeat(length - bytes)
}

function toObject(fields: readonly PayloadField[]): JsonObject {
  const entriesOf = (list: readonly PayloadField[]) => list.map(({ key, value }) => [key, value] as const)
  const content = fields.filter(({ inContent }) => inContent === true)
  const others = fields.filter(({ inContent }) => inContent !== true)
  return jsonObject([
    ...entriesOf(others),
    ...(content.length === 0 ? [] : [['content', jsonObject(entriesOf(content))] as const]),
  ])
}

/** With its comma. */
function bytesOf({ key, value }: PayloadField): number {
  return Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(value)) + 2
}
