/** What sessions have measured: docs/performance.json holds the last ones that were written. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'
import type { BareFigures } from './measure-bare.ts'
import type { DelayFigures } from './measure-delay.ts'
import type { IdleFigures } from './measure-idle.ts'
import type { LoadFigures } from './measure-load.ts'

/** Of each gateway by its name, all runs in the order in which they were. */
export type Runs<T> = Readonly<Record<string, readonly T[]>>

export interface Measured {
  readonly machine: Machine
  /** The day. */
  readonly day: string
  /** As git describes it. */
  readonly commit: string
}

export interface Results extends Measured {
  readonly secondsPerRun: number
  /** Names of those that are not ours. */
  readonly peers: readonly string[]
  readonly bare: readonly BareFigures[]
  readonly idle: Runs<IdleFigures>
  /** By the name of the scenario. */
  readonly load: Readonly<Record<string, Runs<LoadFigures>>>
  /** By the name of the rate. */
  readonly delay: Readonly<Record<string, Runs<DelayFigures>>>
}

/** What a push or an idle gateway costs, step by step. */
export interface Growth extends Measured {
  readonly rows: readonly GrowthRow[]
}

export interface GrowthRow {
  readonly store: string
  readonly step: number | string
  /** By what they are, with their unit. */
  readonly figures: Readonly<Record<string, number>>
}

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
}

/** What docs/performance.json holds. */
export interface Kept {
  readonly load?: Results
  /** By what grows. */
  readonly growth?: Readonly<Record<string, Growth>>
}

const PATH = join(import.meta.dirname, '../../docs/performance.json')
/** A tenth of a percent is less than any two runs differ. */
const SIGNIFICANT_DIGITS = 4

export function readKept(): Kept {
  return existsSync(PATH) ? JSON.parse(readFileSync(PATH, 'utf8')) : {}
}

/** What is not measured now stays as it was. */
export function keep(results: Kept): void {
  const before = readKept()
  const all = { ...before, ...results, growth: { ...before.growth, ...results.growth } }
  writeFileSync(PATH, `${JSON.stringify(all, rounded, 1)}\n`)
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(SIGNIFICANT_DIGITS)) : value
}

export function describeSession(): Measured {
  const [first] = cpus()
  return {
    machine: {
      cpu: first?.model.trim() ?? 'unknown',
      cores: cpus().length,
      memoryGb: Math.round(totalmem() / 1e9),
      kernel: release(),
      node: process.versions.node,
    },
    day: new Date().toISOString().slice(0, 10),
    commit: currentCommit(),
  }
}

/** Where there is no git, nothing. */
function currentCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}
