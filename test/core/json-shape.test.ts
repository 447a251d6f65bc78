/** How much there is in a JSON text, seen without parsing it. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { shapeOf, type JsonShape } from '../../src/core/json-shape.ts'

/** Counted in what was parsed. */
function countedIn(value: unknown): JsonShape {
  if (typeof value !== 'object' || value === null) return { members: 0, commas: 0, depth: 0 }
  const children = Object.values(value)
  const shapes = children.map(countedIn)
  const sum = (of: (shape: JsonShape) => number) => shapes.reduce((total, shape) => total + of(shape), 0)
  return {
    members: sum(({ members }) => members) + (Array.isArray(value) ? 0 : children.length),
    commas: sum(({ commas }) => commas) + Math.max(0, children.length - 1),
    depth: 1 + Math.max(0, ...shapes.map(({ depth }) => depth)),
  }
}

it('is what is counted after parsing, whatever the texts in it hold', () => {
  const string = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('"', '\\', ',', ':', '[', '{', '}', 'ü') }))
  const value = fc.letrec((tie) => ({
    any: fc.oneof(string, fc.integer(), fc.constant(null), tie('list'), tie('object')),
    list: fc.array(tie('any'), { maxLength: 5 }),
    object: fc.dictionary(string, tie('any'), { maxKeys: 5 }),
  })).any
  fc.assert(
    fc.property(value, fc.constantFrom(undefined, 2), (json, indent) => {
      expect(shapeOf(Buffer.from(JSON.stringify(json, undefined, indent)))).toEqual(countedIn(json))
    }),
  )
})
