/** What a push service answers → Outcome. By the status alone, for any stranger may have written the rest. */
import { NOT_FOR_PROXY } from '../../core/errors.ts'
import { parseRetryAfter, RECONNECT_MS, type Outcome } from '../../core/outcome.ts'
import {
  OPERATOR_FLOOR_MS,
  outcomeBy,
  type AnswerHead,
  type Finding,
  type LostRequest,
  type Row,
} from '../shared/answers.ts'

/** The host's name leads into a private network. A stolen or broken DNS says so too: nobody is unregistered for it. */
export const PRIVATE_ADDRESS = 'private_address'

/** Overloaded; the least pause that FCM asks for (docs/facts/fcm.md#pauses). */
const QUOTA_FLOOR_MS = 60_000
/** The proxy does not know us; tinyproxy says it with 401. Any other refusal is about the host, which a stranger chose. Whether this one is: proxy-refusals.ts. */
const UNKNOWN_TO_PROXY = new Set<number | undefined>([401, 407])

/** Every retry concerns this endpoint alone: a stranger names the host, so nothing that it says may stop the app. */
const LATER = { scope: 'target', ambiguous: false } as const
const MAYBE_TAKEN = { scope: 'target', ambiguous: true } as const

/** 8030: RFC 8030; 8292: RFC 8292; all of it: docs/facts/web-push.md#answers. */
const ANSWERS: readonly Row[] = [
  { status: [200, 299], is: 'delivered' }, // 8030 §5: 201; others are seen in the wild (golden: web-answer-202)
  { status: 404, is: 'rejected' }, // 8030 §7.3: the subscription is gone; also what expired
  { status: 410, is: 'rejected' }, // what push services answer for an unsubscribed browser
  { status: 401, is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } }, // 8292 §4.2: wants a VAPID key
  { status: 403, is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } }, // 8292 §4.2: another VAPID key, or our clock is wrong
  { status: [300, 399], is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } }, // not followed: it would lead past the check of the host
  { status: 408, is: MAYBE_TAKEN }, // RFC 9110 §15.5.9
  { status: 406, is: { ...LATER, floorMs: QUOTA_FLOOR_MS } }, // WNS: "exceeded its throttle limit"
  { status: 429, is: { ...LATER, floorMs: QUOTA_FLOOR_MS } }, // 8030 §8.4
  { status: [400, 499], is: 'failed' }, // 400 Topic or TTL, 413 too large: the next attempt would fare no better
  { status: 503, is: LATER }, // did not take it
  { status: 507, is: { ...LATER, floorMs: QUOTA_FLOOR_MS } }, // ntfy: no subscriber yet
  { status: [500, 599], is: MAYBE_TAKEN }, // may have taken it
  { is: LATER }, // no status of RFC 9110
]

const NO_ANSWER: readonly Row<Finding & LostRequest>[] = [
  { when: isUnknownToProxy, is: 'blocked' },
  { when: ({ code }) => code === NOT_FOR_PROXY, is: 'dropped' },
  {
    when: ({ isProxyAway }) => isProxyAway === true,
    is: { scope: 'app', ambiguous: false, afterMs: RECONNECT_MS },
  },
  { when: ({ code }) => code === PRIVATE_ADDRESS, is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } },
  // Whoever asked us to send ended the attempt.
  { when: ({ code, written }) => code === 'aborted' && written, is: { ...MAYBE_TAKEN, scope: 'delivery' } },
  { when: ({ code }) => code === 'aborted', is: { ...LATER, scope: 'delivery' } },
  { when: ({ written }) => written, is: MAYBE_TAKEN },
  { is: LATER },
]

export function outcomeOf(answer: AnswerHead | LostRequest, nowMs: number): Outcome {
  if (answer.kind === 'lost') return outcomeBy(NO_ANSWER, { ...answer, reason: answer.code })
  const { status, retryAfter } = answer
  return outcomeBy(ANSWERS, { status, reason: `${status}`, floorMs: floorOf(retryAfter, nowMs) })
}

/**
 * Never sooner than asked, but as a floor under our own growing pauses: taken literally, a stranger's `Retry-After: 1` would have us
 * come back 86,400 times a day.
 */
function floorOf(retryAfter: string | undefined, nowMs: number): number | undefined {
  const askedMs = parseRetryAfter(retryAfter, nowMs)
  return askedMs === 0 ? undefined : askedMs
}

export function isUnknownToProxy({ proxyRefusal }: Pick<LostRequest, 'proxyRefusal'>): boolean {
  return UNKNOWN_TO_PROXY.has(proxyRefusal)
}
