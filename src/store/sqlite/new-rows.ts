/** Deliveries on their way to the database's thread, as two flat lists: a clone of an object for each would cost more than to store it. */

export interface NewRow {
  readonly route: string
  readonly id: string
  readonly priority: number
  readonly acceptedAtMs: number
  readonly dueAtMs: number
  readonly expiresAtMs: number
  /** What the thread seals. It does not leave this process. */
  readonly envelope: string
  /** As of `NewDelivery` (store/contract.ts). */
  readonly unless: readonly string[]
  readonly requires: string | undefined
  readonly claims: string | undefined
  readonly raises: readonly string[]
  readonly lifetimeMs: number
}

export interface NewRows {
  /** `TEXTS` of each row. */
  readonly texts: readonly string[]
  /** `NUMBERS` of each row. */
  readonly numbers: readonly number[]
}

/** Route, id, `unless`, `claims`, `raises`, envelope, `requires`. */
const TEXTS = 7
/** Priority, three times, lifetime. */
const NUMBERS = 5
/** Between keys. No key holds it: they are made of hashes and fixed words. */
const SEPARATOR = '\n'

export class NewRowsWriter implements NewRows {
  readonly texts: string[] = []
  readonly numbers: number[] = []

  append(row: NewRow): void {
    const { route, id, unless, claims = '', raises, envelope, requires = '' } = row
    this.texts.push(route, id, unless.join(SEPARATOR), claims, raises.join(SEPARATOR), envelope, requires)
    this.numbers.push(row.priority, row.acceptedAtMs, row.dueAtMs, row.expiresAtMs, row.lifetimeMs)
  }
}

export function readNewRows({ texts, numbers }: NewRows): readonly NewRow[] {
  return Array.from({ length: numbers.length / NUMBERS }, (_, row) => {
    const text = (index: number): string => texts[row * TEXTS + index] ?? ''
    const number = (index: number): number => numbers[row * NUMBERS + index] ?? 0
    const claims = text(3)
    const requires = text(6)
    return {
      route: text(0),
      id: text(1),
      unless: keysIn(text(2)),
      requires: requires === '' ? undefined : requires,
      claims: claims === '' ? undefined : claims,
      raises: keysIn(text(4)),
      envelope: text(5),
      priority: number(0),
      acceptedAtMs: number(1),
      dueAtMs: number(2),
      expiresAtMs: number(3),
      lifetimeMs: number(4),
    }
  })
}

function keysIn(text: string): readonly string[] {
  return text === '' ? [] : text.split(SEPARATOR)
}
