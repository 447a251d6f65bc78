/** What an attack is. */
import type { StoreKind } from '../bench/subjects.ts'
import type { Attacker } from './attacker.ts'
import type { App, Variant } from './configuration.ts'

/** What can be counted of an attack when it is over. */
export interface Aftermath {
  /** What the push services and the proxy were asked (services-process.ts). */
  readonly asked: (what: string) => number
  /** Lines of the log that say this. */
  readonly said: (words: string) => number
}

export interface Attack {
  readonly number: string
  readonly title: string
  /** What it did when it was found, as it was measured then. */
  readonly found: string
  readonly stores: readonly StoreKind[]
  readonly attacked: App
  readonly other: App
  readonly variant?: Variant
  /** Further settings of the section. */
  readonly queue?: string
  /** Makes ready what it needs; resolves with the attack itself. */
  readonly prepare: (attacker: Attacker) => Promise<() => Promise<void>>
  /** What it came to, by what it is. */
  readonly count?: (aftermath: Aftermath) => Readonly<Record<string, number>>
}

export const SQLITE: readonly StoreKind[] = ['sqlite']
export const BOTH_STORES: readonly StoreKind[] = ['sqlite', 'redis']
