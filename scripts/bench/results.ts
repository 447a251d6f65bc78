/** What a session has measured: docs/performance.json holds one. */
import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import type { BareFigures } from './measure-bare.ts'
import type { DelayFigures } from './measure-delay.ts'
import type { IdleFigures } from './measure-idle.ts'
import type { LoadFigures } from './measure-load.ts'

/** Of each gateway by its name, all runs in the order in which they were. */
export type Runs<T> = Readonly<Record<string, readonly T[]>>

export interface Results {
  readonly machine: Machine
  /** The day. */
  readonly measured: string
  readonly commit: string
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

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  readonly node: string
}

export function describeMachine(): Machine {
  const [first] = cpus()
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    node: process.versions.node,
  }
}

/** Where there is no git, nothing. */
export function currentCommit(): string {
  try {
    return execFileSync('git', ['describe', '--always', '--dirty'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
  } catch {
    return ''
  }
}
