/** The ledger as a table for people: who learns what of each field, push services and settings of which the same is true in one line. */
import { fieldNames, type Field } from '../../src/core/disclosure.ts'
import { PARTIES, type LedgerPolicy, type Party } from '../../src/privacy/ledger.ts'
import type { LedgerCase } from './cases.ts'

type Settings = Pick<LedgerPolicy, 'privacy' | 'counts'>
type Learns = (ledgerCase: LedgerCase, field: Field, party: Party) => string

export function printLedger(cases: readonly LedgerCase[], learns: Learns): string {
  const lines = fieldNames().flatMap((field) => [
    '',
    field,
    ...PARTIES.flatMap((party) =>
      linesOf(cases, (each) => learns(each, field, party)).map((line) => `  ${party}${line}`),
    ),
  ])
  return lines.join('\n')
}

function linesOf(cases: readonly LedgerCase[], learns: (ledgerCase: LedgerCase) => string): readonly string[] {
  const services = Map.groupBy(cases, serviceOf)
  const alike = Map.groupBy(services, ([, some]) => sentenceOf(some, learns))
  if (alike.size === 1) return [...alike.keys()].map((sentence) => `: ${sentence}`)
  return [...alike].map(([sentence, group]) => ` (${group.map(([service]) => service).join(', ')}): ${sentence}`)
}

const MODES = 3

function serviceOf({ service, isEndToEnd, sealed, releaseEveryMs }: LedgerCase): string {
  const more = [
    isEndToEnd === false ? ' without keys' : '',
    sealed === 'required' ? ' sealed: required' : '',
    releaseEveryMs === undefined ? '' : ' release_every',
  ]
  return service + more.join('')
}

/** What is learned under which settings; these are named only where they matter. */
export function sentenceOf<Policy extends Settings>(
  cases: readonly Policy[],
  learns: (policy: Policy) => string,
): string {
  const groups = Map.groupBy(cases, learns)
  if (groups.size === 1) return [...groups.keys()].join('')
  return [...groups].map(([learned, some]) => `${settingsOf(some, cases)}: ${learned}`).join('; ')
}

function settingsOf(some: readonly Settings[], all: readonly Settings[]): string {
  const countsOf = (privacy: string) => some.filter((each) => each.privacy === privacy).map(({ counts }) => counts)
  const modes = [...new Set(some.map(({ privacy }) => privacy))]
  const total = new Set(all.map(({ counts }) => counts)).size
  return [...Map.groupBy(modes, (privacy) => countsOf(privacy).join(' or '))]
    .map(([counts, group]) => {
      const areAll = counts.split(' or ').length === total
      return `${group.length === MODES ? 'any mode' : group.join(' or ')}${areAll ? '' : ` with counts ${counts}`}`
    })
    .join(', ')
}
