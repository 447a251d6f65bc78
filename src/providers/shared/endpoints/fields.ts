/** Push → the fields of a payload: what Sygnal 0.17 sends to browsers (docs/facts/peers.md#recorded-cases). */
import type { JsonObject } from '../../../core/json.ts'
import type { PushIdentity } from '../../../core/message.ts'
import { oncePer } from '../../../core/once-per.ts'
import type { Counts, EncryptedPush, EventIdOnlyPush, FullPush, MinimalPush, Push } from '../../../core/push.ts'
import { truncate } from '../../../core/text.ts'
import type { Rank } from '../shed.ts'
import { defaultField, MAX_PAYLOAD_BYTES, withoutHopeless, type PayloadField } from './fit.ts'

/** Sygnal's limits for fields of the content (golden: web-body-1000, web-body-1001). */
const MAX_BODY_CHARACTERS = 1000
const MAX_CIPHERTEXT_CHARACTERS = 2000

const CONTENT_RANKS: Readonly<Record<string, Rank>> = { body: 'body', msgtype: 'kind', ciphertext: 'ciphertext' }

/**
 * Topic (RFC 8030 §5.4): of pushes with the same one that wait for a device the last is kept: of a room where the app wants that, and of badge
 * updates. Events have none of their own: FCM keeps four collapse keys per device (docs/facts/fcm.md#limits), and a lost push is worse than a second one.
 */
export function headersOf(
  { kind, prio }: Push,
  { collapseId, roomCollapseId, lifetimeMs }: PushIdentity,
  longestSeconds: number,
): Readonly<Record<string, string>> {
  const topic = roomCollapseId ?? (kind === 'counts' ? collapseId : undefined)
  return {
    ttl: String(Math.min(longestSeconds, Math.ceil(lifetimeMs / 1000))),
    urgency: prio === 'low' ? 'low' : 'normal',
    ...(topic === undefined ? {} : { topic }),
  }
}

/** All that a payload says; of fields with the same key the last counts. */
export function fieldsOf(push: Push): readonly PayloadField[] {
  const defaults = Object.entries(push.defaultPayload).map(([key, value = null]) => defaultField(key, value))
  if (push.encrypted !== undefined) return [...defaults, ...encryptedFields(push.encrypted)]
  if (push.detail === 'minimal') return [...defaults, ...minimalFields(push)]
  return [...defaults, ...openFields(push)]
}

/** A wake-up: the same keys for every event, so that its shape says nothing. */
function minimalFields({ ids, counts }: MinimalPush): readonly PayloadField[] {
  return present([
    ['sync', '1', 'kept'],
    ['room_id', ids?.roomId, 'ids'],
    ['event_id', ids?.eventId, 'ids'],
    ...countFields(counts),
  ])
}

function openFields(push: EventIdOnlyPush | FullPush): readonly PayloadField[] {
  const { roomId, eventId, counts } = push
  if (push.detail === 'event_id_only')
    return present([['room_id', roomId, 'ids'], ['event_id', eventId, 'ids'], ...countFields(counts)])
  const { roomName, roomAlias, membership, sender, senderDisplayName, userIsTarget, type, content = {} } = push
  const fields = present([
    ['room_id', roomId, 'ids'],
    ['room_name', roomName, 'names'],
    ['room_alias', roomAlias, 'room_alias'],
    ['membership', membership, 'kind'],
    ['event_id', eventId, 'ids'],
    ['sender', sender, 'names'],
    ['sender_display_name', senderDisplayName, 'names'],
    ['user_is_target', userIsTarget === true ? true : undefined, 'kept'],
    ['type', type, 'kind'],
    ...countFields(counts),
  ])
  return [...fields, ...contentFields(content)]
}

/** Of a push that says nothing else, because what it was to say does not fit. */
export const WAKE_UP: PayloadField = { key: 'sync', value: '1', rank: 'kept', isCut: true }

/** Once for all devices. */
const contentFields = oncePer((content: JsonObject) =>
  withoutHopeless(Object.entries(content).flatMap(([key, value = null]) => contentField(key, value))),
)

function contentField(key: string, value: PayloadField['value']): readonly PayloadField[] {
  // The body again, in markup that no notification shows.
  if (key === 'formatted_body') return []
  if (key === 'ciphertext' && typeof value === 'string' && value.length > MAX_CIPHERTEXT_CHARACTERS) return []
  const kept = key === 'body' && typeof value === 'string' ? shortBody(value) : value
  return [{ key, value: kept, rank: CONTENT_RANKS[key] ?? 'content', inContent: true, isCut: kept !== value }]
}

/** `truncate` reckons its ellipsis as three, so each character counts three: 1000 stay whole, a longer body becomes 999 and `…`. */
function shortBody(body: string): string {
  return truncate(body, MAX_BODY_CHARACTERS * 3, (piece) => Array.from(piece).length * 3)
}

type Entry = readonly [key: string, value: PayloadField['value'] | undefined, rank: Rank]

function countFields(counts: Counts | undefined): readonly Entry[] {
  return [
    ['unread', counts?.unread, 'kept'],
    ['missed_calls', counts?.missedCalls, 'kept'],
  ]
}

function present(entries: readonly Entry[]): readonly PayloadField[] {
  return entries.flatMap(([key, value, rank]) => (value === undefined ? [] : [{ key, value, rank }]))
}

/** MSC3013: nothing that is readable beside it; the three keys whole, or, when they do not fit, a bare wake-up. */
function encryptedFields({ ephemeral, ciphertext, mac }: EncryptedPush): readonly PayloadField[] {
  const sealed = { ephemeral, ciphertext, mac }
  if (Buffer.byteLength(JSON.stringify(sealed)) > MAX_PAYLOAD_BYTES) return [WAKE_UP]
  return present(Object.entries(sealed).map(([key, value]) => [key, value, 'kept']))
}
