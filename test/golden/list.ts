/** The list of intended differences (docs/sygnal-differences.yaml) as predicates. */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { parse } from 'yaml'
import type { Difference } from './compare.ts'

export interface Entry {
  readonly service: Difference['service'] | 'all'
  readonly field: string
  readonly sygnal: Matcher
  readonly ours: Matcher
  /** Only then. */
  readonly when?: keyof typeof CIRCUMSTANCES
  readonly reason: string
}

type Matcher =
  | 'absent'
  | 'any'
  | { readonly is: unknown }
  | { readonly oneOf: readonly unknown[] }
  | { readonly matches: string }
  | { readonly type: string }
  /** A text that begins like the other side's, up to where one of them was cut. */
  | { readonly begins: 'alike' }
  /** Of another type than this. */
  | { readonly not: string }

const CIRCUMSTANCES = {
  oversized: { key: 'isOversized', words: "where Sygnal's is too large" },
  malformed: { key: 'isMalformed', words: 'wrong type in the request' },
  failed: { key: 'isFailed', words: 'where Sygnal answers with an error' },
  sealed: { key: 'isSealed', words: 'MSC3013' },
  uncounted: { key: 'isUncounted', words: 'MSC4076' },
} as const

export const LIST_FILE = new URL('../../docs/sygnal-differences.yaml', import.meta.url)

export function readList(): readonly Entry[] {
  return parse(readFileSync(LIST_FILE, 'utf8'))
}

export function covers(entry: Entry, difference: Difference): boolean {
  return (
    (entry.service === 'all' || entry.service === difference.service) &&
    (entry.when === undefined || difference[CIRCUMSTANCES[entry.when].key] === true) &&
    isField(entry.field, difference.field) &&
    isMatch(entry.sygnal, difference.sygnal, difference.ours) &&
    isMatch(entry.ours, difference.ours, difference.sygnal)
  )
}

function isField(pattern: string, field: string): boolean {
  const literal = pattern.replaceAll(/[.[\]$()+?^{}|\\]/g, (symbol) => `\\${symbol}`).replaceAll('*', '.*')
  return new RegExp(`^${literal}$`).test(field)
}

function isMatch(matcher: Matcher, value: unknown, other: unknown): boolean {
  if (matcher === 'any') return true
  if (matcher === 'absent') return value === undefined
  if ('is' in matcher) return isDeepStrictEqual(value, matcher.is)
  if ('oneOf' in matcher) return matcher.oneOf.some((one) => isDeepStrictEqual(value, one))
  if ('matches' in matcher) return typeof value === 'string' && new RegExp(matcher.matches).test(value)
  if ('not' in matcher) return typeNameOf(value) !== matcher.not
  if ('begins' in matcher) return typeof value === 'string' && typeof other === 'string' && beginAlike(value, other)
  return typeNameOf(value) === matcher.type
}

/** One is the other's beginning, but for the ellipsis and the last few characters, where a cut fell differently. */
function beginAlike(a: string, b: string): boolean {
  const [short, long] = [a, b].map((text) => text.replace(/…$/, '')).sort((x, y) => x.length - y.length)
  return short !== undefined && long?.startsWith(short) === true
}

function typeNameOf(value: unknown): string {
  if (value === null) return 'null'
  if (value === undefined) return 'absent'
  return Array.isArray(value) ? 'list' : typeof value
}

/** The list as a table for people. */
export function listAsMarkdown(entries: readonly Entry[]): string {
  const rows = entries.map(
    (entry) =>
      `| ${[SERVICES[entry.service], `\`${entry.field}\`${entry.when === undefined ? '' : ` (${CIRCUMSTANCES[entry.when].words})`}`, side(entry.sygnal), side(entry.ours), entry.reason].join(' | ')} |`,
  )
  return ['| | what | Sygnal | Hushgate | why |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

const SERVICES = { apns: 'APNs', fcm: 'FCM', webpush: 'Web Push', http: 'answer', all: 'each' } as const

function side(matcher: Matcher): string {
  if (matcher === 'absent') return '–'
  if (matcher === 'any') return 'anything'
  if ('is' in matcher) return `\`${JSON.stringify(matcher.is)}\``
  if ('oneOf' in matcher) return matcher.oneOf.map((one) => `\`${JSON.stringify(one)}\``).join(', ')
  if ('matches' in matcher) return `like \`${matcher.matches.replaceAll('|', '\\|')}\``
  if ('not' in matcher) return `no ${matcher.not}`
  return 'begins' in matcher ? 'cut at another place' : `a ${matcher.type}`
}

export const DOC_FILE = new URL('../../docs/migrating-from-sygnal.md', import.meta.url)
const HEADING = '## Differences in what is sent\n'
const INTRODUCTION = `
Each of the recorded requests in the tests, of which some hundreds were generated, gets the same answer from Hushgate as from Sygnal 0.17, and leads to the same messages, but for these differences. The
list is [data](sygnal-differences.yaml) that the tests read: a difference that is not on it makes them fail.

`

/** The page with this table as its last part. */
export function withTable(page: string, table: string): string {
  const start = page.indexOf(HEADING)
  if (start < 0) throw new Error(`docs/migrating-from-sygnal.md has no heading "${HEADING.trim()}"`)
  return `${page.slice(0, start)}${HEADING}${INTRODUCTION}${table}\n`
}
