/** Push → the exact headers and JSON that APNs gets, but for the authorization and the topic of a certificate. Pure. */
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import type { Message, PushIdentity, Rendered } from '../../core/message.ts'
import type { Push } from '../../core/push.ts'
import { fit } from './fit.ts'
import { payloadOf, wakeUp, type Style } from './layout.ts'
import { fixedPushType, type ApnsOptions } from './options.ts'

// Apple, "Sending notification requests to APNs": the payload's limits, before compression.
const MAX_BYTES = 4096
const MAX_BYTES_VOIP = 5120
/** A badge update with the largest number. */
const BADGE_BYTES = '{"aps":{"badge":18446744073709552000}}'.length

export function renderer(options: ApnsOptions): (push: Push, identity: PushIdentity) => Rendered {
  const maxBytes = options.push_type === 'voip' ? MAX_BYTES_VOIP : MAX_BYTES
  const style = { locKey: options.loc_key ?? 'Notification', background: options.push_type === 'background' }
  return (push, identity) => {
    const payload = payloadOf(push, style)
    if (payload === undefined) return { kind: 'nothing', reason: 'no alert and no counts' }
    const { body, truncated } = bodyOf(payload, push, style, maxBytes)
    return { kind: 'message', message: { headers: headersOf(options, payload, push, identity), body }, truncated }
  }
}

function headersOf(options: ApnsOptions, payload: JsonObject, push: Push, identity: PushIdentity): Message['headers'] {
  const { topic } = options
  const pushType =
    options.push_type === undefined || options.push_type === 'auto' ? pushTypeOf(payload) : fixedPushType(options)
  return {
    ...(topic === undefined ? {} : { 'apns-topic': topic }),
    ...(pushType === undefined ? {} : { 'apns-push-type': pushType }),
    // Apple: 10 is an error for background pushes.
    'apns-priority': push.prio === 'low' || pushType === 'background' ? '5' : '10',
    // Apple: a walkie-talkie push is worth nothing later.
    'apns-expiration': pushType === 'pushtotalk' ? '0' : String(Math.floor(identity.expiresAtMs / 1000)),
    'apns-id': identity.id,
    'apns-collapse-id': identity.collapseId,
  }
}

/**
 * Apple: "required for watchOS 6 and later, recommended" elsewhere, and one that does not match the payload may delay or drop the push. So it is
 * left out of a push that neither shows anything nor asks for background time, which is what an app without default_payload gets.
 */
function pushTypeOf({ aps }: JsonObject): 'alert' | 'background' | undefined {
  if (!isJsonObject(aps)) return undefined
  if (['alert', 'badge', 'sound'].some((key) => aps[key] !== undefined && aps[key] !== null)) return 'alert'
  return aps['content-available'] === 1 ? 'background' : undefined
}

function bodyOf(
  payload: JsonObject,
  push: Push,
  style: Style,
  maxBytes: number,
): { readonly body: string; readonly truncated: boolean } {
  // What was sealed for the device goes whole or not at all: half a ciphertext is worth nothing (docs/facts/push-gateway-api.md#msc3013).
  if (push.encrypted !== undefined) {
    const sealed = stringify({ ...payload, ...push.encrypted })
    if (sealed !== undefined && Buffer.byteLength(sealed) <= maxBytes) return { body: sealed, truncated: false }
  }
  const lastResort = wakeUp({ prio: push.prio, defaultPayload: {} }, style)
  const whole = stringify(payload)
  if (whole === undefined) return { body: JSON.stringify(lastResort), truncated: true }
  const bytes = Buffer.byteLength(whole)
  if (push.detail === 'minimal' && push.kind === 'counts') return { body: whole.padEnd(BADGE_BYTES), truncated: false }
  if (bytes <= maxBytes) return { body: whole, truncated: push.encrypted !== undefined }
  return { body: fit(payload, bytes, maxBytes, lastResort), truncated: true }
}

/** Undefined where it is nested too deeply to be written; only a made-up default_payload is. */
function stringify(payload: JsonObject): string | undefined {
  try {
    return JSON.stringify(payload)
  } catch {
    return undefined
  }
}
