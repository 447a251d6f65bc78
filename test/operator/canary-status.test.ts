/** What is said of an app's canary pushes. */
import { expect, it } from 'vitest'
import { canaryStatus } from '../../src/operator/canary-status.ts'

const EVERY_MS = 60_000
const times = (nowMs: number) => ({ everyMs: EVERY_MS, nowMs, awaitedSinceMs: 1000 })

it('they arrive as long as the last one is no older than three intervals, and have stopped beyond that', () => {
  const arrival = { atMs: 5000, roundTripMs: 120 }
  const told = { everyMs: EVERY_MS, lastArrivedAtMs: 5000, roundTripMs: 120 }
  expect(canaryStatus(arrival, times(5000 + 3 * EVERY_MS))).toEqual({ state: 'arrives', ...told })
  expect(canaryStatus(arrival, times(5001 + 3 * EVERY_MS))).toEqual({ state: 'stopped', ...told })
})

it('the first is awaited for three intervals', () => {
  const told = { everyMs: EVERY_MS, lastArrivedAtMs: null, roundTripMs: null }
  expect(canaryStatus(undefined, times(1000 + 3 * EVERY_MS))).toEqual({ state: 'awaited', ...told })
  expect(canaryStatus(undefined, times(1001 + 3 * EVERY_MS))).toEqual({ state: 'stopped', ...told })
})

it('nothing is claimed while the store does not answer', () => {
  const told = { everyMs: EVERY_MS, lastArrivedAtMs: null, roundTripMs: null }
  expect(canaryStatus('unknown', times(1e9))).toEqual({ state: 'unknown', ...told })
})
