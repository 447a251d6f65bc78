import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { outcomeOf } from '../../../src/providers/apns/answers.ts'

const NOW_MS = Date.parse('2026-11-01T00:00:00Z')
const MINUTE_MS = 60_000

type Expected = Partial<Outcome>
const retry = (more: object): Expected => ({ kind: 'retry', ambiguous: false, ...more })
const rejected: Expected = { kind: 'rejected' }
const blocked: Expected = { kind: 'blocked' }
const failed: Expected = { kind: 'failed' }

/** Apple, "Handling notification responses from APNs", table by table; and docs/facts/apns.md. */
const answers: readonly [number, string, Expected, string][] = [
  [400, 'BadCollapseId', failed, 'the message'],
  [400, 'BadDeviceToken', rejected, 'the device, after the other environment was tried'],
  [400, 'BadExpirationDate', failed, 'the message'],
  [400, 'BadMessageId', failed, 'the message'],
  [400, 'BadPriority', failed, 'the message'],
  [400, 'BadTopic', blocked, 'our topic'],
  [400, 'DeviceTokenNotForTopic', rejected, 'the device; a stranger can post any token, so never blocked'],
  [400, 'DuplicateHeaders', failed, 'the message'],
  [400, 'IdleTimeout', retry({ scope: 'delivery' }), 'the connection'],
  [400, 'InvalidPushType', failed, 'the message'],
  [400, 'MissingDeviceToken', failed, 'the message'],
  [400, 'MissingTopic', blocked, 'our topic'],
  [400, 'PayloadEmpty', failed, 'the message'],
  [400, 'TopicDisallowed', blocked, 'our topic; Sygnal rejects'],
  [403, 'BadCertificate', blocked, 'our credential'],
  [403, 'BadCertificateEnvironment', blocked, 'our credential'],
  [403, 'BadEnvironmentKeyInToken', blocked, 'our credential'],
  [403, 'ExpiredProviderToken', blocked, 'a fresh token was refused too (provider-token.test.ts)'],
  [403, 'Forbidden', retry({ scope: 'delivery', floorMs: MINUTE_MS }), 'no proof of anything'],
  [403, 'InvalidProviderToken', blocked, 'our credential'],
  [403, 'MissingProviderToken', blocked, 'our credential'],
  [403, 'UnrelatedKeyIdInToken', retry({ scope: 'delivery', afterMs: 0 }), 'Apple: "open a new connection"'],
  [404, 'BadPath', failed, 'a mistake of ours'],
  [405, 'MethodNotAllowed', failed, 'a mistake of ours'],
  [410, 'ExpiredToken', rejected, 'the device; Sygnal retries it for 24 hours'],
  [410, 'Unregistered', rejected, 'the device'],
  [413, 'PayloadTooLarge', failed, 'the message'],
  [429, 'TooManyProviderTokenUpdates', retry({ scope: 'app', afterMs: 20 * MINUTE_MS }), 'Apple: every 20 minutes'],
  [429, 'TooManyRequests', retry({ scope: 'target', floorMs: MINUTE_MS }), 'Apple: "to the same device token"'],
  [500, 'InternalServerError', retry({ scope: 'delivery', ambiguous: true }), 'a message may provoke it'],
  [503, 'ServiceUnavailable', retry({ scope: 'app' }), 'the service'],
  [503, 'Shutdown', retry({ scope: 'delivery', afterMs: 0 }), 'this server goes, not the service'],
]

describe('what an answer of APNs means', () => {
  it('delivered: 200', () => {
    expect(outcomeOf({ kind: 'answer', status: 200, body: '' }, NOW_MS)).toEqual({ kind: 'delivered' })
  })

  it.each(answers)('%d %s', (status, reason, expected) => {
    const outcome = outcomeOf({ kind: 'answer', status, body: JSON.stringify({ reason }) }, NOW_MS)
    expect(outcome).toMatchObject({ reason, ...expected })
  })

  it.each<[number, string, Expected]>([
    [400, '', failed],
    [400, '<html>', failed],
    [400, '{"reason":"BrandNew"}', { ...failed, reason: 'HTTP 400' }],
    [403, '<html>', retry({ scope: 'delivery', floorMs: MINUTE_MS })],
    [408, '', retry({ scope: 'delivery' })],
    [410, '', rejected],
    [410, '{"reason":"Unregistered","timestamp":"yesterday"}', { kind: 'rejected', sinceMs: undefined }],
    [418, '[]', failed],
    [429, 'null', retry({ scope: 'target', floorMs: MINUTE_MS })],
    [500, '', retry({ scope: 'delivery', ambiguous: true })],
    [502, '<html>', retry({ scope: 'app', ambiguous: true, reason: 'HTTP 502' })],
    [302, '', retry({ scope: 'app', ambiguous: true })],
  ])('%d with the body %j', (status, body, expected) => {
    expect(outcomeOf({ kind: 'answer', status, body }, NOW_MS)).toMatchObject(expected)
  })

  it('keeps the time of death', () => {
    const body = '{"reason":"Unregistered","timestamp":1700000000000}'
    const outcome = { kind: 'rejected', reason: 'Unregistered', sinceMs: 1_700_000_000_000 }
    expect(outcomeOf({ kind: 'answer', status: 410, body }, NOW_MS)).toEqual(outcome)
  })

  it.each([
    ['7', 7000],
    ['Sun, 01 Nov 2026 00:00:30 GMT', 30_000],
    ['soon', undefined],
  ])('takes Retry-After: %s', (retryAfter, afterMs) => {
    expect(outcomeOf({ kind: 'answer', status: 503, retryAfter, body: '' }, NOW_MS)).toMatchObject({
      kind: 'retry',
      afterMs,
    })
  })

  it('does not make a label of what is not a word of Apple', () => {
    for (const reason of ['see https://example.org/@user', 'Alice'])
      expect(outcomeOf({ kind: 'answer', status: 400, body: JSON.stringify({ reason }) }, NOW_MS)).toEqual({
        kind: 'failed',
        reason: 'HTTP 400',
      })
  })
})
