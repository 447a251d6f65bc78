/** A string or number of its own for each field of the ledger, the ways in which it can lie about in bytes, and the search for all of them. */
import { fieldNames, type Field } from '../../src/core/disclosure.ts'
import { createSearch, type Needle } from './needles.ts'
import { unkeyedHashesOf } from './unkeyed-hashes.ts'

/** Part of every canary. Letters only, in lower case: no escape of JSON, URLs, Redis or a log touches it, and it could be a push service's word. */
export const MARKER = 'hushcanary'

/** Fields that are no text: a yes or no, a point in time, a length. What becomes of them is observed in test/ledger/observed.int.test.ts. */
const WITHOUT_CANARY = ['user_is_target', 'prio', 'time', 'length'] as const satisfies readonly Field[]
export type CanaryField = Exclude<Field, (typeof WITHOUT_CANARY)[number]>

/** Fields that are numbers; and numbers within objects. */
const NUMBERS = {
  unread: 7_391_746_285_013,
  missed_calls: 5_182_937_461_027,
  // Later than any death, so that a dead pushkey comes back.
  pushkey_ts: 9_194_837_265,
  default_payload_allowed: 9_462_817_350_426,
  content: 8_264_193_750_682,
} as const satisfies Partial<Record<CanaryField, number>>
type NumberField = keyof typeof NUMBERS
const BADGE = NUMBERS.unread + NUMBERS.missed_calls

export const CANARY_FIELDS: readonly CanaryField[] = fieldNames().filter(
  (field): field is CanaryField => !WITHOUT_CANARY.some((without) => without === field),
)

/** By which a text canary is recognised. No field's is a part of another's. */
export function tokenOf(field: CanaryField): string {
  return `${MARKER}${field.replaceAll('_', '')}zq`
}

/** With characters that need escaping wherever something is escaped. */
export function canary(field: CanaryField, which = ''): string {
  return `$${tokenOf(field)} ${which} "ü/\u{1f600}\\:`
}

export function canaryNumber(field: NumberField): number {
  return NUMBERS[field]
}

/** Something that is found where it lies, or that whoever knows the value can find by its hash. */
export interface Finding {
  readonly field: CanaryField
  readonly learned: 'as_sent' | 'sum_as_badge' | 'unkeyed_hash'
  readonly form: string
  readonly context: string
}

interface CanaryNeedle extends Needle, Pick<Finding, 'field' | 'learned'> {}

const ALWAYS: readonly CanaryNeedle[] = [
  ...CANARY_FIELDS.flatMap((field) => needlesOf(field, 'as_sent', formsOf(tokenOf(field)))),
  ...Object.entries(NUMBERS).flatMap(([name, number]) =>
    CANARY_FIELDS.filter((field) => field === name).flatMap((field) =>
      needlesOf(field, 'as_sent', formsOfNumber(number)),
    ),
  ),
  ...(['unread', 'missed_calls'] as const).flatMap((field) => needlesOf(field, 'sum_as_badge', formsOfNumber(BADGE))),
]

/** A value that was sent: searched for by its hashes; and, where it has no token in it, as it is. */
export interface SentValue {
  readonly field: CanaryField
  readonly text: string
}

export function createFinder(sent: readonly SentValue[]): (bytes: Uint8Array) => Finding[] {
  const distinct = new Map(sent.map((value) => [`${value.field} ${value.text}`, value]))
  const ofValues = [...distinct.values()].flatMap(({ field, text }) => [
    ...needlesOf(field, 'unkeyed_hash', unkeyedHashesOf(text).map(toForm)),
    ...(text.includes(MARKER) ? [] : needlesOf(field, 'as_sent', formsOf(text))),
  ])
  const search = createSearch([...ALWAYS, ...ofValues])
  return (bytes) =>
    search(bytes).map(({ needle: { field, learned, name }, at, context }) => ({
      field,
      learned,
      form: `${name} at ${at}`,
      context: JSON.stringify(context),
    }))
}

/** For what no value but the usual ones was sent to. */
export const findCanaries = createFinder([])

function needlesOf(field: CanaryField, learned: Finding['learned'], forms: readonly Form[]): CanaryNeedle[] {
  return forms.map(({ name, needle, isCaseSensitive }) => ({ field, learned, name, bytes: needle, isCaseSensitive }))
}

function toForm({ name, bytes, isCaseSensitive }: Needle): Form {
  return { name, needle: bytes, isCaseSensitive }
}

export interface Form {
  readonly name: string
  /** One character per byte. */
  readonly needle: string
  /** Base64 tells cases apart. */
  readonly isCaseSensitive?: boolean | undefined
}

/** The ways in which a text can lie about in bytes. */
export function formsOf(text: string): readonly Form[] {
  const bytes = Buffer.from(text)
  const each = (write: (byte: number) => string, separator = '') => [...bytes].map(write).join(separator)
  const hex = (byte: number) => byte.toString(16).padStart(2, '0')
  const base64 = [0, 1, 2].flatMap((offset) => {
    // Which of its characters do not depend on what stands before and after.
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
    const needle = whole.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6))
    const urlSafe = needle.replaceAll('+', '-').replaceAll('/', '_')
    return [
      { name: `base64 at offset ${offset}`, needle, isCaseSensitive: true },
      { name: `base64url at offset ${offset}`, needle: urlSafe, isCaseSensitive: true },
    ]
  })
  return [
    { name: 'as it is', needle: text.toLowerCase() },
    { name: 'UTF-16', needle: Buffer.from(text.toLowerCase(), 'utf16le').toString('latin1') },
    { name: 'hex', needle: each(hex) },
    { name: 'hex with spaces', needle: each(hex, ' ') },
    { name: 'URL encoding', needle: each((byte) => `%${hex(byte)}`) },
    { name: 'JSON escapes', needle: each((byte) => `\\u00${hex(byte)}`) },
    { name: 'Redis escapes', needle: each((byte) => `\\x${hex(byte)}`) },
    { name: 'list of bytes', needle: each(String, ',') },
    ...base64,
  ]
}

/** Also as machines write numbers down: SQLite's and others' integers, and doubles. */
function formsOfNumber(number: number): readonly Form[] {
  const double = Buffer.alloc(8)
  const integer = Buffer.alloc(6)
  const binary = [
    ['double', () => double.writeDoubleBE(number), double],
    ['double, reversed', () => double.writeDoubleLE(number), double],
    ['integer', () => integer.writeUIntBE(number, 0, 6), integer],
    ['integer, reversed', () => integer.writeUIntLE(number, 0, 6), integer],
  ] as const
  return [
    ...formsOf(String(number)),
    ...binary.map(([name, write, bytes]) => {
      write()
      return { name, needle: bytes.toString('latin1'), isCaseSensitive: true }
    }),
  ]
}
