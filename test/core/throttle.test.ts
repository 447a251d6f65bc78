import { describe, expect, it } from 'vitest'
import { Throttle } from '../../src/core/throttle.ts'
import { Clock } from '../helpers/clock.ts'

const INTERVAL_MS = 60_000

describe('what is throttled', () => {
  it('is allowed at first, and then once the interval has passed since it was', () => {
    const clock = new Clock()
    const throttle = new Throttle(INTERVAL_MS, clock.nowMs)
    expect([throttle.allows(), throttle.allows()]).toEqual([true, false])
    clock.pass(INTERVAL_MS - 1)
    expect(throttle.allows()).toBe(false)
    clock.pass(1)
    expect([throttle.allows(), throttle.allows()]).toEqual([true, false])
  })

  it('is not put off by being asked for: a thousand refusals leave the next time where it was', () => {
    const clock = new Clock()
    const throttle = new Throttle(INTERVAL_MS, clock.nowMs)
    const allowedAtMs: number[] = []
    const startMs = clock.ms
    for (let asked = 0; asked < 1000; asked += 1) {
      if (throttle.allows()) allowedAtMs.push(clock.ms - startMs)
      clock.pass(120)
    }
    expect(allowedAtMs).toEqual([0, INTERVAL_MS])
  })

  it('is each subject by itself', () => {
    const throttle = new Throttle(INTERVAL_MS, new Clock().nowMs)
    expect([throttle.allows('a'), throttle.allows('b'), throttle.allows('a')]).toEqual([true, true, false])
  })

  it('is allowed at the beginning of time, too', () => {
    expect(new Throttle(INTERVAL_MS, () => 0).allows()).toBe(true)
  })
})
