/** By the clock of the test: no time passes here. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { Deadlines } from '../../src/core/deadlines.ts'

const LIMIT_MS = 5000

let over: string[]
let deadlines: Deadlines
beforeEach(() => {
  vi.useFakeTimers()
  over = []
  deadlines = new Deadlines(LIMIT_MS)
})
afterEach(() => void vi.useRealTimers())

function add(name: string) {
  return deadlines.add(() => over.push(name))
}

it('each is over at its limit, and not before', () => {
  add('first')
  vi.advanceTimersByTime(2000)
  add('second')
  vi.advanceTimersByTime(2999)
  expect(over).toEqual([])
  vi.advanceTimersByTime(1)
  expect(over).toEqual(['first'])
  vi.advanceTimersByTime(1999)
  expect(over).toEqual(['first'])
  vi.advanceTimersByTime(1)
  expect(over).toEqual(['first', 'second'])
})

it('a cancelled one is never over, wherever it stands', () => {
  const [first, , third, , last] = ['first', 'second', 'third', 'fourth', 'last'].map(add)
  first?.cancel()
  third?.cancel()
  last?.cancel()
  third?.cancel()
  vi.advanceTimersByTime(LIMIT_MS)
  expect(over).toEqual(['second', 'fourth'])
})

it('cancelled when it is over already, it takes no other with it', () => {
  const first = add('first')
  vi.advanceTimersByTime(LIMIT_MS)
  add('second')
  first.cancel()
  vi.advanceTimersByTime(LIMIT_MS)
  expect(over).toEqual(['first', 'second'])
})

it('one that is over may cancel the next, and begin another', () => {
  deadlines.add(() => {
    next.cancel()
    add('begun then')
  })
  const next = add('cancelled then')
  vi.advanceTimersByTime(1)
  add('later')
  vi.advanceTimersByTime(LIMIT_MS - 1)
  expect(over).toEqual([])
  vi.advanceTimersByTime(1)
  expect(over).toEqual(['later'])
  vi.advanceTimersByTime(LIMIT_MS)
  expect(over).toEqual(['later', 'begun then'])
})

it('a thousand at once wait on one timer, and none is left when nobody waits', () => {
  const all = Array.from({ length: 1000 }, (_, number) => add(`${number}`))
  expect(vi.getTimerCount()).toBe(1)
  for (const deadline of all) deadline.cancel()
  vi.advanceTimersByTime(LIMIT_MS)
  expect(over).toEqual([])
  expect(vi.getTimerCount()).toBe(0)
})
