import { beforeEach, describe, expect, it } from 'vitest'
import { HostPauses } from '../../../src/providers/webpush/host-pauses.ts'

const HOST = 'push.fake.test'
let nowMs: number
let pauses: HostPauses
beforeEach(() => {
  nowMs = 0
  pauses = new HostPauses(() => nowMs)
})

function lose(times: number): void {
  for (let time = 0; time < times; time += 1) pauses.lost(HOST, {})
}

describe('a host', () => {
  it('that is lost three times in a row is left alone for half a minute', () => {
    lose(2)
    expect(pauses.pauseMs(HOST)).toBe(0)
    lose(1)
    expect([pauses.pauseMs(HOST), pauses.pauseMs('other.fake.test')]).toEqual([30_000, 0])
    nowMs = 29_999
    expect(pauses.pauseMs(HOST)).toBe(1)
    nowMs = 30_000
    expect(pauses.pauseMs(HOST)).toBe(0)
  })

  it('that answered is not lost in a row', () => {
    lose(2)
    pauses.answered(HOST)
    lose(2)
    expect(pauses.pauseMs(HOST)).toBe(0)
  })

  it('is lost once with one connection, however many pushes waited for it', () => {
    const loss = {}
    for (let push = 0; push < 100; push += 1) pauses.lost(HOST, loss)
    expect(pauses.pauseMs(HOST)).toBe(0)
    lose(2)
    expect(pauses.pauseMs(HOST)).toBe(30_000)
  })

  it('is tried by one push after a pause, and by another only when that one was sent', () => {
    lose(3)
    nowMs = 30_000
    expect([pauses.pauseMs(HOST), pauses.pauseMs(HOST)]).toEqual([0, 0])
    pauses.begin(HOST)
    expect(pauses.pauseMs(HOST)).toBe(10_000)
  })
})

describe('a host that keeps twenty pushes waiting', () => {
  const begin = (count: number) => Array.from({ length: count }, () => pauses.begin(HOST))

  it('for more than two seconds gets no more', () => {
    begin(19)
    nowMs = 1000
    begin(1)
    nowMs = 3000
    expect(pauses.isSlow(HOST)).toBe(false)
    nowMs = 3001
    expect([pauses.isSlow(HOST), pauses.isSlow('other.fake.test')]).toEqual([true, false])
  })

  it('gets more when one of them has ended', () => {
    const [first] = begin(20)
    nowMs = 5000
    expect(pauses.isSlow(HOST)).toBe(true)
    first?.()
    expect(pauses.isSlow(HOST)).toBe(false)
  })

  it('gets more when those that it keeps waiting have only begun, however many they are', () => {
    begin(19)
    nowMs = 60_000
    begin(1000)
    expect(pauses.isSlow(HOST)).toBe(false)
  })
})
