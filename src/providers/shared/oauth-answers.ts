/** What a token endpoint answers → Outcome, where there is no access token: a refused credential is ours to repair, everything else passes. */
import { jsonObjectOf } from '../../core/json.ts'
import { parseRetryAfter, type Outcome } from '../../core/outcome.ts'
import { noAnswer, outcomeBy, type Answer, type LostRequest, type Row } from './answers.ts'

const FLOOR_MS = 10_000

const ANSWERS: readonly Row[] = [
  { status: 401, is: 'blocked' },
  { status: 404, is: 'blocked' },
  // RFC 6749 §5.2. Without an OAuth error it is not the token endpoint that speaks.
  { status: 400, when: ({ word }) => word !== undefined, is: 'blocked' },
  { status: 403, when: ({ word }) => word !== undefined, is: 'blocked' },
  { is: { scope: 'app', ambiguous: false, floorMs: FLOOR_MS } },
]

const NO_ANSWER = noAnswer(FLOOR_MS)

/** An OAuth error. `said`: the part of it that is documented, which alone is logged. */
export interface OauthError {
  readonly word: string
  readonly said?: string | undefined
}

/** `errorIn`: reads the member `error` of the answer; undefined where it is no OAuth error. */
export function tokenOutcomeBy(
  errorIn: (error: unknown) => OauthError | undefined,
): (answer: Answer | LostRequest, nowMs: number) => Outcome {
  return (answer, nowMs) => {
    if (answer.kind === 'lost') {
      const code = `oauth ${answer.code}`
      // A token can be asked for twice, so it does not matter whether the request was written.
      return outcomeBy(NO_ANSWER, { ...answer, code, written: false, isUnprocessed: false, reason: code })
    }
    const { status, retryAfter, body } = answer
    const { word, said } = errorIn(jsonObjectOf(body)?.['error']) ?? {}
    const reason = said === undefined ? `oauth ${status}` : `oauth ${status} ${said}`
    return outcomeBy(ANSWERS, { status, word, reason, afterMs: parseRetryAfter(retryAfter, nowMs) })
  }
}
