/** Durations (`24h`) and sizes (`512KiB`) as they are written in the configuration. Pure. */

const MS_OF = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES_OF = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

export const DURATION_PATTERN = `^[0-9]{1,9}(${Object.keys(MS_OF).join('|')})$`
export const SIZE_PATTERN = `^[0-9]{1,9}(${Object.keys(BYTES_OF).join('|')})$`

/** `500ms`, `60s`, `5m`, `24h` or `7d` in milliseconds; undefined for anything else. */
export function parseDurationMs(text: string): number | undefined {
  return parse(text, MS_OF)
}

/** `100B`, `512KiB`, `1MiB` or `2GiB` in bytes; undefined for anything else. */
export function parseSizeBytes(text: string): number | undefined {
  return parse(text, BYTES_OF)
}

function parse(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const [, digits, unit] = /^([0-9]{1,9})([A-Za-z]+)$/.exec(text) ?? []
  if (digits === undefined || unit === undefined || !Object.hasOwn(units, unit)) return undefined
  return Number(digits) * (units[unit] ?? Number.NaN)
}
