/** What an answer of APNs means, as a table. Pure: status, reason and headers in, `Outcome` out. */
import { isJsonObject } from '../../core/json.ts'
import { parseRetryAfter, type Outcome, type Retry } from '../../core/outcome.ts'
import { wordOf } from './reasons.ts'

export interface Answer {
  readonly status: number
  readonly retryAfter?: string | undefined
  /** At most a few KiB of the body, as text. */
  readonly body: string
}

const MINUTE_MS = 60_000
type Verdict = 'rejected' | 'blocked' | 'failed' | Omit<Retry, 'kind' | 'reason'>

/** Nothing in the push was at fault: another connection may take it at once. */
const AT_ONCE: Verdict = { scope: 'delivery', ambiguous: false, afterMs: 0 }

/**
 * By status and reason, else by status alone. Reasons: Apple, "Handling notification responses from APNs". `blocked` stands only where
 * the answer depends on nothing but our credential and configuration: whoever posts to us chooses the device token and the payload,
 * so no answer about those may block.
 */
const VERDICTS: Readonly<Record<string, Verdict>> = {
  // The device token: docs/facts/apns.md#dead-tokens. The breaker watches for a wrong topic or environment.
  '400 BadDeviceToken': 'rejected',
  '400 DeviceTokenNotForTopic': 'rejected',
  // Unregistered, ExpiredToken: Apple has no other reasons for it.
  '410': 'rejected',
  // Our topic, key or certificate: docs/facts/apns.md#our-credential-or-configuration.
  '400 BadTopic': 'blocked',
  '400 MissingTopic': 'blocked',
  '400 TopicDisallowed': 'blocked',
  '403 BadCertificate': 'blocked',
  '403 BadCertificateEnvironment': 'blocked',
  '403 BadEnvironmentKeyInToken': 'blocked',
  '403 InvalidProviderToken': 'blocked',
  '403 MissingProviderToken': 'blocked',
  // After a fresh token was refused too (sender.ts): our clock is wrong by an hour or more.
  '403 ExpiredProviderToken': 'blocked',
  // Apple: "To use this token, open a new connection."
  '403 UnrelatedKeyIdInToken': AT_ONCE,
  // Forbidden, or no word of Apple's: not said what is forbidden, so no proof; kept, and slowed down for this delivery alone.
  '403': { scope: 'delivery', ambiguous: false, floorMs: MINUTE_MS },
  '400 IdleTimeout': { scope: 'delivery', ambiguous: false },
  '408': { scope: 'delivery', ambiguous: false },
  // TooManyRequests, "consecutively to the same device token".
  '429': { scope: 'target', ambiguous: false, floorMs: MINUTE_MS },
  // Apple: "no more than once every 20 minutes".
  '429 TooManyProviderTokenUpdates': { scope: 'app', ambiguous: false, afterMs: 20 * MINUTE_MS },
  // A message may provoke a 500, so it slows down itself alone; 503 is about the service (docs/facts/apns.md#server-errors).
  '500': { scope: 'delivery', ambiguous: true },
  '503': { scope: 'app', ambiguous: false },
  // This server goes, not the service.
  '503 Shutdown': AT_ONCE,
}

/** The rest of 4xx is about this message, or a mistake of ours (404 BadPath, 405, 413 PayloadTooLarge); anything else is no answer of APNs. */
function verdictByClass(status: number): Verdict {
  return status >= 400 && status < 500 ? 'failed' : { scope: 'app', ambiguous: true }
}

export function outcomeOf(answer: Answer, nowMs: number): Outcome {
  const { status } = answer
  if (status === 200) return { kind: 'delivered' }
  const { reason, timestamp } = parseBody(answer.body)
  const name = reason ?? `HTTP ${status}`
  const verdict = VERDICTS[`${status} ${reason}`] ?? VERDICTS[status] ?? verdictByClass(status)
  if (verdict === 'rejected') return { kind: 'rejected', reason: name, sinceMs: timestamp }
  if (verdict === 'blocked' || verdict === 'failed') return { kind: verdict, reason: name }
  return {
    kind: 'retry',
    reason: name,
    ...verdict,
    afterMs: parseRetryAfter(answer.retryAfter, nowMs) ?? verdict.afterMs,
  }
}

/** The reason becomes a metric's label, so only Apple's own words are kept. */
export function parseBody(body: string): {
  readonly reason?: string | undefined
  readonly timestamp?: number | undefined
} {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return {}
  }
  if (!isJsonObject(parsed)) return {}
  const { reason, timestamp } = parsed
  return {
    reason: wordOf(reason),
    timestamp: typeof timestamp === 'number' && timestamp > 0 ? timestamp : undefined,
  }
}
