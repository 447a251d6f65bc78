/** `npm run test:fuzz`: malformed requests at both ports of a gateway; fails where a bound does not hold (docs/reliability.md, test/README.md). */
import { readOptions, USAGE } from './options.ts'
import { fuzz, ownMs, type Report } from './run.ts'

/** Of the main thread, but for the time until a processor is free for it. */
const LONGEST_STALL_MS = 50
/** Documented in docs/reliability.md. */
const MOST_RSS_BYTES = 400e6
const SHOWN_OF_A_KIND = 2
const KIND_LENGTH = 60
const MOST_SHOWN = 30

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2))
  const report = await fuzz(options)
  console.log(summaryOf(report))
  const broken = brokenBounds(report)
  if (broken.length === 0) return
  console.log(`\nFailed, with --seed ${options.seed} --first ${options.first} --requests ${options.requests}:`)
  for (const sentence of broken) console.log(`  ${sentence}`)
  process.exitCode = 1
}

function summaryOf({ requests, byStatus, faults, peakRssBytes, rssBytes, stalls, ordinary, seconds }: Report): string {
  const statuses = [...byStatus].sort(([a], [b]) => a - b).map(([status, count]) => `${status}: ${count}`)
  const serverErrors = serverErrorsIn(byStatus)
  const worst = stalls
    .slice(0, 5)
    .map(
      (stall) => `${ownMs(stall).toFixed(0)} (${stall.ms.toFixed(0)} by the clock, ${stall.ranMs.toFixed(0)} of work)`,
    )
  return `${requests} malformed requests in ${seconds.toFixed(0)} s
answers: ${statuses.join(', ')}
5xx: ${serverErrors}; faults: ${faults.length}
memory: at most ${megabytes(peakRssBytes)}, afterwards ${megabytes(rssBytes)}
longest stalls in ms, without waiting for a processor: ${worst.join(', ') || 'none'}
${ordinary.count} ordinary pushes beside them: p50 ${ordinary.p50Ms.toFixed(1)} ms, p99 ${ordinary.p99Ms.toFixed(1)} ms, worst ${ordinary.worstMs.toFixed(1)} ms`
}

function serverErrorsIn(byStatus: Report['byStatus']): number {
  return [...byStatus].reduce((sum, [status, count]) => (status >= 500 ? sum + count : sum), 0)
}

function brokenBounds({ byStatus, faults, peakRssBytes, stalls, duringLongestStall }: Report): string[] {
  const broken = severalKinds(faults)
  if (serverErrorsIn(byStatus) > 0)
    broken.push(`5xx: ${serverErrorsIn(byStatus)}; 503 may be that of a machine with other things to do`)
  if (peakRssBytes > MOST_RSS_BYTES)
    broken.push(`memory: ${megabytes(peakRssBytes)}, more than ${megabytes(MOST_RSS_BYTES)}`)
  const [longest] = stalls
  if (longest !== undefined && ownMs(longest) >= LONGEST_STALL_MS)
    broken.push(`a stall of ${ownMs(longest).toFixed(0)} ms, around these:\n    ${duringLongestStall.join('\n    ')}`)
  return broken
}

/** A few of each: a thousand times the same says no more. */
function severalKinds(faults: readonly string[]): string[] {
  const kinds = [...Map.groupBy(faults, (fault) => fault.slice(0, KIND_LENGTH)).values()]
  const shown = kinds.flatMap((several) => several.slice(0, SHOWN_OF_A_KIND)).slice(0, MOST_SHOWN)
  return faults.length > shown.length ? [...shown, `… and ${faults.length - shown.length} more`] : shown
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`
}

// So that nothing that was started stays: the gateway ends with this process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await main()
