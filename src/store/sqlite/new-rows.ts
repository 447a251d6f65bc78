/**
 * Deliveries on their way to the database's thread, as a few flat lists and one piece of memory that changes hands: a clone of an object for each would cost
 * more than to store it.
 */

export interface NewRow {
  readonly route: string
  readonly id: string
  readonly priority: number
  readonly acceptedAtMs: number
  readonly dueAtMs: number
  readonly expiresAtMs: number
  readonly sealed: Uint8Array
  /** As of `NewDelivery` (store/contract.ts). */
  readonly unless: readonly string[]
  readonly claims: string | undefined
  readonly raises: readonly string[]
  readonly lifetimeMs: number
}

export interface NewRows {
  /** `TEXTS` of each row. */
  readonly texts: readonly string[]
  /** `NUMBERS` of each row. */
  readonly numbers: readonly number[]
  /** What is sealed in each row, one after the other. */
  readonly sealed: Uint8Array<ArrayBuffer>
}

/** Route, id, `unless`, `claims`, `raises`. */
const TEXTS = 5
/** Priority, three times, lifetime, length of what is sealed. */
const NUMBERS = 6
/** Between keys. No key holds it: they are made of hashes and fixed words. */
const SEPARATOR = '\n'

export class NewRowsWriter {
  readonly #texts: string[] = []
  readonly #numbers: number[] = []
  readonly #sealed: Uint8Array[] = []

  /** Of rows. */
  get length(): number {
    return this.#sealed.length
  }

  append(row: NewRow): void {
    const { route, id, unless, claims = '', raises, sealed } = row
    this.#texts.push(route, id, unless.join(SEPARATOR), claims, raises.join(SEPARATOR))
    this.#numbers.push(row.priority, row.acceptedAtMs, row.dueAtMs, row.expiresAtMs, row.lifetimeMs, sealed.length)
    this.#sealed.push(sealed)
  }

  finish(): NewRows {
    let length = 0
    for (const { length: each } of this.#sealed) length += each
    const sealed = new Uint8Array(length)
    let at = 0
    for (const each of this.#sealed) {
      sealed.set(each, at)
      at += each.length
    }
    return { texts: this.#texts, numbers: this.#numbers, sealed }
  }
}

export function readNewRows({ texts, numbers, sealed }: NewRows): readonly NewRow[] {
  const rows: NewRow[] = []
  let at = 0
  for (let row = 0; row * NUMBERS < numbers.length; row += 1) {
    const [route = '', id = '', unless = '', claims = '', raises = ''] = texts.slice(row * TEXTS, (row + 1) * TEXTS)
    const [priority = 0, acceptedAtMs = 0, dueAtMs = 0, expiresAtMs = 0, lifetimeMs = 0, length = 0] = numbers.slice(
      row * NUMBERS,
      (row + 1) * NUMBERS,
    )
    rows.push({
      route,
      id,
      priority,
      acceptedAtMs,
      dueAtMs,
      expiresAtMs,
      lifetimeMs,
      sealed: sealed.subarray(at, at + length),
      unless: keysIn(unless),
      claims: claims === '' ? undefined : claims,
      raises: keysIn(raises),
    })
    at += length
  }
  return rows
}

function keysIn(text: string): readonly string[] {
  return text === '' ? [] : text.split(SEPARATOR)
}
