/** What is simulated, and how docs/privacy.md says it. */
import type { Timing } from '../../src/core/timing.ts'
import { asTable, withTables } from '../ledger/privacy-doc.ts'
import { simulate, type Linked } from './simulation.ts'
import { otherDevicesAt } from './world.ts'

export const MESSAGES = [1, 2, 5, 20] as const
/** Members of a conversation, with the sender. */
export const GROUPS = [2, 5, 10, 50] as const
/** Short ticks cost little, and what is told apart here is small. */
const BOUND_RUNS = 2000

interface Situation {
  readonly setting: string
  readonly timing: Timing
  readonly pushesPerSecond: number
}

export type Linking = Situation & Linked

/** MSC3359: half of the differences of two delays, each random up to t, are over (1 - 1/√2) t; that must be at least 1/f. */
export function boundMs(pushesPerSecond: number): number {
  return Math.ceil(1000 / ((1 - Math.SQRT1_2) * pushesPerSecond))
}

const COALESCE = { coalesceMs: 30_000 }
const SETTINGS: readonly { readonly setting: string; readonly timing: (pushesPerSecond: number) => Timing }[] = [
  { setting: 'neither', timing: () => ({}) },
  { setting: '`coalesce: 30s`', timing: () => COALESCE },
  { setting: '`release_every`: 3.41 / f', timing: (f) => ({ releaseEveryMs: boundMs(f) }) },
  { setting: '`release_every: 10s`', timing: () => ({ releaseEveryMs: 10_000 }) },
  { setting: '`release_every: 60s`', timing: () => ({ releaseEveryMs: 60_000 }) },
  { setting: '`coalesce: 30s`, `release_every: 10s`', timing: () => ({ ...COALESCE, releaseEveryMs: 10_000 }) },
  { setting: '`release_every: 10m`', timing: () => ({ releaseEveryMs: 600_000 }) },
]

function situationsAt(pushesPerSecond: number): readonly Situation[] {
  return SETTINGS.map(({ setting, timing }) => ({ setting, timing: timing(pushesPerSecond), pushesPerSecond }))
}

/** Takes seconds: half of all devices of a large gateway are on a tick of ten minutes, so that is left out. */
export function linkings(): readonly Linking[] {
  return [0.1, 1, 10]
    .flatMap(situationsAt)
    .filter(({ timing, pushesPerSecond }) => (timing.releaseEveryMs ?? 0) * pushesPerSecond <= 600_000)
    .map((situation) => ({ ...situation, ...simulate({ ...situation, messages: MESSAGES }) }))
}

/** After one message. */
export function linkingsOfGroups(): readonly Linking[] {
  const groups = GROUPS.map((members) => members - 1)
  return situationsAt(1).map((situation) => ({
    ...situation,
    ...simulate({ ...situation, messages: [1] }, { groups }),
  }))
}

export function firstGuessOf({ firstGuess }: Linked, messages: number, members = 2): number {
  return firstGuess.get(messages)?.get(members - 1) ?? NaN
}

/** docs/privacy.md with its tables of timing as they must be. */
export function withTimings(markdown: string, all: readonly Linking[], ofGroups: readonly Linking[]): string {
  return withTables(markdown, { linked: linkedTable(all), groups: groupsTable(ofGroups), bound: boundTable() })
}

function linkedTable(all: readonly Linking[]): string {
  const messages = MESSAGES.map((count) => `${count} message${count === 1 ? '' : 's'}`)
  return asTable(
    ['f, pushes per second', 'Setting', ...messages, 'Of two suspects, 1 message'],
    all.flatMap((linking, index) => {
      const { pushesPerSecond, setting, ofTwo } = linking
      const cells = [...MESSAGES.map((count) => firstGuessOf(linking, count)), ofTwo.get(1) ?? NaN]
      const row = [`${pushesPerSecond}`, setting, ...cells.map(percent)]
      if (pushesPerSecond === all[index - 1]?.pushesPerSecond) return [row]
      const blind = percent(1 / (otherDevicesAt(pushesPerSecond) + 1))
      return [[`${pushesPerSecond}`, '(a blind guess)', ...MESSAGES.map(() => blind), '50 %'], row]
    }),
  )
}

function groupsTable(ofGroups: readonly Linking[]): string {
  return asTable(
    ['Setting', ...GROUPS.map((members) => `${members} people`)],
    ofGroups.map((linking) => [
      linking.setting,
      ...GROUPS.map((members) => percent(firstGuessOf(linking, 1, members))),
    ]),
  )
}

function boundTable(): string {
  return asTable(
    [
      'f, pushes per second',
      'Devices',
      '3.41 / f',
      'Others on that tick',
      'Nobody else',
      'Right after 1 message',
      'After 2',
    ],
    [0.01, 0.1, 0.25, 1, 10].map((pushesPerSecond) => {
      const releaseEveryMs = boundMs(pushesPerSecond)
      const linked = simulate({ timing: { releaseEveryMs }, pushesPerSecond, messages: [1, 2] }, { runs: BOUND_RUNS })
      return [
        `${pushesPerSecond}`,
        `${otherDevicesAt(pushesPerSecond)}`,
        `${Number((releaseEveryMs / 1000).toPrecision(3))} s`,
        linked.company.toFixed(1),
        ...[linked.alone, firstGuessOf(linked, 1), firstGuessOf(linked, 2)].map(percent),
      ]
    }),
  )
}

/** Not more exact than so many runs are. */
function percent(share: number): string {
  if (share > 0.99 && share < 1) return 'over 99 %'
  if (share < 0.01) return 'under 1 %'
  return `${Math.round(100 * share)} %`
}
