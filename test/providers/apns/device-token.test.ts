import { describe, expect, it } from 'vitest'
import { deviceToken, isPossibleToken, type TokenFormat } from '../../../src/providers/apns/device-token.ts'

const bytes = Buffer.from(Array.from({ length: 32 }, (_, index) => (255 - index * 7) & 255))
const hex = bytes.toString('hex')
const base64 = bytes.toString('base64')

describe('a device token from a pushkey', () => {
  it.each<[string, TokenFormat, string]>([
    ['base64', 'auto', base64],
    ['base64 without padding', 'auto', base64.replace('=', '')],
    ['base64url', 'auto', bytes.toString('base64url')],
    ['base64 with the line break of an encoder', 'auto', `${base64.slice(0, 20)}\r\n${base64.slice(20)}\n`],
    ['hex', 'auto', hex],
    ['base64', 'base64', base64],
    ['hex', 'hex', hex],
  ])('is read from %s with token_format: %s', (_what, format, pushkey) => {
    expect(deviceToken(pushkey, format)).toBe(hex)
  })

  it('keeps the case of hex, as Sygnal does', () => {
    expect(deviceToken(hex.toUpperCase(), 'auto')).toBe(hex.toUpperCase())
  })

  it('takes 64 hex digits for base64 where it is told so, as Sygnal does', () => {
    expect(deviceToken(hex, 'base64')).toBe(Buffer.from(hex, 'base64').toString('hex'))
  })

  it.each<[string, TokenFormat, string]>([
    ['nothing', 'auto', ''],
    ['garbage', 'auto', '!!!!'],
    ['three bytes', 'auto', 'AAAA'],
    ['an impossible length of base64', 'auto', 'AAAAAAAAA'],
    ['a path', 'auto', '../../3/device/00'],
    ['a query', 'auto', `${hex}?x=1`],
    ['a URL', 'auto', 'https://push.example.org/abc'],
    ['base64 where hex is expected', 'hex', base64],
    ['a path where hex is expected', 'hex', `../${hex}`],
    ['hex of an odd length', 'hex', `${hex}a`],
    ['hex with a line break', 'hex', `${hex}\n`],
    ['more than any Matrix pushkey can hold', 'hex', 'ab'.repeat(257)],
    ['more than that, of which most is line breaks', 'auto', base64 + '\n'.repeat(512)],
  ])('cannot be made from %s (%s)', (_what, format, pushkey) => {
    expect(deviceToken(pushkey, format)).toBeUndefined()
  })
})

it.each([
  [true, 'base64', base64],
  [true, 'hex', hex],
  [false, 'garbage', '!!!!'],
  [false, 'nothing', ''],
  [false, 'a path', '../../3/device/00'],
  [false, 'three bytes', 'AAAA'],
])('whatever the configuration says, it is %s that a token can be %s', (expected, _what, pushkey) => {
  expect(isPossibleToken(pushkey)).toBe(expected)
})
