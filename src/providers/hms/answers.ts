/** What Push Kit and its token endpoint answer → Outcome. Codes: docs/facts/hms.md#codes. */
import { jsonObjectOf } from '../../core/json.ts'
import { parseRetryAfter, type Outcome } from '../../core/outcome.ts'
import {
  noAnswer,
  OPERATOR_FLOOR_MS,
  outcomeBy,
  type Answer,
  type Finding,
  type LostRequest,
  type Row,
} from '../shared/answers.ts'
import { tokenOutcomeBy } from '../shared/oauth-answers.ts'
import { documentedCode } from './codes.ts'

/** `word`: the code. */
interface HmsFinding extends Finding {
  /** Of 80100000: how many tokens it went to. */
  readonly successes: number
}

const FLOOR_MS = 10_000
/** Huawei says no time; its quotas are per second (docs/facts/hms.md#quotas). */
const QUOTA_FLOOR_MS = 60_000

const ANSWERS: readonly Row<HmsFinding>[] = [
  { word: '80000000', is: 'delivered' },
  // Some tokens were wrong. There is one in a message.
  { word: '80100000', when: ({ successes }) => successes > 0, is: 'delivered' },
  { word: '80100000', is: 'rejected' },
  // The token is none, or of another app. With a wrong project every token is: then the rejection guard holds them back.
  { word: '80300007', is: 'rejected' },
  // Our access token belongs to another client, or is too old even when it is fresh.
  { word: '80200001', is: 'blocked' },
  { word: '80200003', is: 'blocked' },
  // Push Kit is not enabled; but Huawei says the same of a token of another app, which anybody can register, so it must not stop the others.
  { word: '80300002', is: { scope: 'delivery', ambiguous: false, floorMs: OPERATOR_FLOOR_MS } },
  // `urgency: high` without Huawei's permission.
  { word: '80300011', is: 'blocked' },
  // Huawei could not ask its own OAuth service.
  { word: '80600003', is: { scope: 'app', ambiguous: false, floorMs: FLOOR_MS } },
  // An unknown error with this one message, which may have gone out.
  { word: '81000001', is: { scope: 'delivery', ambiguous: true, floorMs: FLOOR_MS } },
  // Any other code is about the message: its parameters, its structure, its words, its length.
  { status: [200, 499], when: ({ word }) => word !== undefined, is: 'failed' },
  { status: 400, is: 'failed' },
  { status: 401, is: 'blocked' },
  // There is no such project, or the endpoint is not Push Kit.
  { status: 404, is: 'blocked' },
  { status: 500, is: { scope: 'delivery', ambiguous: true, floorMs: FLOOR_MS } },
  // "Flow control": more in a second than the quota.
  { status: 503, is: { scope: 'app', ambiguous: false, floorMs: QUOTA_FLOOR_MS } },
  { status: 429, is: { scope: 'app', ambiguous: false, floorMs: QUOTA_FLOOR_MS } },
  { status: [501, Infinity], is: { scope: 'app', ambiguous: true, floorMs: FLOOR_MS } },
  // Nothing that Huawei says: something else answers in its place.
  { is: { scope: 'app', ambiguous: false, floorMs: QUOTA_FLOOR_MS } },
]

const NO_ANSWER = noAnswer(FLOOR_MS)

export function outcomeOf(answer: Answer | LostRequest, nowMs: number): Outcome {
  return answer.kind === 'lost'
    ? outcomeBy(NO_ANSWER, { ...answer, reason: answer.code })
    : outcomeBy(ANSWERS, findingOf(answer, nowMs))
}

/** Why there is no access token. Huawei's errors are numbers, or words. */
export const tokenOutcome = tokenOutcomeBy((error) =>
  typeof error === 'number' || typeof error === 'string' ? { word: 'refused' } : undefined,
)

/** Our access token may only have been revoked early, or have run out on the way. */
export function refusesAccessToken(answer: Answer | LostRequest): boolean {
  if (answer.kind !== 'answer') return false
  const { word, status } = findingOf(answer, 0)
  return word === '80200001' || word === '80200003' || (word === undefined && status === 401)
}

function findingOf({ status, body, retryAfter }: Answer, nowMs: number): HmsFinding {
  const { code, msg } = jsonObjectOf(body) ?? {}
  const isCode = typeof code === 'string' && /^8\d{7}$/.test(code)
  const known = documentedCode(code)
  const { success } = (typeof msg === 'string' ? jsonObjectOf(msg) : undefined) ?? {}
  return {
    status,
    word: isCode ? code : undefined,
    reason: known === undefined ? `${status}` : `${status} ${known}`,
    successes: typeof success === 'number' ? success : 0,
    afterMs: parseRetryAfter(retryAfter, nowMs),
  }
}
