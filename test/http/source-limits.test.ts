/** The buckets of sources by themselves, with a clock that the test moves. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { SourceLimits, type SourceLimit } from '../../src/http/source-limits.ts'

const LIMIT: SourceLimit = { mode: 'enforce', devicesPerMinute: 60, bytesPerMinute: 6000 }
const SOME = '192.0.2.1'
const MOST_SOURCES = 20_000

let limits: SourceLimits
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  limits = new SourceLimits(LIMIT, () => 0)
})
afterEach(() => void vi.useRealTimers())

const take = (devices: number, bytes = 0, source = SOME) => limits.take(source, { devices, bytes })
const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1000)

describe('a source', () => {
  it('may send the devices of a minute at once, and then as many as come back', () => {
    expect(take(60)).toBeUndefined()
    expect(take(1)).toBe(1)
    pass(10)
    expect(take(10)).toBeUndefined()
    expect(take(1)).toBe(1)
  })

  it('may send the bytes of a minute at once, and then as many as come back', () => {
    expect(take(1, 6000)).toBeUndefined()
    pass(30)
    expect(take(1, 3001)).toBe(1)
    expect(take(1, 3000)).toBeUndefined()
  })

  it('loses nothing by what is refused', () => {
    take(50)
    for (let time = 0; time < 5; time += 1) expect(take(20)).toBe(10)
    expect(take(10)).toBeUndefined()
  })

  it('has never more than a minute’s, however long it was silent', () => {
    take(60)
    pass(59)
    take(1)
    pass(3600)
    expect(take(61)).toBe(1)
    expect(take(60)).toBeUndefined()
  })

  it('is told to wait for as long as it takes, and up to as long again, so that not all come back at once', () => {
    const waits = [0, 0.5, 0.999].map((random) => {
      const some = new SourceLimits(LIMIT, () => random)
      some.take(SOME, { devices: 60, bytes: 6000 })
      return [some.take(SOME, { devices: 10, bytes: 0 }), some.take(SOME, { devices: 1, bytes: 3000 })]
    })
    expect(waits).toEqual([
      [10, 30],
      [15, 45],
      [20, 60],
    ])
  })

  it('takes nothing from another', () => {
    take(60)
    expect(take(60, 6000, '192.0.2.2')).toBeUndefined()
  })
})

it('of a source nothing is held a minute after its last request', () => {
  take(60)
  pass(30)
  take(1, 0, '192.0.2.2')
  take(1)
  pass(30)
  take(1, 0, '192.0.2.2')
  expect(limits.size).toBe(2)
  pass(30)
  expect(limits.size).toBe(1)
  pass(30)
  expect(limits.size).toBe(0)
})

it('of 20,000 sources at most something is held: what was heard of longest ago is forgotten', () => {
  for (let source = 0; source < MOST_SOURCES; source += 1) take(60, 0, `10.0.${source >> 8}.${source & 255}`)
  take(1, 0, '10.0.0.0')
  take(60, 0, '10.1.0.0')
  expect(limits.size).toBe(MOST_SOURCES)
  expect(take(1, 0, '10.0.0.0')).toBe(1)
  expect(take(60, 0, '10.0.0.1')).toBeUndefined()
})
