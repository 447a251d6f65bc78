/** Milliseconds of the machine's monotonic clock: the same in every process, so that what one wrote down can be compared with what another did. */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
