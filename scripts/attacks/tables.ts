/** Results as tables, for the terminal and for docs/reliability.md. Pure. */
import { median } from '../bench/statistics.ts'
import { ATTACKS, NOTHING } from './attacks.ts'
import { ROLES, type KnownFigures, type Role } from './known-devices.ts'
import type { Round, While } from './measure.ts'
import type { MeasuredAttack, Results } from './results.ts'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly string[])[]
}

type Of = (during: While) => number

export const STORE_NAMES = { sqlite: 'SQLite', redis: 'Redis' } as const
/** What people wait for. */
const WAITS = ['answerMs', 'arrivalMs'] as const

/** With the attack the 99th percentile may be so much, whichever is more. */
const FACTOR = 1.5
const MARGIN_MS = 25

export function tablesOf({ measured }: Results): readonly Table[] {
  const hasPrograms = new Set(measured.map(({ program }) => program)).size > 1
  const names = (each: MeasuredAttack): string[] => [each.number, ...whereOf(each, hasPrograms)]
  const head = ['', 'Store', ...(hasPrograms ? ['Build'] : [])]
  return [
    {
      title: 'What known devices notice',
      columns: [
        ...head,
        'Attacked app: answer',
        'arrival',
        'Another app: answer',
        'arrival',
        'Not answered 200',
        'Within the bound',
      ],
      rows: measured.map((each) => [...names(each), ...noticed(each)]),
    },
    {
      title: 'What the attacker gets',
      columns: [...head, 'Attack', 'When it was found', 'Memory, MB', 'CPU, s', 'What came of it', 'Left in the store'],
      rows: measured
        .filter(({ number }) => number !== NOTHING.number)
        .map((each, index, all) => [
          ...names(each),
          ...told(each, all[index - 1]),
          ...gained(each),
          left(each, measured),
        ]),
    },
  ]
}

export function asMarkdown({ title, columns, rows }: Table): string {
  const lines = [columns, columns.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
  return `### ${title}\n\n${lines.join('\n')}`
}

/** Of which the 99th percentiles are beyond the bound, with the attack. */
export function beyondBound({ rounds }: Pick<MeasuredAttack, 'rounds'>): readonly string[] {
  return ROLES.flatMap((role) =>
    WAITS.filter((wait) => {
      const { without, attacked } = both(rounds, ({ known }) => known[role][wait].p99)
      return attacked > Math.max(FACTOR * without, without + MARGIN_MS)
    }).map(
      (wait) => `${role === 'attacked' ? 'attacked' : 'another'} app, ${wait === 'answerMs' ? 'answer' : 'arrival'}`,
    ),
  )
}

function whereOf({ store, program }: MeasuredAttack, hasPrograms: boolean): string[] {
  return [STORE_NAMES[store], ...(hasPrograms ? [program] : [])]
}

/** Once for each attack. */
function told({ number }: MeasuredAttack, before: MeasuredAttack | undefined): string[] {
  const attack = ATTACKS.find((each) => each.number === number)
  return attack === undefined || before?.number === number ? ['', ''] : [attack.title, attack.found]
}

function noticed(each: MeasuredAttack): string[] {
  const { rounds } = each
  const waits = ROLES.flatMap((role) => WAITS.map((wait) => waitCell(rounds, role, wait)))
  const beyond = beyondBound(each)
  return [...waits, change(rounds, refused, 0), beyond.length === 0 ? 'yes' : `no: ${beyond.join('; ')}`]
}

function refused({ known }: While): number {
  return ROLES.reduce((sum, role) => sum + known[role].refused, 0)
}

function waitCell(rounds: readonly Round[], role: Role, wait: (typeof WAITS)[number]): string {
  const of =
    (pick: (figures: KnownFigures) => number): Of =>
    ({ known }) =>
      pick(known[role])
  return `${change(
    rounds,
    of((figures) => figures[wait].p50),
    1,
  )}; ${change(
    rounds,
    of((figures) => figures[wait].p99),
    1,
  )}`
}

function gained({ rounds }: MeasuredAttack): string[] {
  const counts = Object.entries(medians(rounds.map(({ counts: each }) => each)))
  return [
    change(rounds, ({ peakMb }) => peakMb, 0),
    change(rounds, ({ cpuSeconds }) => cpuSeconds, 1),
    counts.map(([what, count]) => `${what}: ${asText(count, 0)}`).join('; '),
  ]
}

/** Beside what the known devices leave by themselves. */
function left({ rounds, store, program }: MeasuredAttack, measured: readonly MeasuredAttack[]): string {
  const nothing = measured.find(
    (each) => each.number === NOTHING.number && each.store === store && each.program === program,
  )
  const usual = medians(nothing?.rounds.map((round) => round.left) ?? [])
  const more = Object.entries(medians(rounds.map((round) => round.left)))
    .map(([what, count]) => [what, count - (usual[what] ?? 0)] as const)
    .filter(([, count]) => count > 0)
  return more.length === 0 ? 'nothing' : more.map(([what, count]) => `${what}: ${asText(count, 0)}`).join('; ')
}

/** By name; what is missing in a round was none. */
function medians(rounds: readonly Readonly<Record<string, number>>[]): Readonly<Record<string, number>> {
  const names = new Set(rounds.flatMap((each) => Object.keys(each)))
  return Object.fromEntries([...names].map((name) => [name, median(rounds.map((each) => each[name] ?? 0))]))
}

function both(rounds: readonly Round[], of: Of): { readonly without: number; readonly attacked: number } {
  return {
    without: median(rounds.map((round) => of(round.without))),
    attacked: median(rounds.map((round) => of(round.with))),
  }
}

/** Of nothing there is no percentile. */
function change(rounds: readonly Round[], of: Of, digits: number): string {
  const { without, attacked } = both(rounds, of)
  return Number.isFinite(without) && Number.isFinite(attacked)
    ? `${asText(without, digits)} → ${asText(attacked, digits)}`
    : '–'
}

function asText(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
