import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8Bytes } from '../../../src/core/text.ts'
import {
  defaultPayloadRank,
  leaveOutHopeless,
  shed,
  type Field,
  type Measure,
  type Rank,
} from '../../../src/providers/shared/shed.ts'

interface Text extends Field {
  readonly key: string
  readonly value: string
}

const measure: Measure<Text> = {
  bytesOf: ({ key, value }) => utf8Bytes(key) + utf8Bytes(value),
  lengthOf: ({ value }) => utf8Bytes(value),
  textBytes: utf8Bytes,
  mayShorten: ({ rank }) => rank === 'body' || rank === 'names',
}
const bytesIn = (fields: readonly Text[]) => fields.reduce((sum, field) => sum + measure.bytesOf(field), 0)
const text = (key: string, rank: Rank, length: number): Text => ({ key, rank, value: 'x'.repeat(length) })
const keysIn = (fields: readonly Text[]) => fields.map(({ key }) => key)

describe('fields that take too much', () => {
  const fields = [
    text('id', 'ids', 100),
    text('kept', 'kept', 100),
    text('short', 'content', 50),
    text('long', 'content', 80),
    text('body', 'body', 100),
  ]

  it('lose what is missed least, of that the longest first, and keep their order', () => {
    expect(shed(fields, 10, measure)).toEqual(fields.filter(({ key }) => key !== 'long'))
    expect(keysIn(shed(fields, 90, measure))).toEqual(['id', 'kept', 'body'])
  })

  it('have a text shortened, by no more than is needed', () => {
    const fitted = shed(fields, bytesIn(fields) - 270, measure)
    expect(keysIn(fitted)).toEqual(['id', 'kept', 'body'])
    expect(fitted.at(-1)?.value).toBe(`${'x'.repeat(57)}…`)
    expect(bytesIn(fitted)).toBe(270)
  })

  it('lose a text of which too little would be left to be worth its key', () => {
    expect(keysIn(shed(fields, bytesIn(fields) - 230, measure))).toEqual(['id', 'kept'])
  })

  it('lose the IDs last, and never what is kept', () => {
    expect(keysIn(shed(fields, bytesIn(fields), measure))).toEqual(['kept'])
  })

  it('always fit in the end, or only what is kept is left', () => {
    const ranks: Rank[] = ['markup', 'content', 'body', 'names', 'kind', 'constants', 'ids', 'kept']
    const field = fc.record({
      key: fc.string({ maxLength: 20 }),
      rank: fc.constantFrom(...ranks),
      value: fc.string({ unit: 'grapheme', maxLength: 500, size: 'max' }).map((value) => value.toWellFormed()),
    })
    fc.assert(
      fc.property(fc.array(field, { maxLength: 20 }), fc.integer({ min: 0, max: 3000 }), (given, maxBytes) => {
        const fitted = shed(given, bytesIn(given) - maxBytes, measure)
        expect(bytesIn(fitted) <= maxBytes || fitted.every(({ rank }) => rank === 'kept')).toBe(true)
        expect(fitted.filter(({ rank }) => rank === 'kept')).toEqual(given.filter(({ rank }) => rank === 'kept'))
      }),
    )
  })
})

it('a small value of default_payload is a constant that the app needs, a large one is content', () => {
  expect([128, 129].map(defaultPayloadRank)).toEqual(['constants', 'default payload'])
})

describe('content for which there is no room in any case', () => {
  const field = fc.record({
    key: fc.string({ maxLength: 5 }),
    rank: fc.constantFrom<Rank>('content', 'content', 'content', 'body', 'markup', 'ciphertext'),
    value: fc.string({ maxLength: 60, size: 'max' }),
  })
  const other = fc.record({
    key: fc.constant('other'),
    rank: fc.constantFrom<Rank>('names', 'ids', 'kept', 'default payload'),
    value: fc.string({ maxLength: 60, size: 'max' }),
  })

  it.each([
    ['is left whole or out', measure],
    ['may be shortened', { ...measure, mayShorten: () => true }],
  ])('makes no difference to what is sent, where it %s', (_, how) => {
    fc.assert(
      fc.property(
        fc.array(field, { maxLength: 60 }),
        fc.array(other, { maxLength: 3 }),
        fc.integer({ min: 0, max: 400 }),
        (content, others, maxBytes) => {
          const fit = (fields: readonly Text[]) => shed(fields, bytesIn(fields) - maxBytes, how)
          const { fields, isCut } = leaveOutHopeless(content, maxBytes, how)
          expect(fit([...others, ...fields])).toEqual(fit([...others, ...content]))
          expect(isCut).toBe(fields.length < content.length)
        },
      ),
    )
  })

  it('is not looked at for each device: what is left is about as much as there is room for', () => {
    const content = Array.from({ length: 500 }, (_, index) => text(`${index}`, 'content', 1000))
    expect(leaveOutHopeless(content, 4096, measure).fields).toHaveLength(5)
  })
})
