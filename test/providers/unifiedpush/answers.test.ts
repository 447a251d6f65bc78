import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { outcomeOf } from '../../../src/providers/unifiedpush/answers.ts'

const NOW_MS = Date.UTC(2026, 10, 23)

type Expected = Partial<Extract<Outcome, { kind: 'retry' }>>

function retry(how: Expected = {}): Expected {
  return { kind: 'retry', scope: 'target', ambiguous: false, ...how }
}

describe('an answer of a push server', () => {
  // SERV: UnifiedPush SERV_1.2.0; 8030: RFC 8030; all of it: docs/facts/unifiedpush.md#answers.
  it.each([
    [200, { kind: 'delivered' }], // ntfy
    [201, { kind: 'delivered' }], // SERV
    [202, { kind: 'delivered' }], // SERV: any of 2xx
    [301, retry({ reason: '301', floorMs: 600_000 })], // SERV: not to be followed
    [400, { kind: 'failed', reason: '400' }], // SERV: not to be repeated
    [401, retry({ reason: '401', floorMs: 600_000 })], // ntfy
    [403, retry({ reason: '403', floorMs: 600_000 })], // ntfy
    [404, { kind: 'rejected', reason: '404' }], // SERV
    [405, { kind: 'failed', reason: '405' }], // no push server at all
    [408, retry({ reason: '408', ambiguous: true })],
    [410, { kind: 'rejected', reason: '410' }],
    [413, { kind: 'failed', reason: '413' }], // SERV
    [429, retry({ reason: '429', floorMs: 60_000 })], // SERV: of this endpoint; 8030 §8.4
    [500, retry({ reason: '500', ambiguous: true })],
    [502, retry({ reason: '502', ambiguous: true })],
    [503, retry({ reason: '503' })],
    [507, retry({ reason: '507', floorMs: 60_000 })], // ntfy without a subscriber
    [600, retry({ reason: '600' })],
  ])('%i', (status, outcome) => {
    expect(outcomeOf({ kind: 'answer', status }, NOW_MS)).toMatchObject(outcome)
  })

  it.each([429, 503])('of %i that asks for a pause gets it', (status) => {
    expect(outcomeOf({ kind: 'answer', status, retryAfter: '900' }, NOW_MS)).toMatchObject({ floorMs: 900_000 })
  })

  it('that does not come concerns its endpoint alone, but for a proxy that is away', () => {
    expect(outcomeOf({ kind: 'lost', code: 'ECONNREFUSED', written: false }, NOW_MS)).toMatchObject(retry())
    expect(outcomeOf({ kind: 'lost', code: 'ECONNREFUSED', written: false, isProxyAway: true }, NOW_MS)).toMatchObject(
      retry({ scope: 'app' }),
    )
  })
})
