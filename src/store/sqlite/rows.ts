/** Reads columns of a row of SQLite as the types that the schema gives them. */
import type { SQLOutputValue } from 'node:sqlite'

type SqlRow = Record<string, SQLOutputValue> | undefined

export function integer(row: SqlRow, column: string): number {
  return Number(row?.[column] ?? 0)
}

export function optionalInteger(row: SqlRow, column: string): number | undefined {
  const value = row?.[column]
  return value === null || value === undefined ? undefined : Number(value)
}

export function text(row: SqlRow, column: string): string {
  return String(row?.[column] ?? '')
}

export function blob(row: SqlRow, column: string): Uint8Array {
  const value = row?.[column]
  return value instanceof Uint8Array ? value : new Uint8Array()
}
