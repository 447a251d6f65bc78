import { describe, expect, it } from 'vitest'
import { isMatch, shapeOf } from '../../src/core/pusher-match.ts'

describe('a pushkey', () => {
  it.each([
    ['https://ntfy.example.org/upAbC?up=1', 'url'],
    ['HTTPS://ntfy.example.org/upAbC', 'url'],
    ['{"endpoint":"https://push.example.org/1"}', 'json'],
    [' {"endpoint":"https://push.example.org/1"}', 'json'],
    ['cQ8:APA91b', 'token'],
    ['http://ntfy.example.org/upAbC', 'token'],
    ['["https://ntfy.example.org"]', 'token'],
    ['', 'token'],
  ])('%j is a %s', (pushkey, shape) => {
    expect(shapeOf(pushkey)).toBe(shape)
  })
})

describe('a match', () => {
  it('without a word fits every pusher', () => {
    expect(isMatch({}, 'token', {})).toBe(true)
  })

  it('asks for the shape of the pushkey and for all of the data at once', () => {
    const match = { pushkey: 'token', data: { type: 'fcm', beta: true } } as const
    expect(isMatch(match, 'token', { type: 'fcm', beta: true, more: 1 })).toBe(true)
    expect(isMatch(match, 'https://push.example.org', { type: 'fcm', beta: true })).toBe(false)
    expect(isMatch(match, 'token', { type: 'fcm' })).toBe(false)
    expect(isMatch(match, 'token', { type: 'fcm', beta: 'true' })).toBe(false)
  })

  it('is not fitted by what every object has', () => {
    expect(isMatch({ data: { constructor: 'x' } }, 'token', {})).toBe(false)
  })
})
