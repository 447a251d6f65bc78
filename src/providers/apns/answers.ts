/** What APNs answers → Outcome. By status and reason. */
import { jsonObjectOf } from '../../core/json.ts'
import { parseRetryAfter, RECONNECT_MS, type Outcome } from '../../core/outcome.ts'
import { outcomeBy, type Answer, type Finding, type LostRequest, type Row, type Verdict } from '../shared/answers.ts'
import { NO_ROOM } from '../shared/connections/connections.ts'
import { documentedReason } from './reasons.ts'

const MINUTE_MS = 60_000
/** Nothing in the push was at fault, and nothing was sent: another connection may take it at once. */
const AT_ONCE: Verdict = { scope: 'delivery', ambiguous: false, afterMs: 0 }

/**
 * Reasons: Apple, "Handling notification responses from APNs". `blocked` stands only where the answer depends on nothing but our credential
 * and configuration: whoever posts to us chooses the device token and the payload, so no answer about those may block.
 */
const ANSWERS: readonly Row[] = [
  { status: 200, is: 'delivered' },
  // The device token: docs/facts/apns.md#dead-tokens. The rejection guard watches for a wrong topic or environment.
  { status: 400, word: 'BadDeviceToken', is: 'rejected' },
  { status: 400, word: 'DeviceTokenNotForTopic', is: 'rejected' },
  // Unregistered, ExpiredToken: Apple has no other reasons for it.
  { status: 410, is: 'rejected' },
  // Our topic, key or certificate: docs/facts/apns.md#our-credential-or-configuration.
  { status: 400, word: 'BadTopic', is: 'blocked' },
  { status: 400, word: 'MissingTopic', is: 'blocked' },
  { status: 400, word: 'TopicDisallowed', is: 'blocked' },
  { status: 403, word: 'BadCertificate', is: 'blocked' },
  { status: 403, word: 'BadCertificateEnvironment', is: 'blocked' },
  { status: 403, word: 'BadEnvironmentKeyInToken', is: 'blocked' },
  { status: 403, word: 'InvalidProviderToken', is: 'blocked' },
  { status: 403, word: 'MissingProviderToken', is: 'blocked' },
  // After a fresh token was refused too (environment.ts): our clock is wrong by an hour or more.
  { status: 403, word: 'ExpiredProviderToken', is: 'blocked' },
  // Apple: "To use this token, open a new connection."
  { status: 403, word: 'UnrelatedKeyIdInToken', is: AT_ONCE },
  // Forbidden, or no word of Apple's: not said what is forbidden, so no proof; kept, and slowed down for this delivery alone.
  { status: 403, is: { scope: 'delivery', ambiguous: false, floorMs: MINUTE_MS } },
  { status: 400, word: 'IdleTimeout', is: { scope: 'delivery', ambiguous: false } },
  { status: 408, is: { scope: 'delivery', ambiguous: false } },
  // Apple: "no more than once every 20 minutes".
  {
    status: 429,
    word: 'TooManyProviderTokenUpdates',
    is: { scope: 'app', ambiguous: false, afterMs: 20 * MINUTE_MS },
  },
  // TooManyRequests, "consecutively to the same device token".
  { status: 429, is: { scope: 'target', ambiguous: false, floorMs: MINUTE_MS } },
  // The rest is about this message, or a mistake of ours (404 BadPath, 405, 413 PayloadTooLarge).
  { status: [400, 499], is: 'failed' },
  // A message may provoke a 500, so it slows down itself alone; 503 is about the service (docs/facts/apns.md#server-errors).
  { status: 500, is: { scope: 'delivery', ambiguous: true } },
  // This server goes, not the service.
  { status: 503, word: 'Shutdown', is: AT_ONCE },
  { status: 503, is: { scope: 'app', ambiguous: false } },
  // Nothing that APNs says: something else answers in its place.
  { is: { scope: 'app', ambiguous: true } },
]

const NO_ANSWER: readonly Row<Finding & LostRequest>[] = [
  {
    when: ({ isCertificateRefused, proxyRefusal }) => isCertificateRefused === true || proxyRefusal !== undefined,
    is: 'blocked',
  },
  { when: ({ written }) => written, is: { scope: 'delivery', ambiguous: true } },
  // APNs cannot have taken it, so there is nothing to wait for.
  { when: ({ isUnprocessed }) => isUnprocessed === true, is: AT_ONCE },
  { when: ({ code }) => code === 'aborted', is: { scope: 'delivery', ambiguous: false } },
  { when: ({ code }) => code === NO_ROOM, is: { scope: 'app', ambiguous: false } },
  // There is no way there for anybody.
  { is: { scope: 'app', ambiguous: false, afterMs: RECONNECT_MS } },
]

export function outcomeOf(answer: Answer | LostRequest, nowMs: number): Outcome {
  return answer.kind === 'lost'
    ? outcomeBy(NO_ANSWER, { ...answer, reason: answer.code })
    : outcomeBy(ANSWERS, findingOf(answer, nowMs))
}

/** The reason becomes a metric's label, so only Apple's own words are kept. */
function findingOf({ status, body, retryAfter }: Answer, nowMs: number): Finding {
  const { reason, timestamp } = jsonObjectOf(body) ?? {}
  const word = documentedReason(reason)
  return {
    status,
    word,
    reason: word ?? `HTTP ${status}`,
    sinceMs: typeof timestamp === 'number' && timestamp > 0 ? timestamp : undefined,
    afterMs: parseRetryAfter(retryAfter, nowMs),
  }
}
