/** What `npm run bench` is asked to do. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { DELAY_SCENARIOS, SCENARIOS, GROWTHS, type GrowthKind } from './scenarios.ts'
import type { StoreKind } from './subjects.ts'

export interface Options {
  readonly only: readonly string[]
  readonly stores: readonly StoreKind[]
  readonly runs: number
  readonly seconds: number
  readonly warmUpSeconds: number
  /** No scenario has more of them. */
  readonly maxConnections: number
  /** Until an idle gateway has settled. */
  readonly settleSeconds: number
  /** Pushkeys that the requests go round. */
  readonly pushkeys: number
  readonly peers: readonly string[]
  /** Builds of Hushgate by name. */
  readonly programs: readonly (readonly [name: string, path: string])[]
  /** Measure this instead, as it grows. */
  readonly growth: readonly GrowthKind[]
  /** The last step of what grows. */
  readonly max: number
  /** Keep the results in docs/performance.json, and write the page from them. */
  readonly write: boolean
  /** Where the rig is kept; default: it is made anew. */
  readonly rigFolder?: string | undefined
  /** Make the rig and no more. */
  readonly prepare: boolean
}

/** What a session can measure. */
const PARTS = ['bare', 'idle', ...[...SCENARIOS, ...DELAY_SCENARIOS].map(({ name }) => name)]
const QUICK_PARTS = ['apns', 'fcm', 'webpush', 'delay']

export const USAGE = `npm run bench -- [options]
  --only NAMES       what to measure, with commas between them: ${PARTS.join(', ')}
  --store NAMES      sqlite, redis (default: both)
  --runs N           of each scenario on each gateway, in turns (default: 5)
  --seconds N        of load in each run (default: 10)
  --warm-up N        seconds of load before each run (default: 10)
  --pushkeys N       that the requests go round (default: 5000)
  --quick            one short run of a few, for CI
  --program NAME=MAIN.JS
                     another build of Hushgate to compare with; may be repeated
  --peer NAME=URL,PID
                     another gateway, running, to compare with; may be repeated
  --growth NAMES     instead: what a push costs as these grow: ${GROWTHS.join(', ')}
  --max N            the last step of what grows (default: 100000)
  --write            keep the results in docs/performance.json, and write the page from them
  --rig FOLDER       keep keys, certificates and ports there; a peer needs it
  --prepare          make that folder and stop
`

const DIST = join(import.meta.dirname, '../../dist/main.js')

export function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      store: { type: 'string' },
      runs: { type: 'string' },
      seconds: { type: 'string' },
      'warm-up': { type: 'string' },
      pushkeys: { type: 'string' },
      quick: { type: 'boolean', default: false },
      program: { type: 'string', multiple: true, default: [] },
      peer: { type: 'string', multiple: true, default: [] },
      write: { type: 'boolean', default: false },
      growth: { type: 'string', default: '' },
      max: { type: 'string', default: '100000' },
      rig: { type: 'string' },
      prepare: { type: 'boolean', default: false },
    },
  })
  const { quick } = values
  return {
    only: values.only?.split(',').map(part) ?? (quick ? QUICK_PARTS : PARTS),
    stores: (values.store ?? 'sqlite,redis').split(',').map(storeKind),
    runs: Number(values.runs ?? (quick ? 1 : 5)),
    seconds: Number(values.seconds ?? (quick ? 1 : 10)),
    settleSeconds: quick ? 1 : 5,
    // More would be answered 503 now and then where a machine is slow.
    maxConnections: quick ? 50 : Number.POSITIVE_INFINITY,
    // V8 compiles for longer than that; what is left is the same for all.
    warmUpSeconds: Number(values['warm-up'] ?? (quick ? 0 : 10)),
    pushkeys: Number(values.pushkeys ?? (quick ? 2000 : 5000)),
    peers: values.peer,
    programs: [['hushgate', DIST], ...values.program.map(program)],
    growth: values.growth === '' ? [] : values.growth.split(',').map(growthKind),
    max: Number(values.max),
    write: values.write,
    rigFolder: values.rig,
    prepare: values.prepare,
  }
}

function program(text: string): readonly [string, string] {
  const [name = '', path = ''] = text.split('=')
  return [name, path]
}

function part(name: string): string {
  if (PARTS.includes(name)) return name
  throw new Error(`--only ${name}: there are ${PARTS.join(', ')}`)
}

function growthKind(name: string): GrowthKind {
  const kind = GROWTHS.find((each) => each === name)
  if (kind === undefined) throw new Error(`--growth ${name}: there are ${GROWTHS.join(', ')}`)
  return kind
}

function storeKind(text: string): StoreKind {
  if (text === 'sqlite' || text === 'redis') return text
  throw new Error(`--store ${text}: sqlite or redis`)
}
