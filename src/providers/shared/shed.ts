/** Makes the fields of a message fit into its limit, in linear time: what people miss least goes first. Pure. */
import type { JsonValue } from '../../core/json.ts'
import { truncate } from '../../core/text.ts'

/** What goes when a message is too large, from what is missed least; within a rank the longest first. */
const SHED_ORDER = [
  'markup', // the body again, with its formatting
  'ciphertext', // of no use once cut; an app fetches the event by its ID
  'content', // every other field of the content
  'default payload', // its values over 128 bytes
  'room_alias',
  'body',
  'names', // who and where: what a notification is headed with
  'kind', // type, membership, msgtype
  'constants', // small values of default_payload: by them Element X (cs) and Hydrogen (session_id) find the account
  'ids', // event_id, room_id: all that is needed to fetch the rest
] as const
/** `kept`: our own few bytes (prio, counts), and what is encrypted for the device and has been measured before. */
export type Rank = (typeof SHED_ORDER)[number] | 'kept'

/** Below this a text says too little to be worth its key. */
const MIN_TEXT_BYTES = 32
/** A value of default_payload up to this size is a constant that the app needs; beyond, it is content. */
const MAX_CONSTANT_BYTES = 128

export interface Field {
  readonly value: JsonValue
  readonly rank: Rank
}

/** How much of the limit a field takes, in bytes. */
export interface Measure<F extends Field> {
  /** With its key. */
  readonly bytesOf: (field: F) => number
  /** By which the longest of a rank is found. */
  readonly lengthOf: (field: F) => number
  /** Of a text as the value of a field, or as a piece of one. */
  readonly textBytes: (text: string) => number
  /** Whether its text may be shortened; anything else is whole or gone. */
  readonly mayShorten: (field: F) => boolean
}

/** `bytes`: of a value of default_payload. */
export function defaultPayloadRank(bytes: number): Rank {
  return bytes > MAX_CONSTANT_BYTES ? 'default payload' : 'constants'
}

/** The fields without `excessBytes` of what they take, in their order. What is kept stays, also where that is still too much. */
export function shed<F extends Field>(fields: readonly F[], excessBytes: number, measure: Measure<F>): readonly F[] {
  const sized = fields.map((field) => ({ field, length: measure.lengthOf(field) }))
  const candidates = SHED_ORDER.flatMap((rank) =>
    sized.filter(({ field }) => field.rank === rank).sort((a, b) => b.length - a.length),
  )
  const left = new Map<F, F | undefined>()
  let excess = excessBytes
  for (const { field } of candidates) {
    if (excess <= 0) break
    const shorter = shortened(field, excess, measure)
    left.set(field, shorter)
    excess -= measure.bytesOf(field) - (shorter === undefined ? 0 : measure.bytesOf(shorter))
  }
  return fields.flatMap((field) => (left.has(field) ? (left.get(field) ?? []) : field))
}

/**
 * Of an event's content, the same for all its devices: what `shed` might leave of it where the limit is `maxBytes`, so that what it drops in any case need not
 * be looked at for each device. `isCut`: something is dropped.
 */
export function leaveOutHopeless<F extends Field>(
  fields: readonly F[],
  maxBytes: number,
  measure: Measure<F>,
): { readonly fields: readonly F[]; readonly isCut: boolean } {
  const shortestFirst = fields
    .filter(({ rank }) => rank === 'content')
    .map((field) => ({ field, length: measure.lengthOf(field) }))
    .sort((a, b) => b.length - a.length)
    .toReversed()
  const hopeless = new Set<F>()
  let bytes = 0
  for (const { field } of shortestFirst) {
    // The first that does not fit may still be shortened.
    if (bytes > maxBytes) hopeless.add(field)
    bytes += measure.bytesOf(field)
  }
  return { fields: fields.filter((field) => !hopeless.has(field)), isCut: hopeless.size > 0 }
}

/** Undefined where nothing worth its key would be left. */
function shortened<F extends Field>(field: F, excess: number, { textBytes, mayShorten }: Measure<F>): F | undefined {
  const { value } = field
  if (typeof value !== 'string' || !mayShorten(field)) return undefined
  const text = truncate(value, textBytes(value) - excess, textBytes)
  return textBytes(text) < MIN_TEXT_BYTES ? undefined : { ...field, value: text }
}
