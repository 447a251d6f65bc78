/** Figures as text: the median of the runs, and the least and most beside it. */
import type { LoadFigures } from './measure-load.ts'

/** Half of the values are not above it. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN
}

interface Row {
  readonly label: string
  readonly of: keyof LoadFigures
  readonly digits: number
}

const ROWS: readonly Row[] = [
  { label: 'accepted/s', of: 'acceptedPerSecond', digits: 0 },
  { label: 'delivered/s until drained', of: 'deliveredPerSecond', digits: 0 },
  { label: 'delivered/s while the load lasts', of: 'deliveredUnderLoadPerSecond', digits: 0 },
  { label: 'CPU ms per push: gateway', of: 'gatewayCpuMsPerPush', digits: 3 },
  { label: 'CPU ms per push: Redis', of: 'redisCpuMsPerPush', digits: 3 },
  { label: 'request p50 ms', of: 'requestP50Ms', digits: 1 },
  { label: 'request p99 ms', of: 'requestP99Ms', digits: 1 },
  { label: 'memory peak MB: gateway', of: 'peakMb', digits: 0 },
  { label: 'memory peak MB: Redis', of: 'redisPeakMb', digits: 0 },
  { label: 'Redis commands per push', of: 'redisCommandsPerPush', digits: 1 },
  { label: 'Redis bytes per push', of: 'redisBytesPerPush', digits: 0 },
  { label: '(CPU ms per push: simulator)', of: 'simulatorCpuMsPerPush', digits: 3 },
  { label: '(CPU ms per push: wrk)', of: 'loadCpuMsPerPush', digits: 3 },
]
const LABEL_WIDTH = 34
const CELL_WIDTH = 26
/** A push service whose event loop has no more rest than this may be what holds the gateway back. */
const BUSY = 0.9

export function printLoad(title: string, figures: ReadonlyMap<string, readonly LoadFigures[]>): void {
  const subjects = [...figures]
  console.log(`\n${title}`)
  console.log(
    line(
      '',
      subjects.map(([name, { length }]) => `${name} (${length})`),
    ),
  )
  for (const { label, of, digits } of ROWS) {
    const columns = subjects.map(([, runs]) => runs.map((run) => run[of]))
    if (columns.flat().some((value) => value !== 0))
      console.log(
        line(
          label,
          columns.map((values) => spread(values, digits)),
        ),
      )
  }
  for (const [name, runs] of subjects)
    for (const { failed, lost, simulatorUtilization } of runs) {
      if (failed > 0) console.log(`  ${name}: ${failed} requests were not answered with 200`)
      if (lost > 0) console.log(`  ${name}: ${lost} pushes were accepted and never came`)
      if (simulatorUtilization > BUSY)
        console.log(
          `  ${name}: the simulator may have been the bottleneck: busy ${(simulatorUtilization * 100).toFixed(0)} % of the time`,
        )
    }
}

/** The median, and in brackets the least and most of several. */
export function spread(values: readonly number[], digits: number): string {
  const text = (value: number): string => value.toFixed(digits)
  const middle = text(median(values))
  return values.length > 1 ? `${middle} (${text(Math.min(...values))}–${text(Math.max(...values))})` : middle
}

function line(label: string, cells: readonly string[]): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${cells.map((cell) => cell.padStart(CELL_WIDTH)).join('')}`
}
