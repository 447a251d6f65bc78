/** By the clock of the test: no time passes here. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { waitAtMost, withTimeLimit } from '../../src/core/time-limit.ts'
import { never } from '../helpers/instead.ts'

const LIMIT_MS = 5000
const tooLate = () => new RangeError('too late')

beforeEach(() => void vi.useFakeTimers())
afterEach(() => {
  // Whoever is done leaves no timer behind, which would keep the process from ending.
  if (vi.getTimerCount() > 0) throw new Error('a timer is left')
  vi.useRealTimers()
})

describe('with a time limit', () => {
  it('what comes in time is what it is', async () => {
    await expect(withTimeLimit(LIMIT_MS, Promise.resolve('value'), tooLate)).resolves.toBe('value')
    await expect(withTimeLimit(LIMIT_MS, Promise.reject(new TypeError('its own')), tooLate)).rejects.toThrow('its own')
  })

  it('what never comes is an error at the limit, and not before', async () => {
    let error: unknown
    void withTimeLimit(LIMIT_MS, never(), tooLate).catch((thrown: unknown) => (error = thrown))
    await vi.advanceTimersByTimeAsync(LIMIT_MS - 1)
    expect(error).toBeUndefined()
    await vi.advanceTimersByTimeAsync(1)
    expect(error).toEqual(tooLate())
  })

  it('what fails after the limit disturbs nobody', async () => {
    const { promise, reject } = Promise.withResolvers<never>()
    const limited = withTimeLimit(LIMIT_MS, promise, tooLate).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(LIMIT_MS)
    expect(await limited).toEqual(tooLate())
    reject(new Error('an unhandled rejection would end the process'))
    await vi.advanceTimersByTimeAsync(1)
  })
})

describe('waiting at most so long', () => {
  it('ends when the promise does, with its error if it has one', async () => {
    await expect(waitAtMost(LIMIT_MS, Promise.resolve('value'))).resolves.toBeUndefined()
    await expect(waitAtMost(LIMIT_MS, Promise.reject(new TypeError('its own')))).rejects.toThrow('its own')
  })

  it('ends without an error at the limit, and not before', async () => {
    let isOver = false
    void waitAtMost(LIMIT_MS, never()).then(() => (isOver = true))
    await vi.advanceTimersByTimeAsync(LIMIT_MS - 1)
    expect(isOver).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(isOver).toBe(true)
  })
})
