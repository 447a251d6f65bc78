/** The kinds of settings that the configuration has, as parts of its schema. */
// oxlint-disable typescript/explicit-module-boundary-types -- the type is what is returned: a schema that TypeScript reads
import Type, { type TObject, type TProperties } from 'typebox'
import { isAddressRange } from '../core/address-ranges.ts'
import { DURATION_PATTERN, parseDurationMs, parseSizeBytes, SIZE_PATTERN } from './units.ts'

export const closed = { additionalProperties: false } as const

export function section<Properties extends TProperties>(
  description: string,
  properties: Properties,
): TObject<Properties> {
  return Type.Object(properties, { ...closed, description, default: {} })
}

export function choice<Values extends string[]>(
  values: readonly [...Values],
  description: string,
  fallback: Values[number],
) {
  return Type.Enum(values, { description, default: fallback })
}

export function wholeNumber(fallback: number | undefined, minimum: number, maximum: number, description: string) {
  return Type.Integer({ description, ...(fallback === undefined ? {} : { default: fallback }), minimum, maximum })
}

export function filePath(description: string) {
  return Type.Optional(Type.String({ description, minLength: 1 }))
}

export function duration(fallback: string | undefined, minimum: string, maximum: string, description: string) {
  const text = Type.String({
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
    pattern: DURATION_PATTERN,
  })
  return Type.Refine(text, isBetween(parseDurationMs, minimum, maximum), () => `from ${minimum} to ${maximum}`)
}

export function size(fallback: string | undefined, minimum: string, maximum: string, description: string) {
  const text = Type.String({
    description,
    ...(fallback === undefined ? {} : { default: fallback }),
    pattern: SIZE_PATTERN,
  })
  return Type.Refine(text, isBetween(parseSizeBytes, minimum, maximum), () => `from ${minimum} to ${maximum}`)
}

function isBetween(measure: (text: string) => number | undefined, minimum: string, maximum: string) {
  const [least = 0, most = 0] = [measure(minimum), measure(maximum)]
  return (text: string): boolean => {
    const value = measure(text) ?? Number.NaN
    return value >= least && value <= most
  }
}

export function addressRanges(description: string, minItems: 0 | 1) {
  const range = Type.Refine(
    Type.String({ description: 'An address, or a range such as 192.0.2.0/24.' }),
    isAddressRange,
    () => 'an address, or a range such as 192.0.2.0/24',
  )
  return Type.Optional(Type.Array(range, { description, minItems }))
}
