/** Numbers and times as people read them. */

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1000, 's'],
]

/** @param {number} milliseconds */
export function duration(milliseconds) {
  const [size, unit] = UNITS.find(([each]) => milliseconds >= each) ?? [1, 'ms']
  const count = milliseconds / size
  return `${count < 10 && unit !== 'ms' ? Math.round(count * 10) / 10 : Math.round(count)} ${unit}`
}

/** @param {number} atMs @param {number} nowMs */
export function ago(atMs, nowMs) {
  const passed = nowMs - atMs
  return passed < 1000 ? 'just now' : `${duration(passed)} ago`
}

/** @param {number} count @param {string} one @param {string} [many] */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString('en')} ${count === 1 ? one : many}`
}
