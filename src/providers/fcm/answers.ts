/** What FCM and its token endpoint answer → Outcome. By status and details on the wire; firebase-admin's codes mix up dead tokens and wrong keys. */
import { isJsonObject, jsonObjectOf } from '../../core/json.ts'
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
import { documentedReason } from './reasons.ts'

/** `word`: the `errorCode` of FCM. */
interface FcmFinding extends Finding {
  readonly message: string
  readonly fields: readonly string[]
  readonly quotaSubjects: readonly string[]
}

/** Google's least wait before a first retry (docs/facts/fcm.md#pauses). */
const FLOOR_MS = 10_000
/** Google's default for a 429 without Retry-After, same place. */
const QUOTA_FLOOR_MS = 60_000

/** EC: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode; ERRORS: docs/facts/fcm.md#errors. */
const ANSWERS: readonly Row<FcmFinding>[] = [
  // Accepted, whatever the body says (golden: fcm-answer-200-badjson).
  { status: [200, 299], is: 'delivered' },
  // EC UNREGISTERED: the app was removed, or has a new token. By its detail only: a wrong project is a 404 too (ERRORS).
  { word: 'UNREGISTERED', is: 'rejected' },
  // EC INVALID_ARGUMENT is about a token only where the answer names it (docs/facts/fcm.md#dead-tokens).
  { status: 400, word: 'INVALID_ARGUMENT', when: namesTarget, is: 'rejected' },
  // … and about our message otherwise: the next attempt would fare no better.
  { status: 400, is: 'failed' },
  { status: 413, is: 'failed' },
  // EC SENDER_ID_MISMATCH: a token of another project. One wrong key file would do that to every token, so none is rejected.
  { word: 'SENDER_ID_MISMATCH', is: 'failed' },
  // EC THIRD_PARTY_AUTH_ERROR: the APNs or Web Push key in the Firebase console is missing or wrong. Anyone can register such a token with the
  // public app configuration, so it must not stop the Android devices; kept until the operator has repaired it.
  {
    word: 'THIRD_PARTY_AUTH_ERROR',
    is: { scope: 'delivery', ambiguous: false, floorMs: OPERATOR_FLOOR_MS },
  },
  // Our access token, even a fresh one; or IAM: the account may not send for this project (ERRORS).
  { status: 401, is: 'blocked' },
  { status: 403, is: 'blocked' },
  // No FcmError: there is no such project, or the endpoint is not FCM (ERRORS).
  { status: 404, when: ({ word }) => word === undefined, is: 'blocked' },
  { status: 404, is: 'failed' },
  // EC QUOTA_EXCEEDED: of a device, a topic or the whole project; QuotaFailure says which. Anyone can exhaust their own device's.
  { status: 429, when: isProjectQuota, is: { scope: 'app', ambiguous: false, floorMs: QUOTA_FLOOR_MS } },
  { status: 429, is: { scope: 'target', ambiguous: false, floorMs: QUOTA_FLOOR_MS } },
  // EC INTERNAL: an unknown error with this one message, which may have gone out.
  { status: 500, is: { scope: 'delivery', ambiguous: true, floorMs: FLOOR_MS } },
  // EC UNAVAILABLE: overloaded; it did not take the message.
  { status: 503, is: { scope: 'app', ambiguous: false, floorMs: FLOOR_MS } },
  // A gateway on the way, which may have passed it on.
  { status: [501, Infinity], is: { scope: 'app', ambiguous: true, floorMs: FLOOR_MS } },
  // Nothing that FCM says: something else answers in its place.
  { is: { scope: 'app', ambiguous: false, floorMs: QUOTA_FLOOR_MS } },
]

const NO_ANSWER = noAnswer(FLOOR_MS)

export function outcomeOf(answer: Answer | LostRequest, nowMs: number): Outcome {
  return answer.kind === 'lost'
    ? outcomeBy(NO_ANSWER, { ...answer, reason: answer.code })
    : withServiceId(outcomeBy(ANSWERS, findingOf(answer, nowMs)), answer)
}

/** FCM's message ID, which its own tools find a push by: the last part of the name, before which the project stands. */
function withServiceId(outcome: Outcome, { body }: Answer): Outcome {
  if (outcome.kind !== 'delivered') return outcome
  const name = jsonObjectOf(body)?.['name']
  const [, serviceId] =
    typeof name === 'string' ? (/^projects\/[^/]+\/messages\/([\w:%.-]{1,64})$/.exec(name) ?? []) : []
  return serviceId === undefined ? outcome : { ...outcome, serviceId }
}

/** Why there is no access token. */
export const tokenOutcome = tokenOutcomeBy((error) => {
  const word = nameIn(error)
  return word === undefined ? undefined : { word, said: documentedReason(word) }
})

/** A 401 about our access token, which may only have been revoked early; not one about a key in the Firebase console. */
export function refusesAccessToken(answer: Answer | LostRequest): boolean {
  return answer.kind === 'answer' && answer.status === 401 && findingOf(answer, 0).word === undefined
}

function findingOf({ status, body, retryAfter }: Answer, nowMs: number): FcmFinding {
  const error = jsonObjectOf(body)?.['error']
  const { status: name, message, details } = isJsonObject(error) ? error : {}
  const list = Array.isArray(details) ? details.filter(isJsonObject) : []
  const ofType = (type: string) => list.filter((detail) => detail['@type'] === `type.googleapis.com/${type}`)
  const word = nameIn(ofType('google.firebase.fcm.v1.FcmError')[0]?.['errorCode'])
  return {
    status,
    word,
    reason: withWord(`${status}`, word ?? name),
    message: typeof message === 'string' ? message : '',
    fields: ofType('google.rpc.BadRequest').flatMap((detail) => texts(detail['fieldViolations'], 'field')),
    quotaSubjects: ofType('google.rpc.QuotaFailure').flatMap((detail) => texts(detail['violations'], 'subject')),
    afterMs: parseRetryAfter(retryAfter, nowMs),
  }
}

function namesTarget({ fields, message }: FcmFinding): boolean {
  if (fields.length > 0) return fields.some((field) => field === 'message.token' || field === 'message.fid')
  return /registration token|installation id/i.test(message)
}

function isProjectQuota({ quotaSubjects }: FcmFinding): boolean {
  return quotaSubjects.some((subject) => /^projects?[:/]/.test(subject))
}

function texts(list: unknown, name: string): readonly string[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((item) => (isJsonObject(item) && typeof item[name] === 'string' ? [item[name]] : []))
}

function withWord(status: string, said: unknown): string {
  const word = documentedReason(said)
  return word === undefined ? status : `${status} ${word}`
}

/** That there is a name counts, also where it is new to us. */
function nameIn(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z_]{1,40}$/.test(value) ? value : undefined
}
