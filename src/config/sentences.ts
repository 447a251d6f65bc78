/** Schemas and values in words: "expected a whole number from 0 to 65535, found text". Never shows what may be a secret. Pure. */
import Type, { type TSchema } from 'typebox'
import { DURATION_PATTERN, SIZE_PATTERN } from './units.ts'

const PATTERNS: ReadonlyMap<unknown, string> = new Map([
  [DURATION_PATTERN, 'a duration such as 500ms, 60s, 5m, 24h or 7d'],
  [SIZE_PATTERN, 'a size such as 512KiB or 1MiB'],
])

/** What a schema wants. */
export function expected(schema: TSchema): string {
  const choices = choicesOf(schema)
  if (choices !== undefined)
    return choices.length === 1 ? quoted(choices[0]) : `one of ${choices.map(quoted).join(', ')}`
  if (Type.IsUnion(schema)) return schema.anyOf.map(expected).join(' or ')
  if (Type.IsInteger(schema)) return `a whole number${range(schema)}`
  if (Type.IsNumber(schema)) return `a number${range(schema)}`
  if (Type.IsBoolean(schema)) return 'true or false'
  if (Type.IsArray(schema)) return `a list of ${expected(schema.items)}`.replace(' of a ', ' of ')
  if (Type.IsString(schema)) return text(schema)
  return 'a section of settings'
}

function text(schema: TSchema): string {
  const pattern = keywordOf(schema, 'pattern')
  const rule = Type.IsRefine(schema) ? schema['~refine'][0]?.error('') : undefined
  const described = PATTERNS.get(pattern)
  if (described !== undefined) return rule === undefined ? described : `${described}, ${rule}`
  if (rule !== undefined) return rule
  if (typeof pattern === 'string') return `text that matches ${pattern}`
  const maxLength = keywordOf(schema, 'maxLength')
  return maxLength === undefined ? 'text' : `text of at most ${maxLength} characters`
}

function range(schema: TSchema): string {
  const [minimum, maximum] = [keywordOf(schema, 'minimum'), keywordOf(schema, 'maximum')]
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return `, at least ${minimum}`
  return maximum === undefined ? '' : `, at most ${maximum}`
}

/** A keyword that TypeBox's own type of the schema leaves out. */
function keywordOf(
  schema: TSchema,
  name: 'pattern' | 'minimum' | 'maximum' | 'maxLength',
): string | number | undefined {
  const value: unknown = Reflect.get(schema, name)
  return typeof value === 'string' || typeof value === 'number' ? value : undefined
}

/** What is there instead. Shows text only where it is not free: one of a few words, a duration, a size. */
export function found(schema: TSchema, value: unknown, isHidden: boolean): string {
  if (isHidden) return 'something else, from an environment variable'
  if (value === null) return 'no value'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Type.IsInteger(schema) || Type.IsNumber(schema) ? String(value) : 'a number'
  if (typeof value !== 'string') return 'a section of settings'
  if (value === '') return 'empty text'
  const choices = choicesOf(schema)
  const isPublic = choices !== undefined || PATTERNS.has(keywordOf(schema, 'pattern'))
  if (!isPublic) return Type.IsString(schema) ? 'something else' : 'text'
  const hint = choices === undefined ? undefined : didYouMean(value, choices)
  return hint === undefined ? quoted(value) : `${quoted(value)}; ${hint}`
}

function choicesOf(schema: TSchema): string[] | undefined {
  if (Type.IsLiteral(schema)) return [String(schema.const)]
  if (Type.IsEnum(schema)) return schema.enum.map(String)
  if (!Type.IsUnion(schema) || !schema.anyOf.every(Type.IsLiteral)) return undefined
  return schema.anyOf.flatMap((one) => choicesOf(one) ?? [])
}

function quoted(value: string | undefined): string {
  return JSON.stringify(value)
}

/** `did you mean "port"?` when a known word is near; undefined otherwise. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const near = known
    .map((name) => ({ name, distance: editDistance(word.toLowerCase(), name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.floor(name.length / 3)))
    .sort((a, b) => a.distance - b.distance)[0]
  return near && `did you mean ${quoted(near.name)}?`
}

/** Optimal string alignment: insertions, deletions, replacements and swaps of neighbours. */
function editDistance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i]
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      const swapped = isSwap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY
      row.push(Math.min(replaced, (previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, swapped))
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
