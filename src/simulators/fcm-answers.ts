/** Answers in Google's shape (cloud.google.com/apis/design/errors), with the details that FCM adds. */
import type { JsonObject } from '../core/json.ts'
import type { Script } from './script.ts'

export interface FcmAnswer {
  readonly status: number
  readonly body: string
  readonly contentType: string
  readonly retryAfter?: string | undefined
  /** Why it is a refusal, for people. */
  readonly reason?: string | undefined
}

const JSON_TYPE = 'application/json; charset=UTF-8'

/** google.rpc.Code by HTTP status. */
const STATUS_NAMES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  500: 'INTERNAL',
  503: 'UNAVAILABLE',
}

/** firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode: the status that goes with each FcmError. */
const FCM_ERRORS: Readonly<Record<string, number>> = {
  INVALID_ARGUMENT: 400,
  THIRD_PARTY_AUTH_ERROR: 401,
  SENDER_ID_MISMATCH: 403,
  UNREGISTERED: 404,
  QUOTA_EXCEEDED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
}

/** Only `google.rpc` says these, never FCM: a script that names one gets an answer without an FcmError. */
const WITHOUT_FCM_ERROR = new Set(['PERMISSION_DENIED', 'UNAUTHENTICATED', 'NOT_FOUND', 'RESOURCE_EXHAUSTED'])

/** `errorCode` undefined: without an FcmError among the details. */
export function googleError(
  status: number,
  errorCode: string | undefined,
  message?: string,
  details: readonly JsonObject[] = [],
): FcmAnswer {
  const name = STATUS_NAMES[status] ?? 'UNKNOWN'
  const fcmError =
    errorCode === undefined ? [] : [{ '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode }]
  const error = { code: status, message: message ?? name, status: name, details: [...fcmError, ...details] }
  const reason = [errorCode ?? name, ...(message === undefined ? [] : [message])].join(': ')
  return { status, body: JSON.stringify({ error }), contentType: JSON_TYPE, reason }
}

export function accepted(projectId: string, number: number): FcmAnswer {
  const body = `${JSON.stringify({ name: `projects/${projectId}/messages/0:${number}` }, undefined, 2)}\n`
  return { status: 200, body, contentType: JSON_TYPE }
}

/** Google's front end, when the service behind it is away. */
export function htmlError(status: number): FcmAnswer {
  return { status, body: `<!DOCTYPE html><title>Error ${status}</title>`, contentType: 'text/html; charset=UTF-8' }
}

/** The answer that a scripted token asks for; `success` where it leaves the status alone. */
export function scriptedAnswer(script: Script, success: FcmAnswer): FcmAnswer {
  const status = script.status ?? (script.reason === undefined ? 200 : (FCM_ERRORS[script.reason] ?? 400))
  const answer = status === 200 ? success : googleError(status, fcmErrorFor(status, script.reason))
  const body = script.emptyBody === true ? '' : script.badJson === true ? '{"name": ' : answer.body
  return { ...answer, body, retryAfter: script.retryAfter }
}

function fcmErrorFor(status: number, reason: string | undefined): string | undefined {
  if (reason !== undefined) return WITHOUT_FCM_ERROR.has(reason) ? undefined : reason
  // A bare 401 is what an access token gets that is no longer good; FCM itself was not asked.
  if (status === 401) return undefined
  return Object.entries(FCM_ERRORS).find(([, code]) => code === status)?.[0]
}
