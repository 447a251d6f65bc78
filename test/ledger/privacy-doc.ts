/** The parts of docs/privacy.md that are made from the ledger, and the tests that its table names. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KEPT } from '../../src/privacy/retention.ts'
import {
  FIELDS,
  fieldNames,
  LEARNED,
  learnedOf,
  PARTY_WORDS,
  type Learned,
  type LedgerPolicy,
  type Party,
} from '../../src/privacy/ledger.ts'
import { POLICIES } from './cases.ts'
import { sentenceOf } from './print.ts'

const ROOT = join(import.meta.dirname, '../..')
export const PRIVACY_DOC = join(ROOT, 'docs/privacy.md')
export const PRIVACY_SCHEMA = join(ROOT, 'config/privacy.schema.json')

/** Short, for cells. */
const SHORT: Readonly<Record<Learned, string>> = {
  as_sent: 'as sent',
  sum_as_badge: 'sum',
  keyed_hash: 'keyed hash',
  short_hash: 'short hash',
  app_name: 'app name',
  sealed: 'sealed',
  category: 'kind',
  tick: 'tick',
  rounded: 'rounded',
  aggregate: 'in totals',
}

/** The document with its parts that are made from the ledger as they must be. */
export function withLedger(markdown: string): string {
  return withTables(markdown, {
    parties: partiesTable(),
    words: wordsTable(),
    fields: fieldsTable(),
    'push services': pushServicesTable(),
    kept: keptTable(),
  })
}

/** Each table stands between `<!-- its name -->` and `<!-- end -->`. */
export function withTables(markdown: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((text, [name, table]) => {
    const between = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`)
    if (!between.test(text)) throw new Error(`docs/privacy.md has no place for "${name}"`)
    return text.replace(between, (_, start: string, end: string) => `${start}${table}\n${end}`)
  }, markdown)
}

/** File and name of each test in the table of what a third party could do. */
export function testsNamedIn(markdown: string): readonly { readonly file: string; readonly name: string }[] {
  return [...markdown.matchAll(/`(test\/[^`]+\.ts)` “([^”]+)”/g)].map(([, file, name]) => ({
    file: String(file),
    name: String(name),
  }))
}

/** Whether a test (or a group of tests) of exactly that name is in that file. */
export function isTest({ file, name }: { readonly file: string; readonly name: string }): boolean {
  const path = join(ROOT, file)
  return existsSync(path) && ["'", '"', '`'].some((quote) => readFileSync(path, 'utf8').includes(quote + name + quote))
}

function partiesTable(): string {
  return asTable(
    ['Party', 'Keeps it'],
    Object.values(PARTY_WORDS).map(({ name, kept }) => [name, kept]),
  )
}

function wordsTable(): string {
  const isLearned = (name: string): name is Learned => Object.hasOwn(LEARNED, name)
  return asTable(
    ['Word', 'Means'],
    Object.keys(LEARNED)
      .filter(isLearned)
      .map((name) => [SHORT[name], LEARNED[name]]),
  )
}

/** As an app is configured that does not say otherwise. */
const SERVICES: readonly (Pick<LedgerPolicy, 'service' | 'sealed' | 'isEndToEnd'> & { readonly name: string })[] = [
  { name: 'APNs', service: 'apns', sealed: 'optional' },
  { name: 'FCM', service: 'fcm', sealed: 'optional' },
  { name: 'FCM, `payload_style: hedwig`', service: 'hedwig', sealed: 'optional' },
  { name: 'Web Push', service: 'webpush', sealed: 'ignored', isEndToEnd: true },
  { name: 'Web Push without keys (`allow_unencrypted`)', service: 'webpush', sealed: 'ignored', isEndToEnd: false },
]

function fieldsTable(): string {
  return asTable(
    ['Field', 'What it is', 'Store', 'Log', 'Metrics', 'Why'],
    fieldNames().map((field) => {
      const at = (party: Party) =>
        sentenceOf(POLICIES, (policy) => {
          const learned = SERVICES.flatMap((service) => learnedOf(field, party, { ...policy, ...service }))
          return words([...new Set(learned)].toSorted())
        })
      const { what, why } = FIELDS[field]
      return [`\`${field}\``, what, at('store'), at('log'), at('metrics'), why]
    }),
  )
}

function pushServicesTable(): string {
  return asTable(
    ['Field', ...SERVICES.map(({ name }) => name)],
    fieldNames().map((field) => [
      `\`${field}\``,
      ...SERVICES.map((service) =>
        sentenceOf(POLICIES, (policy) => words(learnedOf(field, 'push_service', { ...policy, ...service }))),
      ),
    ]),
  )
}

function keptTable(): string {
  return asTable(
    ['In the store', 'Readable without the key file', 'Kept', 'Why'],
    KEPT.map(({ what, readable, lifetime, why }) => [what, readable, lifetime, why]),
  )
}

function words(learned: readonly Learned[]): string {
  return learned.map((each) => SHORT[each]).join(', ') || 'nothing'
}

export function asTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
