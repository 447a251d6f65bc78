/** What passed and what was counted, also of runs before: a file with a line of JSON for each schedule that passed. */
import { createHash } from 'node:crypto'
import { appendFile, mkdir, readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { VERDICTS, type Verdict } from './accounting.ts'
import type { Schedule } from './schedule.ts'

/** Of one schedule that was run to its end. */
export interface Counts {
  /** Of the schedule as a whole: another one of the same seed is not this one. */
  readonly id: string
  readonly topology: Schedule['topology']
  readonly faults: number
  readonly acknowledged: number
  readonly refused: number
  readonly verdicts: Readonly<Partial<Record<Verdict, number>>>
  /** Notifications whose verdict is not right. */
  readonly unaccounted: number
}

/** `upgradeFrom`: what it begins with is a part of it. */
export function idOf(schedule: Schedule, upgradeFrom?: string): string {
  return createHash('sha256')
    .update(JSON.stringify([schedule, upgradeFrom]))
    .digest('hex')
    .slice(0, 16)
}

export class ResultsFile {
  readonly #path: string | undefined

  /** Undefined: nothing is kept. */
  constructor(path: string | undefined) {
    this.#path = path
  }

  async read(): Promise<readonly Counts[]> {
    if (this.#path === undefined) return []
    try {
      const lines = (await readFile(this.#path, 'utf8')).split('\n').filter((line) => line !== '')
      return lines.map((line): Counts => JSON.parse(line))
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
      throw error
    }
  }

  async add(counts: Counts): Promise<void> {
    if (this.#path === undefined) return
    await mkdir(dirname(this.#path), { recursive: true })
    await appendFile(this.#path, `${JSON.stringify(counts)}\n`)
  }
}

/** By topology and together, for people. */
export function describeTotals(all: readonly Counts[]): string {
  const groups = [...Map.groupBy(all, ({ topology }) => topology)].sort(([one], [other]) =>
    one.localeCompare(other, 'en'),
  )
  const rows = [...groups.map(([topology, counts]) => rowOf(topology, counts)), rowOf('all', all)]
  const verdicts = VERDICTS.map(
    (verdict) => `  ${sum(all, ({ verdicts: { [verdict]: count = 0 } }) => count)} ${verdict}`,
  )
  return `${rows.join('\n')}\n${verdicts.join('\n')}`
}

function rowOf(name: string, counts: readonly Counts[]): string {
  const words = [
    `${counts.length} schedules`,
    `${sum(counts, ({ faults }) => faults)} faults`,
    `${sum(counts, ({ acknowledged }) => acknowledged)} acknowledged pushes`,
    `${sum(counts, ({ refused }) => refused)} requests refused and sent again`,
    `${sum(counts, ({ unaccounted }) => unaccounted)} unaccounted`,
  ]
  return `${name}: ${words.join(', ')}`
}

function sum(all: readonly Counts[], of: (counts: Counts) => number): number {
  return all.reduce((total, counts) => total + of(counts), 0)
}
