/** How commands print: times, tables, JSON. */

/** Exit codes of the commands that ask or change something (docs/operating.md#commands). */
export const DONE = 0
/** It was done, and the answer needs somebody: nothing is known, an app does not deliver, a push was not taken. */
export const NEEDS_YOU = 2

export function writeJson(stdout: NodeJS.WritableStream, value: unknown): void {
  stdout.write(`${JSON.stringify(value, null, 2)}\n`)
}

/** UTC, to the second. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 19) + 'Z'
}

/** In the largest unit that fits: 45 s, 12 min, 3 h, 5 d. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} d`
}

/** Columns as wide as what is in them. */
export function writeTable(stdout: NodeJS.WritableStream, rows: readonly (readonly string[])[]): void {
  const widths: number[] = []
  for (const row of rows)
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length)
  for (const row of rows)
    stdout.write(
      `${row
        .map((cell, index) => cell.padEnd(widths[index] ?? 0))
        .join('  ')
        .trimEnd()}\n`,
    )
}
