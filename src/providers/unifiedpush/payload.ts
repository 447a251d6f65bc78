/**
 * Push → headers and the JSON that the app reads: `notification`, as the Matrix gateways of push servers pass it on (docs/facts/unifiedpush.md#what-apps-read).
 * The same with keys and without, as apps parse it after it was decrypted.
 */
import { isJsonObject, jsonObject, jsonObjectOf, type JsonObject } from '../../core/json.ts'
import type { PushIdentity, Rendered } from '../../core/message.ts'
import type { Push } from '../../core/push.ts'
import { fieldsOf, headersOf } from '../shared/endpoints/fields.ts'
import { fitInto, MAX_PAYLOAD_BYTES, padded, type PayloadField } from '../shared/endpoints/fit.ts'
import { DEFAULT_TTL_SECONDS, type UnifiedPushOptions } from './options.ts'

/** What `shaped` adds at most. */
const SHAPE_BYTES = Buffer.byteLength('{"notification":}"counts":{},"devices":[{"data":{}}],')

export function renderer(options: UnifiedPushOptions): (push: Push, identity: PushIdentity) => Rendered {
  const longestSeconds = options.ttl ?? DEFAULT_TTL_SECONDS

  return (push, identity) => {
    if (push.kind === 'counts' && push.pusher?.eventsOnly === true)
      return { kind: 'nothing', reason: 'the app wants events only' }
    const { json, truncated } = fitInto([...fieldsOf(push), ...ownFields(push)], MAX_PAYLOAD_BYTES - SHAPE_BYTES)
    const body = padded(JSON.stringify({ notification: shaped(jsonObjectOf(json) ?? {}) }))
    return { kind: 'message', message: { headers: headersOf(push, identity, longestSeconds), body }, truncated }
  }
}

/** What only these apps read: the sealed block, and FluffyChat's name for the account. */
function ownFields(push: Push): readonly PayloadField[] {
  if (push.encrypted !== undefined) return []
  if (push.detail !== 'minimal')
    return push.clientName === undefined ? [] : [{ key: 'client_name', value: push.clientName, rank: 'constants' }]
  const { sealed } = push
  if (sealed === undefined) return []
  return [
    { key: 'hushgate_kid', value: sealed.kid, rank: 'kept' },
    { key: 'hushgate_sealed', value: sealed.record, rank: 'kept' },
  ]
}

/** Nested as in the push gateway API. */
function shaped({ unread, missed_calls: missedCalls, client_name: clientName, ...fields }: JsonObject): JsonObject {
  const counts = jsonObject([
    ['unread', unread],
    ['missed_calls', missedCalls],
  ])
  const data = jsonObject([['client_name', clientName]])
  return jsonObject([
    ...Object.entries(fields),
    ['counts', emptyAsAbsent(counts)],
    ['devices', emptyAsAbsent(data) && [{ data }]],
  ])
}

function emptyAsAbsent(object: JsonObject): JsonObject | undefined {
  return isJsonObject(object) && Object.keys(object).length > 0 ? object : undefined
}
