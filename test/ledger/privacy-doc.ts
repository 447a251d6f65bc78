/** The parts of docs/privacy.md that are made from the ledger, and the tests that its table names. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { KEPT } from '../../src/privacy/retention.ts'
import { DISCLOSURES, fieldNames, FIELDS, type Disclosure } from '../../src/core/disclosure.ts'
import { LEDGER, learnedOf, PARTY_DESCRIPTIONS, type LedgerPolicy, type Party } from '../../src/privacy/ledger.ts'
import { POLICIES } from './cases.ts'
import { sentenceOf } from './print.ts'
import { disclosuresOf } from './services.ts'

const ROOT = join(import.meta.dirname, '../..')
export const PRIVACY_DOC = join(ROOT, 'docs/privacy.md')
export const PRIVACY_SCHEMA = join(ROOT, 'config/privacy.schema.json')

/** Short, for cells. */
const SHORT: Readonly<Record<Disclosure, string>> = {
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
    Object.values(PARTY_DESCRIPTIONS).map(({ name, kept }) => [name, kept]),
  )
}

function wordsTable(): string {
  const isDisclosure = (name: string): name is Disclosure => Object.hasOwn(DISCLOSURES, name)
  return asTable(
    ['Word', 'Means'],
    Object.keys(DISCLOSURES)
      .filter(isDisclosure)
      .map((name) => [SHORT[name], DISCLOSURES[name]]),
  )
}

/** As an app is configured that does not say otherwise. */
const SERVICES: readonly (Pick<LedgerPolicy, 'passedOn' | 'outside' | 'sealed'> & { readonly name: string })[] = [
  { name: 'APNs', ...disclosuresOf('apns'), sealed: 'optional' },
  { name: 'FCM', ...disclosuresOf('fcm'), sealed: 'optional' },
  { name: 'FCM, `payload_style: hedwig`', ...disclosuresOf('hedwig'), sealed: 'optional' },
  { name: 'Huawei Push Kit', ...disclosuresOf('hms'), sealed: 'optional' },
  { name: 'UnifiedPush', ...disclosuresOf('unifiedpush'), sealed: 'optional' },
  { name: 'Web Push', ...disclosuresOf('webpush'), sealed: 'ignored' },
  { name: 'Web Push, `declarative`', ...disclosuresOf('declarative'), sealed: 'ignored' },
  { name: 'Web Push without keys (`allow_unencrypted`)', ...disclosuresOf('webpush', true), sealed: 'ignored' },
]

function fieldsTable(): string {
  return asTable(
    ['Field', 'What it is', 'Store', 'Log', 'Metrics', 'Traces', 'Why'],
    fieldNames().map((field) => {
      const at = (party: Party) =>
        sentenceOf(POLICIES, (policy) => {
          const learned = SERVICES.flatMap((service) =>
            learnedOf(field, party, { ...policy, ...service, isTraced: true }),
          )
          return words([...new Set(learned)].toSorted())
        })
      return [`\`${field}\``, FIELDS[field], at('store'), at('log'), at('metrics'), at('traces'), LEDGER[field].why]
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

function words(learned: readonly Disclosure[]): string {
  return learned.map((each) => SHORT[each]).join(', ') || 'nothing'
}

export function asTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
}
