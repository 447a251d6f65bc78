/** What was measured: docs/attacks.json holds what was written last. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Measured } from '../bench/results.ts'
import type { StoreKind } from '../bench/subjects.ts'
import type { Round } from './measure.ts'

export interface Results extends Measured {
  readonly seconds: number
  readonly perSecond: number
  /** Of the machine over a minute, before the first round and after the last. */
  readonly loadAverages: readonly [before: number, after: number]
  readonly measured: readonly MeasuredAttack[]
}

/** Of one attack on one store and one build. */
export interface MeasuredAttack {
  readonly number: string
  readonly store: StoreKind
  readonly program: string
  /** Of the checkout that measured it. */
  readonly commit: string
  readonly rounds: readonly Round[]
}

const PATH = join(import.meta.dirname, '../../docs/attacks.json')
const SIGNIFICANT_DIGITS = 4

export function readKept(): Results {
  return JSON.parse(readFileSync(PATH, 'utf8'))
}

/** Attacks that were not measured now stay as they were. */
export function keep(results: Results): void {
  writeFileSync(PATH, `${JSON.stringify(withNewer(readKept(), results), rounded, 1)}\n`)
}

/** In the order of the older ones. Pure. */
export function withNewer(older: Results, newer: Results): Results {
  const kept = new Map([...older.measured, ...newer.measured].map((each) => [nameOf(each), each]))
  return { ...newer, measured: [...kept.values()] }
}

function nameOf({ number, store, program }: MeasuredAttack): string {
  return [number, store, program].join(' ')
}

function rounded(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isInteger(value) ? Number(value.toPrecision(SIGNIFICANT_DIGITS)) : value
}
