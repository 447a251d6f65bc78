/** Google's words for what it refuses: the only text of an answer that is counted and logged. */
import { documentedWords } from '../shared/answers.ts'

export const documentedReason = documentedWords([
  // firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode
  'UNSPECIFIED_ERROR',
  'INVALID_ARGUMENT',
  'UNREGISTERED',
  'SENDER_ID_MISMATCH',
  'QUOTA_EXCEEDED',
  'UNAVAILABLE',
  'INTERNAL',
  'THIRD_PARTY_AUTH_ERROR',
  // google.rpc.Code
  'ABORTED',
  'ALREADY_EXISTS',
  'CANCELLED',
  'DATA_LOSS',
  'DEADLINE_EXCEEDED',
  'FAILED_PRECONDITION',
  'NOT_FOUND',
  'OUT_OF_RANGE',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'UNAUTHENTICATED',
  'UNIMPLEMENTED',
  'UNKNOWN',
  // RFC 6749 §4.1.2.1 and §5.2, and Google's own at its token endpoint
  'access_denied',
  'admin_policy_enforced',
  'deleted_client',
  'disabled_client',
  'internal_failure',
  'invalid_client',
  'invalid_grant',
  'invalid_request',
  'invalid_scope',
  'org_internal',
  'server_error',
  'temporarily_unavailable',
  'unauthorized_client',
  'unsupported_grant_type',
])
