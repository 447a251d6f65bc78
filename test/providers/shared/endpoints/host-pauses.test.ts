/** Which hosts are left alone, for how long, and who tries them next. */
import { beforeEach, describe, expect, it } from 'vitest'
import { HostPauses } from '../../../../src/providers/shared/endpoints/host-pauses.ts'
import { Clock } from '../../../helpers/clock.ts'

const HOST = 'push.example.org'
const SECOND_MS = 1000

let clock: Clock
let pauses: HostPauses
beforeEach(() => {
  clock = new Clock()
  pauses = new HostPauses(clock.nowMs)
})

function fail(times: number): void {
  for (let count = 0; count < times; count += 1) {
    pauses.begin(HOST)()
    pauses.lost(HOST, {})
  }
}

it('a host is left alone after three failures in a row', () => {
  fail(2)
  expect(pauses.pauseOf(HOST)).toBeUndefined()
  expect(pauses.answered(HOST)).toBe(false)
  fail(2)
  expect(pauses.pauseOf(HOST)).toBeUndefined()
  fail(1)
  expect(pauses.pauseOf(HOST)).toEqual({ reason: 'host_paused', afterMs: 30 * SECOND_MS })
  expect(pauses.pauseOf('other.example.org')).toBeUndefined()
})

it('one is told when to try it again, and all others wait for that', () => {
  fail(3)
  clock.pass(10 * SECOND_MS)
  const told = Array.from({ length: 100 }, () => pauses.pauseOf(HOST)?.afterMs)
  expect(told).toEqual([20 * SECOND_MS, ...Array.from({ length: 99 }, () => undefined)])
})

it('the others come back by themselves after a few such pauses, for the one may come to another process', () => {
  fail(3)
  const [, other] = [pauses.pauseOf(HOST), pauses.pauseOf(HOST)]
  expect(other).toEqual({ reason: 'host_paused', afterMs: undefined, latestMs: 120 * SECOND_MS })
  clock.pass(other?.latestMs ?? 0)
  expect(pauses.pauseOf(HOST)).toBeUndefined()
  fail(1)
  pauses.pauseOf(HOST)
  expect(pauses.pauseOf(HOST)?.latestMs).toBe(240 * SECOND_MS)
})

it('while one tries it, the others wait on, and one of them comes if that is never heard of', () => {
  fail(3)
  clock.pass(30 * SECOND_MS)
  expect(pauses.pauseOf(HOST)).toBeUndefined()
  pauses.begin(HOST)
  expect([pauses.pauseOf(HOST)?.afterMs, pauses.pauseOf(HOST)?.afterMs]).toEqual([10 * SECOND_MS, undefined])
  clock.pass(10 * SECOND_MS)
  expect(pauses.pauseOf(HOST)).toBeUndefined()
})

it('the longer it is away, the longer it is left alone, up to five minutes', () => {
  fail(3)
  const pausesMs = Array.from({ length: 6 }, () => {
    const afterMs = pauses.pauseOf(HOST)?.afterMs ?? 0
    clock.pass(afterMs)
    fail(1)
    return afterMs / SECOND_MS
  })
  expect(pausesMs).toEqual([30, 60, 120, 240, 300, 300])
})

it('what waited may come as soon as it has answered, and only then is it said', () => {
  fail(3)
  clock.pass(30 * SECOND_MS)
  pauses.begin(HOST)()
  expect([pauses.answered(HOST), pauses.answered(HOST)]).toEqual([true, false])
  expect(pauses.pauseOf(HOST)).toBeUndefined()
})

it('many pushes that lost the same connection are one failure', () => {
  const loss = {}
  for (let count = 0; count < 10; count += 1) pauses.lost(HOST, loss)
  expect(pauses.pauseOf(HOST)).toBeUndefined()
})

it('what was on its way when a host was left alone does not make the pause longer', () => {
  fail(3)
  for (let count = 0; count < 20; count += 1) pauses.lost(HOST, {})
  expect(pauses.pauseOf(HOST)).toMatchObject({ afterMs: 30 * SECOND_MS })
})

it('one failure is enough where it is known to concern all', () => {
  pauses.leaveAlone(HOST)
  expect(pauses.pauseOf(HOST)).toMatchObject({ reason: 'host_paused', afterMs: 30 * SECOND_MS })
  expect(pauses.isToBeProbed(HOST)).toBe(true)
})

describe('a host that keeps twenty pushes waiting', () => {
  const begin = (count: number) => Array.from({ length: count }, () => pauses.begin(HOST))
  const slow = { reason: 'host_slow', afterMs: 10 * SECOND_MS }

  it('for more than two seconds gets no more', () => {
    begin(19)
    clock.pass(1000)
    begin(1)
    clock.pass(2000)
    expect(pauses.pauseOf(HOST)).toBeUndefined()
    clock.pass(1)
    expect([pauses.pauseOf(HOST), pauses.pauseOf('other.fake.test')]).toEqual([slow, undefined])
  })

  it('has one come back to see, and the others wait for an answer, after which all may come', () => {
    const [first] = begin(20)
    clock.pass(5000)
    expect([pauses.pauseOf(HOST)?.afterMs, pauses.pauseOf(HOST)?.afterMs]).toEqual([10 * SECOND_MS, undefined])
    clock.pass(10 * SECOND_MS)
    expect(pauses.pauseOf(HOST)).toEqual(slow)
    first?.()
    expect([pauses.answered(HOST), pauses.answered(HOST)]).toEqual([true, false])
    expect(pauses.pauseOf(HOST)).toBeUndefined()
  })

  it('gets more when those that it keeps waiting have only begun, however many they are', () => {
    begin(19)
    clock.pass(60_000)
    begin(1000)
    expect(pauses.pauseOf(HOST)).toBeUndefined()
  })
})
