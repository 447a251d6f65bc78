/** What a request to the relay says, and why it is refused: the headers of RFC 8030 and RFC 8292, and the body of a trade. Pure. */
import type { IncomingHttpHeaders } from 'node:http'
import { jsonObjectOf, type JsonObject } from '../core/json.ts'
import { URGENCIES, type Urgency } from '../core/relay.ts'
import { isKid, type Subscription } from '../core/relay-endpoint.ts'
import { Secret } from '../core/secret.ts'
import { isSigned, isVapidKey, readVapid, type Vapid } from '../core/vapid.ts'
import type { RelayedDevice, WebPush } from '../intake/relayed.ts'

export interface Refusal {
  readonly status: 400 | 401 | 403 | 404 | 411 | 413 | 415 | 503
  readonly errcode: string
  readonly error: string
}

/** Matrix specification, `POST /pushers/set`. */
const MAX_PUSHKEY_BYTES = 512
/** RFC 8292 §2: at most a day. */
const TOKEN_LIFETIME_SECONDS = 24 * 3600
/** So far two clocks may differ. */
const CLOCK_SLACK_SECONDS = 300
/** RFC 8030 §5.2: more digits are no time. */
const TTL = /^\d{1,10}$/
/** RFC 8030 §5.4. */
const TOPIC = /^[A-Za-z0-9_-]{1,32}$/

/**
 * 403 only where somebody else has signed: a homeserver gives up an endpoint that answers it (MSC4174), and must not do so because a clock is wrong, or the
 * address of this gateway.
 */
const SIGNED_BY_ANOTHER: Refusal = {
  status: 403,
  errcode: 'M_FORBIDDEN',
  error: 'It is not signed with the key that this endpoint was made for',
}

/** Of what is said before the body. The signature comes last: to look at it costs more than all the rest. */
export function refusalOf(
  headers: IncomingHttpHeaders,
  { relay, registration }: RelayedDevice,
  nowMs: number,
): Refusal | undefined {
  const vapid = readVapid(headers.authorization)
  if (vapid === 'missing') return unauthorized('There is no VAPID authorization (RFC 8292)')
  if (vapid === 'malformed') return unauthorized('The VAPID authorization cannot be read')
  if (vapid === 'not for ES256' || vapid.key !== registration.vapidKey) return SIGNED_BY_ANOTHER
  const refusal = claimsRefusal(vapid, relay.origin, nowMs) ?? headersRefusal(headers, relay.maxBytes)
  if (refusal !== undefined) return refusal
  return isSigned(vapid) ? undefined : SIGNED_BY_ANOTHER
}

function headersRefusal(headers: IncomingHttpHeaders, maxBytes: number): Refusal | undefined {
  const { ttl, topic, urgency = 'normal', 'content-encoding': encoding } = headers
  // RFC 8291 §4. Also the older aesgcm, whose keys are in headers that nobody would get.
  if (encoding !== 'aes128gcm')
    return { status: 415, errcode: 'M_UNRECOGNIZED', error: 'Content-Encoding is not aes128gcm' }
  if (!TTL.test(String(ttl))) return bad('TTL is missing, or no number of seconds')
  if (topic !== undefined && !TOPIC.test(String(topic))) return bad('Topic is not 1 to 32 characters of base64url')
  if (!isUrgency(urgency)) return bad('Urgency is none of RFC 8030')
  return lengthOf(headers) > maxBytes ? tooLarge(maxBytes) : undefined
}

function claimsRefusal({ claims }: Vapid, origin: string, nowMs: number): Refusal | undefined {
  const { aud, exp } = claims
  if (aud !== origin) return unauthorized('aud is not the origin of this endpoint')
  const leftSeconds = typeof exp === 'number' ? exp - nowMs / 1000 : Number.NaN
  const isNow = leftSeconds > -CLOCK_SLACK_SECONDS && leftSeconds <= TOKEN_LIFETIME_SECONDS + CLOCK_SLACK_SECONDS
  return isNow ? undefined : unauthorized('exp has passed, or is more than 24 hours away')
}

/** Of headers that were looked at. */
export function webPushOf({ ttl, topic, urgency }: IncomingHttpHeaders, body: Buffer): WebPush {
  return {
    record: body.toString('base64url'),
    urgency: isUrgency(urgency) ? urgency : 'normal',
    ttlSeconds: Number(ttl),
    topic: topic === undefined ? undefined : String(topic),
  }
}

function isUrgency(text: unknown): text is Urgency {
  return URGENCIES.some((urgency) => urgency === text)
}

/** Of a trade. */
export function subscriptionOf(body: Buffer): Subscription | Refusal {
  const fields = jsonObjectOf(body.toString())
  const pushkey = pushkeyIn(fields)
  if ('status' in pushkey) return pushkey
  const { vapid, kid } = fields ?? {}
  if (typeof vapid !== 'string' || !isVapidKey(vapid))
    return bad('vapid is no point of P-256, uncompressed, as base64url')
  if (kid !== undefined && (typeof kid !== 'string' || !isKid(kid))) return bad('kid is not 16 bytes as base64url')
  return { pushkey, vapidKey: vapid, kid }
}

/** Of a revocation. */
export function pushkeyOf(body: Buffer): Secret | Refusal {
  return pushkeyIn(jsonObjectOf(body.toString()))
}

function pushkeyIn(fields: JsonObject | undefined): Secret | Refusal {
  if (fields === undefined) return { status: 400, errcode: 'M_NOT_JSON', error: 'The body is no JSON object' }
  const { pushkey } = fields
  if (typeof pushkey !== 'string' || pushkey === '' || Buffer.byteLength(pushkey) > MAX_PUSHKEY_BYTES)
    return bad(`pushkey is no text of at most ${MAX_PUSHKEY_BYTES} bytes`)
  return new Secret(pushkey)
}

function unauthorized(error: string): Refusal {
  return { status: 401, errcode: 'M_UNAUTHORIZED', error }
}

/** Each body says how long it is: so it is limited, and counted for its source, before it is read. */
export function lengthRefusal(headers: IncomingHttpHeaders): Refusal | undefined {
  if (headers['content-length'] !== undefined) return undefined
  return { status: 411, errcode: 'M_MISSING_PARAM', error: 'The header Content-Length is missing' }
}

/** 0 where it is not said. */
export function lengthOf(headers: IncomingHttpHeaders): number {
  return Number(headers['content-length'] ?? 0)
}

export function bad(error: string): Refusal {
  return { status: 400, errcode: 'M_BAD_JSON', error }
}

export function tooLarge(bytes: number): Refusal {
  return { status: 413, errcode: 'M_TOO_LARGE', error: `The body is larger than ${bytes} bytes` }
}
