/** What `npm run test:faults` is asked to do. */
import { parseArgs } from 'node:util'
import { TOPOLOGIES, type Topology } from './schedule.ts'

export interface Options {
  readonly seeds: readonly number[]
  /** Undefined: each seed's own. */
  readonly topology: Topology | undefined
}

export const USAGE = `npm run test:faults -- [options]
  --seeds FROM-TO    the schedules to run (default: 1-10)
  --seed N           one alone
  --topology NAME    ${TOPOLOGIES.join(', ')} (default: each seed has its own)
`

const DEFAULT_SEEDS = '1-10'

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: { seed: { type: 'string' }, seeds: { type: 'string' }, topology: { type: 'string' } },
  })
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(values.seed ?? values.seeds ?? DEFAULT_SEEDS) ?? []
  const first = Number(from)
  const count = Number(to ?? from) - first + 1
  if (from === undefined || count < 1) throw new Error('Seeds are a number, or FROM-TO')
  const topology = TOPOLOGIES.find((name) => name === values.topology)
  if (values.topology !== undefined && topology === undefined) throw new Error(`Topologies: ${TOPOLOGIES.join(', ')}`)
  return { seeds: Array.from({ length: count }, (_, index) => first + index), topology }
}
