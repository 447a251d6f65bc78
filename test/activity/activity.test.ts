/** What an operator is told of the last hour of a route. */
import { describe, expect, it } from 'vitest'
import { Activity, type HandledNow } from '../../src/activity/activity.ts'
import { Clock } from '../helpers/clock.ts'

const MINUTE_MS = 60_000
const handled = (result: string, more: Partial<HandledNow> = {}): HandledNow => ({
  result,
  reason: undefined,
  isFinal: true,
  endToEndSeconds: 0.1,
  device: '6ba11e9c',
  attempt: 1,
  ...more,
})
const again = (result: string): HandledNow => handled(result, { isFinal: false, reason: 'Busy' })

function start() {
  const clock = new Clock()
  clock.ms = 1000 * MINUTE_MS
  return { clock, activity: new Activity(clock.nowMs) }
}

describe('the activity of a route', () => {
  it('counts what came and went by minute, the newest last', () => {
    const { clock, activity } = start()
    activity.accepted('one')
    activity.handled('one', handled('delivered'))
    clock.ms += 2 * MINUTE_MS
    activity.accepted('one')
    activity.handled('one', handled('rejected'))
    activity.handled('one', again('retry'))
    const { accepted, delivered, failed, retried } = activity.of('one').lastHour
    expect([accepted, delivered, failed, retried].map((minutes) => [minutes.length, minutes.slice(-3)])).toEqual([
      [60, [1, 0, 1]],
      [60, [1, 0, 0]],
      [60, [0, 0, 1]],
      [60, [0, 0, 1]],
    ])
  })

  it('forgets a minute after an hour, also where nothing came since', () => {
    const { clock, activity } = start()
    activity.accepted('one')
    clock.ms += 59 * MINUTE_MS
    expect(activity.of('one').lastHour.accepted[0]).toBe(1)
    clock.ms += MINUTE_MS
    expect(activity.of('one').lastHour.accepted).toEqual(Array.from({ length: 60 }, () => 0))
    clock.ms += 500 * MINUTE_MS
    activity.accepted('one')
    expect(activity.of('one').lastHour.accepted.reduce((sum, count) => sum + count)).toBe(1)
  })

  it('tells the rate of the last 60 seconds wherever in a minute it is asked', () => {
    const { clock, activity } = start()
    for (let each = 0; each < 60; each += 1) activity.accepted('one')
    clock.ms += 1.5 * MINUTE_MS
    expect(activity.of('one').acceptedPerMinute).toBe(30)
  })

  it('tells half and 99 % of the delays of the last minutes, to within a quarter, and none where nothing was delivered', () => {
    const { clock, activity } = start()
    expect(activity.of('one').delayMs).toBeUndefined()
    for (let each = 1; each <= 1000; each += 1)
      activity.handled('one', handled('delivered', { endToEndSeconds: each / 1000 }))
    const { p50 = 0, p99 = 0 } = activity.of('one').delayMs ?? {}
    expect(p50).toBeGreaterThanOrEqual(500)
    expect(p50).toBeLessThanOrEqual(500 * 1.25)
    expect(p99).toBeGreaterThanOrEqual(990)
    expect(p99).toBeLessThanOrEqual(990 * 1.25)
    clock.ms += 6 * MINUTE_MS
    expect(activity.of('one').delayMs).toBeUndefined()
  })

  it('takes no harm from a delay of days, of nothing, or of less than that', () => {
    const { activity } = start()
    for (const endToEndSeconds of [-5, 0, 7 * 24 * 3600])
      activity.handled('one', handled('delivered', { endToEndSeconds }))
    expect(activity.of('one').delayMs?.p50).toBe(1)
    expect(activity.of('one').delayMs?.p99).toBeGreaterThan(12 * 3600_000)
  })

  it('knows when the last was delivered, and the last failure in the push service’s own word', () => {
    const { clock, activity } = start()
    activity.handled('one', handled('delivered'))
    const deliveredAtMs = clock.ms
    clock.ms += 5000
    activity.handled('one', handled('blocked', { reason: 'InvalidProviderToken', isFinal: false }))
    activity.handled('one', handled('superseded'))
    expect(activity.of('one')).toMatchObject({
      lastDeliveredAtMs: deliveredAtMs,
      lastFailure: { atMs: clock.ms, result: 'blocked', reason: 'InvalidProviderToken', isFinal: false },
    })
  })

  it('holds the last 20 failures of each route, the newest first, whatever another one does', () => {
    const { activity } = start()
    activity.handled('quiet', handled('failed', { reason: 'PayloadTooLarge' }))
    for (let attempt = 1; attempt <= 1000; attempt += 1) activity.handled('loud', { ...again('retry'), attempt })
    expect(activity.failuresOf('loud').map(({ attempt }) => attempt)).toEqual(
      Array.from({ length: 20 }, (_, index) => 1000 - index),
    )
    expect(activity.failuresOf('quiet')).toMatchObject([{ device: '6ba11e9c', reason: 'PayloadTooLarge' }])
  })

  it('forgets a route that is not configured any more', () => {
    const { activity } = start()
    for (const route of ['kept', 'gone']) activity.handled(route, handled('failed'))
    activity.keepOnly(new Set(['kept']))
    expect([activity.failuresOf('kept').length, activity.failuresOf('gone').length]).toEqual([1, 0])
  })
})
