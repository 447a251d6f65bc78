/** How many pushes may be on their way at once, and whose turn it is next. */
import { describe, expect, it } from 'vitest'
import { Lane, Lanes } from '../../../../src/providers/shared/endpoints/lanes.ts'

const NOW_MS = 1_000_000

/** Enters as often as there is room, up to `most`. */
function fill(lanes: readonly Lane[], most = 10_000): number {
  let entered = 0
  for (; entered < most && lanes.every(({ hasRoom }) => hasRoom); entered += 1) for (const lane of lanes) lane.enter()
  return entered
}

describe('a lane', () => {
  it('takes one more for each push that was taken, and begins anew after a failure', () => {
    const lane = new Lane(4, 6)
    expect(fill([lane])).toBe(4)
    for (let count = 0; count < 10; count += 1) lane.grow()
    expect(fill([lane])).toBe(2)
    lane.shrink()
    for (let count = 0; count < 3; count += 1) lane.leave(10)
    expect(fill([lane])).toBe(1)
  })

  it('gives turns as its answers take, the next each time one later', () => {
    const lane = new Lane(4)
    expect([lane.nextTurnMs(NOW_MS), lane.nextTurnMs(NOW_MS)]).toEqual([250, 500])
    expect(lane.nextTurnMs(NOW_MS + 10_000)).toBe(250)
    for (let count = 0; count < 100; count += 1) {
      lane.enter()
      lane.leave(20)
    }
    expect(lane.nextTurnMs(NOW_MS + 20_000)).toBeLessThanOrEqual(6)
  })

  it('gives no turn later than in ten minutes', () => {
    const lane = new Lane(1)
    const turnsMs = Array.from({ length: 1000 }, () => lane.nextTurnMs(NOW_MS))
    expect(Math.max(...turnsMs)).toBe(600_000)
  })
})

describe('what strangers name', () => {
  it('has so many slots for a new host, its site, all new hosts, and all of them', () => {
    const lanes = new Lanes(1000)
    expect(fill(lanes.of('a.evil.test', 'evil.test', true))).toBe(4)
    expect(fill(lanes.of('b.evil.test', 'evil.test', true))).toBe(4)
    expect(fill(lanes.of('c.evil.test', 'evil.test', true))).toBe(0)
    const others = Array.from({ length: 100 }, (_, index) => fill(lanes.of(`${index}.test`, `${index}.test`, true)))
    expect(others.reduce((sum, count) => sum + count, 0)).toBe(100 - 8)
    // Those that have taken pushes find room all the same, up to half of all.
    const known = Array.from({ length: 200 }, (_, index) => fill(lanes.of(`k${index}.test`, `k${index}.test`, false)))
    expect(known.reduce((sum, count) => sum + count, 0)).toBe(500 - 100)
  })

  it('has at least one slot, however few there are', () => {
    expect(fill(new Lanes(1).of('a.test', 'a.test', true))).toBe(1)
  })
})
