/** What FCM and its token endpoint answer → Outcome. By status and details on the wire; firebase-admin's codes mix up dead tokens and wrong keys. */
import { isJsonObject } from '../../core/json.ts'
import { parseRetryAfter, RECONNECT_MS, type Outcome, type Retry } from '../../core/outcome.ts'
import { jsonObjectOf } from '../shared/json-text.ts'
import { wordOf } from './reasons.ts'

/** A complete answer. */
export interface WireAnswer {
  readonly kind: 'answer'
  readonly status: number
  readonly retryAfter?: string | undefined
  readonly body: string
}

/** No complete answer. */
export interface LostRequest {
  readonly kind: 'lost'
  /** `ECONNREFUSED`, `deadline`, `aborted`, … */
  readonly code: string
  /** The request may have reached the other side. */
  readonly written: boolean
  /** The proxy does not let us through. */
  readonly isProxyRefused?: boolean | undefined
}

/** What an answer says, taken apart. */
interface Finding {
  readonly status: number
  /** Status and Google's word for it: safe to count and to log. */
  readonly reason: string
  readonly fcmError?: string | undefined
  readonly message: string
  readonly fields: readonly string[]
  readonly quotaSubjects: readonly string[]
  readonly afterMs?: number | undefined
}

interface Row {
  readonly when: (finding: Finding) => boolean
  readonly outcome: (finding: Finding) => Outcome
}

/** Google's least wait before a first retry (docs/facts/fcm.md#pauses). */
const FLOOR_MS = 10_000
/** Google's default for a 429 without Retry-After, same place. */
const QUOTA_FLOOR_MS = 60_000
/** An operator has to act first. */
const OPERATOR_FLOOR_MS = 600_000

/** The first row that fits. EC: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode; ERRORS: docs/facts/fcm.md#errors. */
const ROWS: readonly Row[] = [
  // Accepted, whatever the body says (golden: fcm-answer-200-badjson).
  { when: ({ status }) => status >= 200 && status < 300, outcome: () => ({ kind: 'delivered' }) },
  // EC UNREGISTERED: the app was removed, or has a new token. By its detail only: a wrong project is a 404 too (ERRORS).
  { when: ({ fcmError }) => fcmError === 'UNREGISTERED', outcome: rejected },
  // EC INVALID_ARGUMENT is about a token only where the answer names it (docs/facts/fcm.md#dead-tokens).
  { when: isAboutTarget, outcome: rejected },
  // … and about our message otherwise: the next attempt would fare no better.
  { when: ({ status }) => status === 400 || status === 413, outcome: failed },
  // EC SENDER_ID_MISMATCH: a token of another project. One wrong key file would do that to every token, so none is rejected.
  { when: ({ fcmError }) => fcmError === 'SENDER_ID_MISMATCH', outcome: failed },
  // EC THIRD_PARTY_AUTH_ERROR: the APNs or Web Push key in the Firebase console is missing or wrong. Anyone can register such a token with the
  // public app configuration, so it must not stop the Android devices; kept until the operator has repaired it.
  {
    when: ({ fcmError }) => fcmError === 'THIRD_PARTY_AUTH_ERROR',
    outcome: (finding) => retry(finding, { scope: 'delivery', floorMs: OPERATOR_FLOOR_MS, ambiguous: false }),
  },
  // Our access token, even a fresh one; or IAM: the account may not send for this project (ERRORS).
  { when: ({ status }) => status === 401 || status === 403, outcome: blocked },
  // No FcmError: there is no such project, or the endpoint is not FCM (ERRORS).
  { when: ({ status, fcmError }) => status === 404 && fcmError === undefined, outcome: blocked },
  { when: ({ status }) => status === 404, outcome: failed },
  // EC QUOTA_EXCEEDED: of a device, a topic or the whole project; QuotaFailure says which. Anyone can exhaust their own device's.
  {
    when: ({ status }) => status === 429,
    outcome: (finding) =>
      retry(finding, {
        scope: isProjectQuota(finding) ? 'app' : 'target',
        floorMs: QUOTA_FLOOR_MS,
        ambiguous: false,
      }),
  },
  // EC INTERNAL: an unknown error with this one message, which may have gone out.
  {
    when: ({ status }) => status === 500,
    outcome: (finding) => retry(finding, { scope: 'delivery', floorMs: FLOOR_MS, ambiguous: true }),
  },
  // EC UNAVAILABLE: overloaded; it did not take the message.
  {
    when: ({ status }) => status === 503,
    outcome: (finding) => retry(finding, { scope: 'app', floorMs: FLOOR_MS, ambiguous: false }),
  },
  // A gateway on the way, which may have passed it on.
  {
    when: ({ status }) => status > 500,
    outcome: (finding) => retry(finding, { scope: 'app', floorMs: FLOOR_MS, ambiguous: true }),
  },
  // Nothing that FCM says: something else answers in its place.
  {
    when: () => true,
    outcome: (finding) => retry(finding, { scope: 'app', floorMs: QUOTA_FLOOR_MS, ambiguous: false }),
  },
]

export function outcomeOf(answer: WireAnswer | LostRequest, nowMs: number): Outcome {
  if (answer.kind === 'lost') return lostOutcome(answer)
  const finding = findingOf(answer, nowMs)
  const row = ROWS.find(({ when }) => when(finding))
  return row === undefined ? failed(finding) : row.outcome(finding)
}

/** A 401 about our access token, which may only have been revoked early; not one about a key in the Firebase console. */
export function refusesAccessToken(answer: WireAnswer | LostRequest): boolean {
  return answer.kind === 'answer' && answer.status === 401 && findingOf(answer, 0).fcmError === undefined
}

/** Why there is no access token (RFC 6749 §5.2): a refused key is ours to repair, everything else passes. */
export function tokenOutcome(answer: WireAnswer | LostRequest, nowMs: number): Outcome {
  // A token can be asked for twice.
  if (answer.kind === 'lost') return lostOutcome({ ...answer, code: `oauth ${answer.code}`, written: false })
  const { status } = answer
  const error = nameIn(jsonObjectOf(answer.body)?.['error'])
  const reason = withWord(`oauth ${status}`, error)
  // 400, 403: with an OAuth error, else it is not the token endpoint that speaks.
  if (status === 401 || status === 404 || ((status === 400 || status === 403) && error !== undefined))
    return { kind: 'blocked', reason }
  const afterMs = parseRetryAfter(answer.retryAfter, nowMs)
  return { kind: 'retry', reason, scope: 'app', ambiguous: false, afterMs, floorMs: FLOOR_MS }
}

function lostOutcome({ code, written, isProxyRefused }: LostRequest): Outcome {
  if (isProxyRefused === true) return { kind: 'blocked', reason: code }
  if (written) return { kind: 'retry', reason: code, scope: 'delivery', ambiguous: true, floorMs: FLOOR_MS }
  // Nothing left this house, so nothing can come twice.
  if (code === 'aborted') return { kind: 'retry', reason: code, scope: 'delivery', ambiguous: false }
  // There was no connection for it in time, though the others may be at work; else there is no way there for anybody.
  const afterMs = code === 'deadline' ? undefined : RECONNECT_MS
  return { kind: 'retry', reason: code, scope: 'app', ambiguous: false, afterMs }
}

function findingOf(answer: WireAnswer, nowMs: number): Finding {
  const error = jsonObjectOf(answer.body)?.['error']
  const { status: name, message, details } = isJsonObject(error) ? error : {}
  const list = Array.isArray(details) ? details.filter(isJsonObject) : []
  const ofType = (type: string) => list.filter((detail) => detail['@type'] === `type.googleapis.com/${type}`)
  const fcmError = nameIn(ofType('google.firebase.fcm.v1.FcmError')[0]?.['errorCode'])
  return {
    status: answer.status,
    reason: withWord(`${answer.status}`, fcmError ?? name),
    fcmError,
    message: typeof message === 'string' ? message : '',
    fields: ofType('google.rpc.BadRequest').flatMap((detail) => texts(detail['fieldViolations'], 'field')),
    quotaSubjects: ofType('google.rpc.QuotaFailure').flatMap((detail) => texts(detail['violations'], 'subject')),
    afterMs: parseRetryAfter(answer.retryAfter, nowMs),
  }
}

function isAboutTarget({ status, fcmError, fields, message }: Finding): boolean {
  if (status !== 400 || fcmError !== 'INVALID_ARGUMENT') return false
  if (fields.length > 0) return fields.some((field) => field === 'message.token' || field === 'message.fid')
  return /registration token|installation id/i.test(message)
}

function isProjectQuota({ quotaSubjects }: Finding): boolean {
  return quotaSubjects.some((subject) => /^projects?[:/]/.test(subject))
}

function rejected({ reason }: Finding): Outcome {
  return { kind: 'rejected', reason }
}

function failed({ reason }: Finding): Outcome {
  return { kind: 'failed', reason }
}

function blocked({ reason }: Finding): Outcome {
  return { kind: 'blocked', reason }
}

function retry({ reason, afterMs }: Finding, how: Pick<Retry, 'scope' | 'floorMs' | 'ambiguous'>): Outcome {
  return { kind: 'retry', reason, afterMs, ...how }
}

function texts(list: unknown, name: string): readonly string[] {
  if (!Array.isArray(list)) return []
  return list.flatMap((item) => (isJsonObject(item) && typeof item[name] === 'string' ? [item[name]] : []))
}

function withWord(status: string, said: unknown): string {
  const word = wordOf(said)
  return word === undefined ? status : `${status} ${word}`
}

/** That there is a name counts, also where it is new to us. */
function nameIn(value: unknown): string | undefined {
  return typeof value === 'string' && /^[A-Za-z_]{1,40}$/.test(value) ? value : undefined
}
