/** What a push service answers → Outcome. */
import type { Outcome } from '../../core/outcome.ts'
import { OPERATOR_FLOOR_MS, type AnswerHead, type LostRequest, type Row } from '../shared/answers.ts'
import { endpointOutcome, LATER, MAYBE_TAKEN, QUOTA_FLOOR_MS } from '../shared/endpoints/answers.ts'

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

export function outcomeOf(answer: AnswerHead | LostRequest, nowMs: number): Outcome {
  return endpointOutcome(ANSWERS, answer, nowMs)
}
