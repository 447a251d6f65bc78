/** What `npm run test:faults` is asked to do. */
import { parseArgs } from 'node:util'
import { TOPOLOGIES, type Topology } from './topologies.ts'

export interface Options {
  readonly seeds: readonly number[]
  /** Undefined: each seed's own. */
  readonly topology: Topology | undefined
  readonly hasClockJumps: boolean
  /** A commit; undefined: no upgrade. */
  readonly upgradeFrom: string | undefined
  /** Undefined: schedules of all faults. */
  readonly kills: number | undefined
  readonly sideBySide: number
  /** Where passed schedules are noted, which then do not run again. */
  readonly resume: string | undefined
  /** No schedule begins later. */
  readonly seconds: number | undefined
}

export const USAGE = `npm run test:faults -- [options]
  --seeds FROM-TO        the schedules to run (default: 1-10)
  --seed N               one alone
  --topology NAME        ${TOPOLOGIES.join(', ')} (default: each seed has its own)
  --side-by-side N       so many at once (default: 5; most of the time they wait)
  --resume FILE          note each schedule that passed in this file, and run none that is noted there
  --seconds N            begin none later
  --clock-jumps          also: clocks of processes are wrong for a while
  --upgrade-from COMMIT  instead of faults of processes and stores: all begin as this version, and are replaced one after the other
  --kills N              instead of all else: kill the process (sqlite), or Redis, so often
`

const DEFAULT_SEEDS = '1-10'
const DEFAULT_SIDE_BY_SIDE = '5'

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string' },
      topology: { type: 'string' },
      'clock-jumps': { type: 'boolean', default: false },
      'upgrade-from': { type: 'string' },
      kills: { type: 'string' },
      'side-by-side': { type: 'string', default: DEFAULT_SIDE_BY_SIDE },
      resume: { type: 'string' },
      seconds: { type: 'string' },
    },
  })
  const topology = TOPOLOGIES.find((name) => name === values.topology)
  if (values.topology !== undefined && topology === undefined) throw new Error(`Topologies: ${TOPOLOGIES.join(', ')}`)
  return {
    seeds: seedsIn(values.seed ?? values.seeds ?? DEFAULT_SEEDS),
    topology,
    hasClockJumps: values['clock-jumps'],
    upgradeFrom: values['upgrade-from'],
    kills: countIn('kills', values.kills),
    sideBySide: countIn('side-by-side', values['side-by-side']) ?? 1,
    resume: values.resume,
    seconds: countIn('seconds', values.seconds),
  }
}

function seedsIn(text: string): readonly number[] {
  const [, from, to] = /^(\d+)(?:-(\d+))?$/.exec(text) ?? []
  const first = Number(from)
  const count = Number(to ?? from) - first + 1
  if (from === undefined || count < 1) throw new Error('Seeds are a number, or FROM-TO')
  return Array.from({ length: count }, (_, index) => first + index)
}

function countIn(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name} is a number, 1 at least`)
  return Number(text)
}
