import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import { outcomeOf } from '../../../src/providers/webpush/answers.ts'

const NOW_MS = Date.UTC(2026, 10, 23)

type Expected = Partial<Extract<Outcome, { kind: 'retry' }>>

function retry(how: Expected = {}): Expected {
  return { kind: 'retry', scope: 'target', ambiguous: false, ...how }
}

describe('an answer of a push service', () => {
  // 8030: RFC 8030; 8292: RFC 8292; all of it: docs/facts/web-push.md#answers.
  it.each([
    [200, { kind: 'delivered' }],
    [201, { kind: 'delivered' }], // 8030 §5
    [202, { kind: 'delivered' }], // golden: web-answer-202
    [204, { kind: 'delivered' }],
    [404, { kind: 'rejected', reason: '404' }], // 8030 §7.3
    [410, { kind: 'rejected', reason: '410' }],
    [400, { kind: 'failed', reason: '400' }], // 8030 §5.4: a Topic or TTL that it does not like
    [405, { kind: 'failed', reason: '405' }], // no push service at all
    [413, { kind: 'failed', reason: '413' }], // 8030 §7.2
    [451, { kind: 'failed', reason: '451' }],
    [401, retry({ reason: '401', floorMs: 600_000 })], // 8292 §4.2; a stranger's host must not stop the app
    [403, retry({ reason: '403', floorMs: 600_000 })], // 8292 §4.2
    [301, retry({ reason: '301', floorMs: 600_000 })], // golden: web-answer-301
    [307, retry({ reason: '307', floorMs: 600_000 })],
    [406, retry({ reason: '406', floorMs: 60_000 })], // WNS: throttled
    [408, retry({ reason: '408', ambiguous: true })], // RFC 9110 §15.5.9
    [429, retry({ reason: '429', floorMs: 60_000 })], // 8030 §8.4
    [500, retry({ reason: '500', ambiguous: true })],
    [502, retry({ reason: '502', ambiguous: true })],
    [503, retry({ reason: '503' })],
    [507, retry({ reason: '507', floorMs: 60_000 })], // ntfy without a subscriber
  ])('%i', (status, outcome) => {
    expect(outcomeOf({ kind: 'answer', status }, NOW_MS)).toMatchObject(outcome)
  })

  it.each([
    ['seconds', '120', 120_000],
    ['a date', new Date(NOW_MS + 30_000).toUTCString(), 30_000],
    ['nothing readable', 'soon', 60_000],
    ['no time at all', '0', 60_000],
  ])(
    '429 with Retry-After of %s is a floor under our own pauses, so that no stranger sets our pace',
    (_what, retryAfter, floorMs) => {
      const outcome = outcomeOf({ kind: 'answer', status: 429, retryAfter }, NOW_MS)
      expect(outcome).toEqual({ kind: 'retry', reason: '429', scope: 'target', ambiguous: false, floorMs })
    },
  )

  it('never blocks the app, whatever it is', () => {
    for (let status = 100; status < 1000; status += 1)
      expect(outcomeOf({ kind: 'answer', status }, NOW_MS)).not.toMatchObject({ kind: 'blocked' })
  })
})

describe('no answer', () => {
  it.each([
    ['a refused connection', { code: 'ECONNREFUSED', written: false }, retry()],
    ['a host that does not exist', { code: 'ENOTFOUND', written: false }, retry()],
    ['a certificate of somebody else', { code: 'ERR_TLS_CERT_ALTNAME_INVALID', written: false }, retry()],
    ['a reset after it was written', { code: 'ECONNRESET', written: true }, retry({ ambiguous: true })],
    ['the deadline after it was written', { code: 'deadline', written: true }, retry({ ambiguous: true })],
    ['a host in a private network', { code: 'private_address', written: false }, retry({ floorMs: 600_000 })],
    ['cut off by us', { code: 'aborted', written: true }, retry({ scope: 'delivery', ambiguous: true })],
  ] as const)('%s is tried again, never a rejection', (_what, lost, outcome) => {
    expect(outcomeOf({ kind: 'lost', ...lost }, NOW_MS)).toMatchObject({ ...outcome, reason: lost.code })
  })
})
