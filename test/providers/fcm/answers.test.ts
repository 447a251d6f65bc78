import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { outcomeOf, tokenOutcome } from '../../../src/providers/fcm/answers.ts'
import type { Answer } from '../../../src/providers/shared/answers.ts'

const NOW_MS = Date.parse('2026-11-23T12:00:00Z')
const FCM_ERROR = 'type.googleapis.com/google.firebase.fcm.v1.FcmError'
const BAD_REQUEST = 'type.googleapis.com/google.rpc.BadRequest'
const QUOTA_FAILURE = 'type.googleapis.com/google.rpc.QuotaFailure'

function answer(status: number, body: unknown = '', retryAfter?: string): Answer {
  return { kind: 'answer', status, retryAfter, body: typeof body === 'string' ? body : JSON.stringify(body) }
}

function googleError(status: number, name: string, errorCode?: string, more: object = {}): object {
  const details = errorCode === undefined ? [] : [{ '@type': FCM_ERROR, errorCode }]
  return { error: { code: status, status: name, message: name, details, ...more } }
}

function quota(subject: string): object {
  const details = [
    { '@type': FCM_ERROR, errorCode: 'QUOTA_EXCEEDED' },
    { '@type': QUOTA_FAILURE, violations: [{ subject, description: 'Message rate exceeded' }] },
  ]
  return { error: { code: 429, status: 'RESOURCE_EXHAUSTED', details } }
}

function aboutField(field: string): object {
  const details = [
    { '@type': FCM_ERROR, errorCode: 'INVALID_ARGUMENT' },
    { '@type': BAD_REQUEST, fieldViolations: [{ field, description: 'Invalid registration token' }] },
  ]
  return { error: { code: 400, status: 'INVALID_ARGUMENT', message: 'Request contains an invalid argument.', details } }
}

const retry = { kind: 'retry', afterMs: undefined } as const
const tokenText = { message: 'The registration token is not a valid FCM registration token' }

describe('FCM answers', () => {
  // EC: firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode; ERRORS: docs/facts/fcm.md#errors.
  const rows: readonly (readonly [name: string, answer: Answer, outcome: Outcome])[] = [
    ['accepted', answer(200, { name: 'projects/p/messages/0:1' }), { kind: 'delivered', serviceId: '0:1' }],
    [
      'accepted, by a name that is none of FCM',
      answer(200, { name: 'projects/p/messages/a b' }),
      { kind: 'delivered' },
    ],
    ['accepted, not JSON (golden fcm-answer-200-badjson)', answer(200, '{'), { kind: 'delivered' }],
    [
      'a dead token (EC UNREGISTERED)',
      answer(404, googleError(404, 'NOT_FOUND', 'UNREGISTERED')),
      { kind: 'rejected', reason: '404 UNREGISTERED' },
    ],
    [
      'no such project (ERRORS)',
      answer(404, googleError(404, 'NOT_FOUND')),
      { kind: 'blocked', reason: '404 NOT_FOUND' },
    ],
    ['an address that is not FCM', answer(404, '<html>'), { kind: 'blocked', reason: '404' }],
    [
      '404 with another FcmError (golden fcm-answer-404-other)',
      answer(404, googleError(404, 'NOT_FOUND', 'NOTHING')),
      { kind: 'failed', reason: '404' },
    ],
    [
      'a token that is none, by the text (docs/facts/fcm.md#dead-tokens)',
      answer(400, googleError(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT', tokenText)),
      { kind: 'rejected', reason: '400 INVALID_ARGUMENT' },
    ],
    [
      'a token that is none, by the field (ERRORS)',
      answer(400, aboutField('message.token')),
      { kind: 'rejected', reason: '400 INVALID_ARGUMENT' },
    ],
    [
      'an installation ID that is none',
      answer(400, aboutField('message.fid')),
      { kind: 'rejected', reason: '400 INVALID_ARGUMENT' },
    ],
    [
      'a message that is wrong, by the field (ERRORS)',
      answer(400, aboutField('message.data')),
      { kind: 'failed', reason: '400 INVALID_ARGUMENT' },
    ],
    [
      'a message that is wrong (golden fcm-answer-400)',
      answer(400, googleError(400, 'INVALID_ARGUMENT', 'INVALID_ARGUMENT')),
      { kind: 'failed', reason: '400 INVALID_ARGUMENT' },
    ],
    [
      "the token's text without an FcmError",
      answer(400, googleError(400, 'INVALID_ARGUMENT', undefined, tokenText)),
      { kind: 'failed', reason: '400 INVALID_ARGUMENT' },
    ],
    ['400 without a body (golden fcm-answer-400-nobody)', answer(400), { kind: 'failed', reason: '400' }],
    ['a message too large', answer(413, '<html>'), { kind: 'failed', reason: '413' }],
    [
      'a token of another project (EC SENDER_ID_MISMATCH)',
      answer(403, googleError(403, 'PERMISSION_DENIED', 'SENDER_ID_MISMATCH')),
      { kind: 'failed', reason: '403 SENDER_ID_MISMATCH' },
    ],
    [
      'IAM refuses our account (ERRORS)',
      answer(403, googleError(403, 'PERMISSION_DENIED')),
      { kind: 'blocked', reason: '403 PERMISSION_DENIED' },
    ],
    [
      'our access token is refused (ERRORS)',
      answer(401, googleError(401, 'UNAUTHENTICATED')),
      { kind: 'blocked', reason: '401 UNAUTHENTICATED' },
    ],
    [
      'the APNs key in Firebase is refused, which any registered iPhone can show (EC THIRD_PARTY_AUTH_ERROR)',
      answer(401, googleError(401, 'UNAUTHENTICATED', 'THIRD_PARTY_AUTH_ERROR')),
      { ...retry, reason: '401 THIRD_PARTY_AUTH_ERROR', scope: 'delivery', floorMs: 600_000, ambiguous: false },
    ],
    [
      'too many messages for a device (EC QUOTA_EXCEEDED)',
      answer(429, quota('device:abc')),
      { ...retry, reason: '429 QUOTA_EXCEEDED', scope: 'target', floorMs: 60_000, ambiguous: false },
    ],
    [
      'too many messages, nobody says of what',
      answer(429, '', '7'),
      { kind: 'retry', reason: '429', scope: 'target', afterMs: 7000, floorMs: 60_000, ambiguous: false },
    ],
    [
      'too many messages of the whole project (EC: QuotaFailure says which quota)',
      answer(429, quota('project:123')),
      { ...retry, reason: '429 QUOTA_EXCEEDED', scope: 'app', floorMs: 60_000, ambiguous: false },
    ],
    [
      'an error with this one message (EC INTERNAL)',
      answer(500, googleError(500, 'INTERNAL', 'INTERNAL')),
      { ...retry, reason: '500 INTERNAL', scope: 'delivery', floorMs: 10_000, ambiguous: true },
    ],
    [
      'FCM overloaded (EC UNAVAILABLE)',
      answer(503, googleError(503, 'UNAVAILABLE', 'UNAVAILABLE'), '30'),
      { kind: 'retry', reason: '503 UNAVAILABLE', scope: 'app', afterMs: 30_000, floorMs: 10_000, ambiguous: false },
    ],
    [
      'FCM overloaded until a date (peers: Sygnal answers 500)',
      answer(503, '', 'Mon, 23 Nov 2026 12:01:00 GMT'),
      { kind: 'retry', reason: '503', scope: 'app', afterMs: 60_000, floorMs: 10_000, ambiguous: false },
    ],
    [
      'Retry-After that cannot be read (golden fcm-answer-503-retry-date)',
      answer(503, '', 'Fri'),
      { ...retry, reason: '503', scope: 'app', floorMs: 10_000, ambiguous: false },
    ],
    [
      'a gateway without FCM behind it',
      answer(502, '<html>'),
      { ...retry, reason: '502', scope: 'app', floorMs: 10_000, ambiguous: true },
    ],
    [
      'a redirect (peers: other)',
      answer(302),
      { ...retry, reason: '302', scope: 'app', floorMs: 60_000, ambiguous: false },
    ],
  ]
  it.each(rows)('%s', (_name, given, outcome) => {
    expect(outcomeOf(given, NOW_MS)).toEqual(outcome)
  })

  it.each([
    ['see !room:example.org', 'a b'],
    ['Alice', 'Alice'],
  ])('never put text of the answer into the reason: %s', (status, errorCode) => {
    const body = { error: { status, details: [{ '@type': FCM_ERROR, errorCode }] } }
    expect(outcomeOf(answer(400, body), NOW_MS)).toEqual({ kind: 'failed', reason: '400' })
  })

  it.each([
    ['details that is no list', { error: { details: 7 } }],
    ['details of anything', { error: { details: [null, 'x', { '@type': BAD_REQUEST, fieldViolations: [null, 3] }] } }],
    ['error that is text', { error: 'x' }],
    ['a list', []],
  ])('may have %s', (_name, body) => {
    expect(outcomeOf(answer(400, body), NOW_MS)).toEqual({ kind: 'failed', reason: '400' })
  })
})

describe('requests without an answer', () => {
  it.each([
    [
      'reset after it was written',
      { code: 'ECONNRESET', written: true },
      { scope: 'delivery', ambiguous: true, floorMs: 10_000 },
    ],
    [
      'out of time after it was written',
      { code: 'deadline', written: true },
      { scope: 'delivery', ambiguous: true, floorMs: 10_000 },
    ],
    ['refused', { code: 'ECONNREFUSED', written: false }, { scope: 'app', ambiguous: false, afterMs: 2000 }],
    [
      'not brought about by the proxy',
      { code: 'proxy 502', written: false },
      { scope: 'app', ambiguous: false, afterMs: 2000 },
    ],
    [
      'out of time before there was a connection',
      { code: 'deadline', written: false },
      { scope: 'app', ambiguous: false },
    ],
    [
      'cut off by us before it was written',
      { code: 'aborted', written: false },
      { scope: 'delivery', ambiguous: false },
    ],
  ] as const)('%s', (_name, lost, outcome) => {
    expect(outcomeOf({ kind: 'lost', ...lost }, NOW_MS)).toEqual({ kind: 'retry', reason: lost.code, ...outcome })
  })

  it('refused by the proxy', () => {
    const lost = { kind: 'lost', code: 'proxy refused: 407', written: false, proxyRefusal: 407 } as const
    expect(outcomeOf(lost, NOW_MS)).toEqual({ kind: 'blocked', reason: 'proxy refused: 407' })
    expect(tokenOutcome(lost, NOW_MS)).toEqual({ kind: 'blocked', reason: 'oauth proxy refused: 407' })
  })
})

describe('answers of the token endpoint', () => {
  const away = { kind: 'retry', scope: 'app', ambiguous: false, afterMs: undefined, floorMs: 10_000 } as const
  const rows: readonly (readonly [name: string, answer: Answer, outcome: Outcome])[] = [
    // RFC 6749 §5.2; a deleted key, or a clock that is wrong.
    [
      'the key is refused',
      answer(400, { error: 'invalid_grant' }),
      { kind: 'blocked', reason: 'oauth 400 invalid_grant' },
    ],
    [
      'the client is refused',
      answer(401, { error: 'invalid_client' }),
      { kind: 'blocked', reason: 'oauth 401 invalid_client' },
    ],
    [
      'access is refused',
      answer(403, { error: 'access_denied' }),
      { kind: 'blocked', reason: 'oauth 403 access_denied' },
    ],
    ['there is no such endpoint', answer(404, '<html>'), { kind: 'blocked', reason: 'oauth 404' }],
    ['400 that no token endpoint gives', answer(400, '<html>'), { ...away, reason: 'oauth 400' }],
    ['403 of something on the way', answer(403, '<html>'), { ...away, reason: 'oauth 403' }],
    ['too many requests', answer(429, '', '3'), { ...away, afterMs: 3000, reason: 'oauth 429' }],
    ['an outage', answer(503, { error: 'internal_failure' }), { ...away, reason: 'oauth 503 internal_failure' }],
    ['200 that is not JSON', answer(200, '<html>'), { ...away, reason: 'oauth 200' }],
  ]
  it.each(rows)('%s', (_name, given, outcome) => {
    expect(tokenOutcome(given, NOW_MS)).toEqual(outcome)
  })

  it('none at all', () => {
    const lost = { kind: 'lost', code: 'ENOTFOUND', written: false } as const
    expect(tokenOutcome(lost, NOW_MS)).toEqual({
      kind: 'retry',
      reason: 'oauth ENOTFOUND',
      scope: 'app',
      ambiguous: false,
      afterMs: 2000,
    })
  })
})
