/** Half of the values are not above it. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

/** The median, and in brackets the least and most of several. */
export function spread(values: readonly number[], digits: number): string {
  const middle = asText(median(values), digits)
  if (values.length < 2) return middle
  return `${middle} (${asText(Math.min(...values), digits)}–${asText(Math.max(...values), digits)})`
}

function asText(value: number, digits: number): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
