import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jsonBytes, truncate, utf8Bytes } from '../../src/core/text.ts'

const FAMILY = '👩‍👩‍👧‍👦'

describe('truncate()', () => {
  it.each([
    ['what fits stays as it is', 'hello', 5, 'hello'],
    ['ends with an ellipsis', 'hello world', 8, 'hello…'],
    ['keeps characters of several bytes whole', 'ääääää', 8, 'ää…'],
    ['keeps what people see as one character whole', FAMILY + FAMILY, 30, `${FAMILY}…`],
    ['gives nothing when not even the ellipsis fits', 'hello', 2, ''],
    ['gives only the ellipsis when nothing else fits', FAMILY + FAMILY, 3, '…'],
    ['cuts a letter under a tower of accents at a code point', 'e' + '\u0301'.repeat(5000), 10, 'e\u0301\u0301\u0301…'],
  ])('%s', (_what, text, maxBytes, expected) => {
    expect(truncate(text, maxBytes)).toBe(expected)
  })

  it.each([
    ['UTF-8', utf8Bytes],
    ['JSON', jsonBytes],
  ])('never costs more than it may, and is a prefix: %s', (_name, costOf) => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.nat(250), (text, maxCost) => {
        const cut = truncate(text, maxCost, costOf)
        expect(costOf(cut)).toBeLessThanOrEqual(maxCost)
        expect(text.startsWith(cut.replace(/…$/, '')) || cut === text).toBe(true)
      }),
    )
  })

  it('looks at no more of a long text than can fit', () => {
    let longest = 0
    let times = 0
    const cut = truncate('x'.repeat(1_000_000), 1000, (piece) => {
      longest = Math.max(longest, piece.length)
      times += 1
      return piece.length
    })
    expect(cut).toHaveLength(1000)
    expect(longest).toBeLessThan(2000)
    expect(times).toBeLessThan(2 * Math.log2(1000))
  })
})
