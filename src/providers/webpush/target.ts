/** What the sender needs to reach a browser, from what the pusher registered. Pure. */
import { isJsonObject, jsonObjectOf, type JsonObject } from '../../core/json.ts'
import { shapeOf } from '../../core/pusher-match.ts'
import { targetText, unifiedPushTarget } from '../shared/endpoints/target.ts'

/** For the log. */
export const NOT_ALLOWED =
  'Pushes are dropped whose endpoint is at a host that allowed_endpoints does not name; if it is one of a push service that your users have, add it there'

/** Of a subscription as JSON. */
const MAX_PUSHKEY_CHARACTERS = 4096

/**
 * Sygnal's form: pushkey = p256dh, `data.endpoint`, `data.auth` (docs/facts/peers.md#pusher-data). UnifiedPush's: pushkey = endpoint, and, where the app
 * knows its keys, `data.p256dh` and `data.auth`. Or the pushkey is the subscription as JSON, as a browser writes it (docs/facts/web-push.md#pushers). To each
 * belongs `data.declarative`, where the app says it (declarative.ts).
 */
export function targetOf(pushkey: string, data: JsonObject): string {
  const { endpoint, auth } = data
  const hasEndpoint = typeof endpoint === 'string' && endpoint !== ''
  const shape = hasEndpoint ? 'token' : shapeOf(pushkey)
  if (shape === 'url') return unifiedPushTarget(pushkey, data)
  return shape === 'json'
    ? subscriptionTarget(pushkey, formIn(data))
    : targetText(endpoint, pushkey, auth, formIn(data))
}

/** What is not there is not written, so that a device is known by the same hash as ever. */
function formIn({ declarative }: JsonObject): { readonly declarative?: boolean } {
  return typeof declarative === 'boolean' ? { declarative } : {}
}

/** Whether a pusher looks like one of Web Push. */
export function isOwn(pushkey: string, data: JsonObject): boolean {
  return typeof data['endpoint'] === 'string' || shapeOf(pushkey) !== 'token'
}

function subscriptionTarget(pushkey: string, form: { readonly declarative?: boolean }): string {
  const { endpoint, keys } = pushkey.length <= MAX_PUSHKEY_CHARACTERS ? (jsonObjectOf(pushkey) ?? {}) : {}
  const { p256dh, auth } = isJsonObject(keys) ? keys : {}
  return targetText(endpoint, p256dh, auth, form)
}
