/** What a UnifiedPush app is told whose endpoint has no keys: the shape that the Matrix gateways of push servers pass on (common-proxies, ntfy). */
import { jsonObjectOf } from '../../core/json.ts'

/** From a rendered payload; `notification` without its devices. Element X reads event_id, room_id and counts.unread (docs/facts/web-push.md#unifiedpush). */
export function unifiedPushBody(payload: string): string {
  const { unread, missed_calls, ...fields } = jsonObjectOf(payload) ?? {}
  const counts = unread === undefined && missed_calls === undefined ? {} : { counts: { unread, missed_calls } }
  const body = JSON.stringify({ notification: { ...fields, ...counts } })
  // As long as it was, for the padding's sake; what is added has room within the 4096 bytes that encryption would have taken.
  return body + ' '.repeat(Math.max(0, Buffer.byteLength(payload) - Buffer.byteLength(body)))
}
