import { beforeEach, describe, expect, it } from 'vitest'
import { BELIEVED_AFTER_MS, LeapFreeClock } from '../../src/core/leap-free-clock.ts'

const START_MS = Date.parse('2026-11-20T12:00:00Z')
const HOUR_MS = 3600_000

let passedMs: number
let leapMs: number
let leaps: number[]
let skews: number[]
let clock: LeapFreeClock

beforeEach(() => {
  passedMs = 0
  leapMs = 0
  leaps = []
  skews = []
  clock = createClock(false)
})

function createClock(isBackFollowed: boolean): LeapFreeClock {
  return new LeapFreeClock({
    systemMs: () => START_MS + passedMs + leapMs,
    steadyMs: () => passedMs,
    isBackFollowed,
    onLeap: (ms) => leaps.push(ms),
    onSkew: (ms) => skews.push(ms),
  })
}

/** The clock is looked at each second. */
function pass(ms: number): void {
  for (const endMs = passedMs + ms; passedMs < endMs; passedMs += 1000) clock.nowMs()
}

describe('a clock without leaps', () => {
  it('is the clock of the system, and follows its small corrections', () => {
    for (let second = 0; second < 100; second += 1) {
      pass(1000)
      leapMs += 500
      expect(clock.nowMs()).toBe(START_MS + passedMs + leapMs)
    }
    expect(leaps).toEqual([])
  })

  it('goes on evenly where that is 25 hours ahead for five seconds, and tells it once', () => {
    leapMs = 25 * HOUR_MS
    pass(5000)
    expect(clock.nowMs()).toBe(START_MS + 5000)
    leapMs = 0
    pass(5000)
    expect(clock.nowMs()).toBe(START_MS + 10_000)
    expect(leaps).toEqual([25 * HOUR_MS])
  })

  it('goes on evenly where that is set back by an hour, for as long as that lasts', () => {
    leapMs = -HOUR_MS
    pass(10 * HOUR_MS)
    expect(clock.nowMs()).toBe(START_MS + 10 * HOUR_MS)
    expect(leaps).toEqual([-HOUR_MS])
  })

  it('is set back with it where others go by that clock, too', () => {
    clock = createClock(true)
    leapMs = -HOUR_MS
    pass(5000)
    expect(clock.nowMs()).toBe(START_MS + 5000 - HOUR_MS)
    expect(leaps).toEqual([-HOUR_MS])
  })

  it('believes a leap ahead that lasts, and not before', () => {
    leapMs = HOUR_MS
    pass(BELIEVED_AFTER_MS - 1000)
    expect(clock.nowMs()).toBe(START_MS + passedMs)
    pass(2000)
    expect(clock.nowMs()).toBe(START_MS + passedMs + HOUR_MS)
  })

  it('waits anew where the clock leaps again', () => {
    leapMs = HOUR_MS
    pass(BELIEVED_AFTER_MS - 1000)
    leapMs = 2 * HOUR_MS
    pass(2000)
    expect(clock.nowMs()).toBe(START_MS + passedMs)
    expect(leaps).toEqual([HOUR_MS, 2 * HOUR_MS])
  })
})

describe('a clock that follows one that others follow, too', () => {
  beforeEach(() => {
    clock = createClock(true)
  })

  it('believes what that says first, however far it is from the clock of the system, and tells it once', () => {
    clock.follow(START_MS - 70_000)
    expect(clock.nowMs()).toBe(START_MS - 70_000)
    expect(skews).toEqual([70_000])
    pass(30_000)
    clock.follow(START_MS - 40_000)
    expect(clock.nowMs()).toBe(START_MS - 40_000)
    expect([skews, leaps]).toEqual([[70_000], []])
  })

  it('tells it again where they agreed in between', () => {
    for (const behindMs of [70_000, 0, 70_000]) clock.follow(START_MS - behindMs)
    expect(skews).toEqual([70_000, 70_000])
  })

  it('does not mind what becomes of the clock of the system', () => {
    clock.follow(START_MS)
    for (const ms of [25 * HOUR_MS, -HOUR_MS]) {
      leapMs = ms
      pass(5000)
    }
    expect(clock.nowMs()).toBe(START_MS + 10_000)
    expect(leaps).toEqual([])
  })

  it('does not go back and forth where that is known a little differently each time', () => {
    clock.follow(START_MS)
    for (const otherMs of [60, -60, 90]) clock.follow(START_MS + otherMs)
    expect(clock.nowMs()).toBe(START_MS)
    clock.follow(START_MS + 500)
    expect(clock.nowMs()).toBe(START_MS + 500)
  })

  it('goes on evenly where that leaps ahead, until it lasts', () => {
    clock.follow(START_MS)
    clock.follow(START_MS + 25 * HOUR_MS)
    pass(5000)
    expect(clock.nowMs()).toBe(START_MS + 5000)
    expect(leaps).toEqual([25 * HOUR_MS])
    pass(BELIEVED_AFTER_MS)
    expect(clock.nowMs()).toBe(START_MS + passedMs + 25 * HOUR_MS)
  })

  it('is set back with it', () => {
    clock.follow(START_MS)
    clock.follow(START_MS - HOUR_MS)
    expect(clock.nowMs()).toBe(START_MS - HOUR_MS)
  })
})
