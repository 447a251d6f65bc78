import { expect, it } from 'vitest'
import { Attempt } from '../../../../src/providers/shared/connections/attempt.ts'

it('an attempt ends with the signal of whoever asked for it', () => {
  const stop = new AbortController()
  const told: string[] = []
  const [first, second] = [new Attempt(stop.signal), new Attempt(stop.signal)]
  first.onCutOff = (code) => told.push(`first ${code}`)
  second.onCutOff = (code) => told.push(`second ${code}`)
  stop.abort()
  expect(told).toEqual(['first aborted', 'second aborted'])
  expect(first.cutOffBy).toBe('aborted')
})

it('an attempt that has come to its own end is not told', () => {
  const stop = new AbortController()
  const [done, other] = [new Attempt(stop.signal), new Attempt(stop.signal)]
  done.finish()
  stop.abort()
  expect([done.cutOffBy, other.cutOffBy]).toEqual([undefined, 'aborted'])
})

it('an attempt that begins with a signal of the past is over, and so is one after all others of that signal', () => {
  const stop = new AbortController()
  new Attempt(stop.signal).finish()
  const later = new Attempt(stop.signal)
  stop.abort()
  expect([later.cutOffBy, new Attempt(stop.signal).cutOffBy]).toEqual(['aborted', 'aborted'])
})

it('the first reason counts, and is told once', () => {
  const attempt = new Attempt()
  const told: string[] = []
  attempt.onCutOff = (code) => told.push(code)
  attempt.cutOff('deadline')
  attempt.cutOff('aborted')
  expect([told, attempt.cutOffBy]).toEqual([['deadline'], 'deadline'])
})

it('what an attempt waits for is as it is, or nothing when it is cut off before', async () => {
  await expect(new Attempt().before(Promise.resolve('value'))).resolves.toBe('value')
  await expect(new Attempt().before(Promise.reject(new RangeError('its own')))).rejects.toThrow('its own')
  const attempt = new Attempt()
  const waiting = attempt.before(new Promise<string>(() => {}))
  attempt.cutOff('deadline')
  await expect(waiting).resolves.toBeUndefined()
  await expect(attempt.before(Promise.resolve('late'))).resolves.toBeUndefined()
})

it('a thousand attempts with one signal put one listener on it', () => {
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  signal.addEventListener = (...all: Parameters<typeof add>) => {
    listeners += 1
    add(...all)
  }
  const attempts = Array.from({ length: 1000 }, () => new Attempt(signal))
  expect(listeners).toBe(1)
  for (const attempt of attempts) attempt.finish()
})
