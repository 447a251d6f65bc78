import { describe, expect, it } from 'vitest'
import { parseRetryAfter, type Outcome, type Retry } from '../../src/core/outcome.ts'
import { dispositionOf, retryDelayMs } from '../../src/delivery/retry.ts'

const NOW_MS = Date.parse('2026-11-23T12:00:00Z')
const circumstances = { attempt: 1, nowMs: NOW_MS, expiresAtMs: NOW_MS + 24 * 3600_000, random: 0 }

function retry(more: Partial<Retry> = {}): Retry {
  return { kind: 'retry', reason: '503', scope: 'delivery', ambiguous: false, ...more }
}

describe('what becomes of a delivery', () => {
  it.each<[Outcome, object]>([
    [{ kind: 'delivered' }, { kind: 'acknowledge' }],
    [{ kind: 'rejected', reason: 'Unregistered' }, { kind: 'acknowledge' }],
    [{ kind: 'dropped', reason: 'endpoint_not_allowed' }, { kind: 'acknowledge' }],
    [{ kind: 'blocked', reason: 'InvalidProviderToken' }, { kind: 'hold' }],
    [
      { kind: 'failed', reason: 'PayloadTooLarge' },
      { kind: 'dead-letter', reason: 'PayloadTooLarge' },
    ],
    [retry(), { kind: 'requeue', atMs: NOW_MS + 1000 }],
  ])('%j → %j', (outcome, expected) => {
    expect(dispositionOf(outcome, circumstances)).toEqual(expected)
  })

  it('is given up when the next attempt would come after it expired', () => {
    expect(dispositionOf(retry({ afterMs: 60_000 }), { ...circumstances, expiresAtMs: NOW_MS + 60_000 })).toEqual({
      kind: 'dead-letter',
      reason: 'expired: 503',
    })
  })
})

describe('the delay before the next attempt', () => {
  it('grows exponentially with full jitter above the floor, up to 15 minutes', () => {
    const delays = (random: number) =>
      [1, 2, 3, 10, 40].map((attempt) => retryDelayMs(retry(), { ...circumstances, attempt, random }))
    expect(delays(0)).toEqual([1000, 1000, 1000, 1000, 1000])
    expect(delays(0.999999)).toEqual([2000, 4000, 8000, 900_000, 900_000])
  })

  it('never goes under the floor of a push service (FCM: 10 s; 429: 60 s)', () => {
    expect(retryDelayMs(retry({ floorMs: 60_000 }), { ...circumstances, random: 0 })).toBe(60_000)
    expect(retryDelayMs(retry({ floorMs: 3_600_000 }), { ...circumstances, random: 0.5 })).toBe(3_600_000)
  })

  it('is what the push service asked for, never less, hardly more', () => {
    expect(
      retryDelayMs(retry({ afterMs: 120_000, floorMs: 10_000 }), { ...circumstances, attempt: 5, random: 0 }),
    ).toBe(120_000)
    expect(retryDelayMs(retry({ afterMs: 120_000 }), { ...circumstances, random: 0.999999 })).toBe(132_000)
  })

  it('is nothing when nothing was sent, three times; then it backs off like any other', () => {
    const delays = [1, 2, 3, 4].map((attempt) => retryDelayMs(retry({ afterMs: 0 }), { ...circumstances, attempt }))
    expect(delays).toEqual([0, 0, 0, 1000])
  })
})

describe('Retry-After', () => {
  it.each([
    ['120', 120_000],
    ['0', 0],
    ['Mon, 23 Nov 2026 12:01:00 GMT', 60_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['Monday, 23-Nov-26 12:01:00 GMT', 60_000],
    ['soon', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['', undefined],
    [undefined, undefined],
    [['1', '2'], undefined],
  ])('%j is %j ms', (value, expected) => {
    expect(parseRetryAfter(value, NOW_MS)).toBe(expected)
  })
})
