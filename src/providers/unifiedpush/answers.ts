/** What a push server answers → Outcome. */
import type { Outcome } from '../../core/outcome.ts'
import { OPERATOR_FLOOR_MS, type AnswerHead, type LostRequest, type Row } from '../shared/answers.ts'
import { endpointOutcome, LATER, MAYBE_TAKEN, QUOTA_FLOOR_MS } from '../shared/endpoints/answers.ts'

/** SERV: UnifiedPush SERV_1.2.0; 8030: RFC 8030; ntfy: its source; all of it: docs/facts/unifiedpush.md#answers. */
const ANSWERS: readonly Row[] = [
  { status: [200, 299], is: 'delivered' }, // SERV: 201, and any of 2xx is to be taken for it
  { status: 404, is: 'rejected' }, // SERV: the endpoint does not exist and should not be used any more; 8030 §7.3
  { status: 410, is: 'rejected' }, // what Web Push servers answer for a registration that is gone
  { status: 401, is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } }, // ntfy: anonymous users may not write; or VAPID is wanted
  { status: 403, is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } }, // ntfy: the same for a topic
  { status: [300, 399], is: { ...LATER, floorMs: OPERATOR_FLOOR_MS } }, // SERV: must not be followed
  { status: 408, is: MAYBE_TAKEN }, // RFC 9110 §15.5.9
  { status: 429, is: { ...LATER, floorMs: QUOTA_FLOOR_MS } }, // SERV: too many for this endpoint; 8030 §8.4
  { status: [400, 499], is: 'failed' }, // SERV: 400 is not to be repeated; 413 too large
  { status: 503, is: LATER }, // did not take it
  { status: 507, is: { ...LATER, floorMs: QUOTA_FLOOR_MS } }, // ntfy: nobody has subscribed yet
  { status: [500, 599], is: MAYBE_TAKEN }, // SERV: unknown, may be tried later; may have been taken
  { is: LATER }, // no status of RFC 9110
]

export function outcomeOf(answer: AnswerHead | LostRequest, nowMs: number): Outcome {
  return endpointOutcome(ANSWERS, answer, nowMs)
}
