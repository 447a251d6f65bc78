/** What the simulated push service refuses, and with which status: RFC 8030 and RFC 8292 to the letter. */
import type { IncomingHttpHeaders } from 'node:http'
import { URGENCIES } from '../core/relay.ts'
import { isSigned, readVapid } from '../core/vapid.ts'

export interface Refusal {
  readonly status: number
  /** For people. */
  readonly reason: string
}

const MAX_BODY_BYTES = 4096
const TOKEN_LIFETIME_SECONDS = 24 * 3600
const VAPID = /^vapid t=[\w.-]+, ?k=[\w-]+$/

export function refusalOf(headers: IncomingHttpHeaders, body: Buffer): Refusal | undefined {
  const { ttl, topic, urgency, 'content-encoding': encoding } = headers
  if (ttl === undefined || !/^\d{1,10}$/.test(String(ttl))) return refusal(400, 'TTL is missing or no number') // RFC 8030 §5.2
  if (encoding !== 'aes128gcm') return refusal(415, 'Content-Encoding is not aes128gcm') // RFC 8291 §4
  if (topic !== undefined && !/^[\w-]{1,32}$/.test(String(topic)))
    return refusal(400, 'Topic is not 1 to 32 base64url characters') // RFC 8030 §5.4
  if (urgency !== undefined && !URGENCIES.some((each) => each === String(urgency)))
    return refusal(400, 'Urgency is unknown') // RFC 8030 §5.3
  if (body.length > MAX_BODY_BYTES) return refusal(413, 'more than 4096 bytes') // RFC 8030 §7.2
  return undefined
}

/** Of a push server of UnifiedPush (SERV_1.2.0, "Push"), as strict as ours may be to those that are Web Push servers as well. */
export function unifiedPushRefusalOf(headers: IncomingHttpHeaders, body: Buffer): Refusal | undefined {
  if (body.length === 0) return refusal(400, 'the message is empty')
  return refusalOf(headers, body)
}

/** The public key (base64url) that signed for `origin`, or why the request is not let in (RFC 8292 §2, §3, §4). */
export function signerOf(authorization: string | undefined, origin: string, nowMs: number): string | Refusal {
  const vapid = VAPID.test(authorization ?? '') ? readVapid(authorization) : 'missing'
  if (vapid === 'missing') return refusal(401, 'there is no VAPID authorization')
  if (typeof vapid === 'string') return refusal(403, vapid === 'malformed' ? 'malformed token' : vapid)
  const { aud, exp, sub } = vapid.claims
  if (aud !== origin) return refusal(403, 'aud is another origin')
  const nowSeconds = nowMs / 1000
  if (typeof exp !== 'number' || exp <= nowSeconds || exp > nowSeconds + TOKEN_LIFETIME_SECONDS)
    return refusal(403, 'exp has passed, or is more than 24 hours away')
  if (typeof sub !== 'string' || !/^(?:mailto:.+@|https:\/\/)/.test(sub)) return refusal(403, 'sub is no contact')
  if (!isSigned(vapid)) return refusal(403, 'wrong signature')
  return vapid.key
}

function refusal(status: number, reason: string): Refusal {
  return { status, reason }
}
