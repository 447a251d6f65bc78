/** What a push service answers → Outcome. Pure. */
import { parseRetryAfter, RECONNECT_MS, type Outcome, type Retry } from '../../core/outcome.ts'

/** The head of an answer; its body is of no use, for any stranger may have written it. */
export interface Answer {
  readonly kind: 'answer'
  readonly status: number
  readonly retryAfter?: string | undefined
}

/** No answer. */
export interface LostRequest {
  readonly kind: 'lost'
  /** `ECONNREFUSED`, `deadline`, `aborted`, … */
  readonly code: string
  /** The request may have reached the other side. */
  readonly written: boolean
  /** The operator's proxy does not know us, or is not there, whatever host is meant. */
  readonly proxy?: 'refuses' | 'away' | undefined
}

/** The host's name leads into a private network. A stolen or broken DNS says so too: nobody is unregistered for it. */
export const PRIVATE_ADDRESS = 'private_address'
/** Whoever asked us to send ended the attempt. */
export const ABORTED = 'aborted'
/** The time for an answer was over. */
export const DEADLINE = 'deadline'

/** Overloaded; the least pause that FCM asks for (docs/facts/fcm.md#pauses). */
const QUOTA_FLOOR_MS = 60_000
/** Somebody has to act first. */
const OPERATOR_FLOOR_MS = 600_000

interface Row {
  readonly from: number
  readonly to?: number
  readonly outcome: Exclude<Outcome['kind'], 'blocked'>
  readonly floorMs?: number
  readonly ambiguous?: boolean
}

/**
 * The first row that fits. Every retry concerns this endpoint alone: a stranger names the host, so nothing that it says may stop the app.
 * 8030: RFC 8030; 8292: RFC 8292; all of it: docs/facts/web-push.md#answers.
 */
const ROWS: readonly Row[] = [
  { from: 200, to: 299, outcome: 'delivered' }, // 8030 §5: 201; others are seen in the wild (golden: web-answer-202)
  { from: 404, outcome: 'rejected' }, // 8030 §7.3: the subscription is gone; also what expired
  { from: 410, outcome: 'rejected' }, // what push services answer for an unsubscribed browser
  { from: 401, outcome: 'retry', floorMs: OPERATOR_FLOOR_MS }, // 8292 §4.2: wants a VAPID key
  { from: 403, outcome: 'retry', floorMs: OPERATOR_FLOOR_MS }, // 8292 §4.2: another VAPID key, or our clock is wrong
  { from: 300, to: 399, outcome: 'retry', floorMs: OPERATOR_FLOOR_MS }, // not followed: it would lead past the check of the host
  { from: 408, outcome: 'retry', ambiguous: true }, // RFC 9110 §15.5.9
  { from: 406, outcome: 'retry', floorMs: QUOTA_FLOOR_MS }, // WNS: "exceeded its throttle limit"
  { from: 429, outcome: 'retry', floorMs: QUOTA_FLOOR_MS }, // 8030 §8.4
  { from: 400, to: 499, outcome: 'failed' }, // 400 Topic or TTL, 413 too large: the next attempt would fare no better
  { from: 503, outcome: 'retry' }, // did not take it
  { from: 507, outcome: 'retry', floorMs: QUOTA_FLOOR_MS }, // ntfy: no subscriber yet
  { from: 500, to: 599, outcome: 'retry', ambiguous: true }, // may have taken it
]

export function outcomeOf(answer: Answer | LostRequest, nowMs: number): Outcome {
  if (answer.kind === 'lost') return lostOutcome(answer)
  const { status } = answer
  const row: Partial<Row> = ROWS.find(({ from, to = from }) => status >= from && status <= to) ?? {}
  const reason = `${status}`
  if (row.outcome === 'delivered') return { kind: 'delivered' }
  if (row.outcome === 'rejected' || row.outcome === 'failed') return { kind: row.outcome, reason }
  return retry(reason, { ambiguous: row.ambiguous ?? false, floorMs: floorOf(row, answer, nowMs) })
}

/**
 * Never sooner than asked, but as a floor under our own growing pauses: taken literally, a stranger's `Retry-After: 1` would have us
 * come back 86,400 times a day.
 */
function floorOf({ floorMs }: Partial<Row>, { retryAfter }: Answer, nowMs: number): number | undefined {
  const askedMs = parseRetryAfter(retryAfter, nowMs)
  return askedMs === undefined || askedMs === 0 ? floorMs : askedMs
}

function lostOutcome({ code, written, proxy }: LostRequest): Outcome {
  if (proxy === 'refuses') return { kind: 'blocked', reason: code }
  if (proxy === 'away') return { kind: 'retry', reason: code, scope: 'app', ambiguous: false, afterMs: RECONNECT_MS }
  if (code === PRIVATE_ADDRESS) return retry(code, { ambiguous: false, floorMs: OPERATOR_FLOOR_MS })
  return { ...retry(code, { ambiguous: written }), scope: code === ABORTED ? 'delivery' : 'target' }
}

function retry(reason: string, how: Pick<Retry, 'ambiguous' | 'floorMs'>): Retry {
  return { kind: 'retry', reason, scope: 'target', ...how }
}
