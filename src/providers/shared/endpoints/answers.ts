/** What an endpoint answers → Outcome. By the status alone, for any stranger may have written the rest. */
import { NOT_FOR_PROXY } from '../../../core/errors.ts'
import { parseRetryAfter, RECONNECT_MS, type Outcome } from '../../../core/outcome.ts'
import { OPERATOR_FLOOR_MS, outcomeBy, type AnswerHead, type Finding, type LostRequest, type Row } from '../answers.ts'

/** The host's name leads into a private network. A stolen or broken DNS says so too: nobody is unregistered for it. */
export const PRIVATE_ADDRESS = 'private_address'

/** Overloaded; the least pause that FCM asks for (docs/facts/fcm.md#pauses). */
export const QUOTA_FLOOR_MS = 60_000
/** The proxy does not know us; tinyproxy says it with 401. Any other refusal is about the host, which a stranger chose. Whether this one is: proxy-refusals.ts. */
const UNKNOWN_TO_PROXY = new Set<number | undefined>([401, 407])

/** Every retry concerns this endpoint alone: a stranger names the host, so nothing that it says may stop the app. */
export const LATER = { scope: 'target', ambiguous: false } as const
export const MAYBE_TAKEN = { scope: 'target', ambiguous: true } as const

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

/** `rows`: what the push service answers. */
export function endpointOutcome(rows: readonly Row[], answer: AnswerHead | LostRequest, nowMs: number): Outcome {
  if (answer.kind === 'lost') return outcomeBy(NO_ANSWER, { ...answer, reason: answer.code })
  const { status, retryAfter } = answer
  return outcomeBy(rows, { status, reason: `${status}`, floorMs: floorOf(retryAfter, nowMs) })
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
