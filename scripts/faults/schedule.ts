/** What goes wrong when, as a pure function of a seed: the same seed is the same trouble, whoever runs it. */
import {
  CLOCK_SHIFTS_MS,
  FAULTS,
  REDIS_FAULTS,
  type Fault,
  type FaultName,
  type Kind,
  type NamedFault,
} from './faults.ts'
import { PROCESSES, REDISES, TOPOLOGIES, type Topology } from './topologies.ts'

/** How the apps' pushes leave: at once, or as `coalesce` or `release_every` has it. */
export const TIMINGS = ['immediate', 'coalesce', 'release_every'] as const
export type Timing = (typeof TIMINGS)[number]

/** What Redis acknowledges survives its death with either. A full disk ends it with one, and makes it refuse to write with the other. */
const SYNCS = ['always', 'no'] as const

export interface Schedule {
  readonly seed: number
  readonly topology: Topology
  readonly timing: Timing
  readonly appendfsync: (typeof SYNCS)[number]
  /** For so long faults begin, and notifications are sent. */
  readonly loadMs: number
  /** In order; those of one victim do not overlap. */
  readonly faults: readonly Fault[]
}

/** What a schedule can have beside what its seed says. */
export interface Extras {
  /** Default: the seed's own. */
  readonly topology?: Topology | undefined
  /** Clocks of processes jump. */
  readonly hasClockJumps?: boolean | undefined
  /** All processes begin as the former version, and are replaced one after the other. */
  readonly isUpgrade?: boolean | undefined
  /** Instead of all else: so often the process, or Redis where there is one, is killed. */
  readonly kills?: number | undefined
}

export const LOAD_MS = 8000
const FIRST_FAULT_MS = 300
const FEWEST_FAULTS = 6
const MOST_FAULTS = 9
const SHORTEST_MS = 200
const LONGEST_MS = 2500
/** Where a replica takes over this has to be longer than it takes to notice that a master is lost. */
const LONGEST_WITH_REPLICAS_MS = 5000
/** A victim has time to come back: a process that was killed has to start. */
const REST_MS = 1500
/** From one kill to the next. */
const KILL_EVERY_MS = 2000
const UPGRADE_EVERY_MS = 1500

export function scheduleOf(seed: number, extras: Extras = {}): Schedule {
  const { topology = topologyOf(seed), hasClockJumps = false, isUpgrade = false, kills } = extras
  const random = randomOf(seed)
  const timing = pick(random, TIMINGS)
  const appendfsync = pick(random, SYNCS)
  const schedule = { seed, topology, timing, appendfsync, loadMs: LOAD_MS, faults: faultsOf(random, topology) }
  if (kills !== undefined) return killsOf(schedule, kills)
  // Of numbers of their own, so that all else stays as it is without them.
  const jumps = hasClockJumps ? clockJumpsOf(randomOf(seed ^ 0xc10c), topology) : []
  const faults = [...schedule.faults, ...jumps].sort((a, b) => a.atMs - b.atMs)
  return isUpgrade ? upgradeOf({ ...schedule, faults }) : { ...schedule, faults }
}

export function topologyOf(seed: number): Topology {
  return TOPOLOGIES[seed % TOPOLOGIES.length] ?? 'sqlite'
}

export function describeFault({ kind, name, victim, atMs, durationMs }: Fault): string {
  return `${(atMs / 1000).toFixed(1)} s: ${kind === victim ? kind : `${kind} ${victim}`}: ${name}, ${durationMs} ms`
}

function faultsOf(random: () => number, topology: Topology): readonly Fault[] {
  const count = FEWEST_FAULTS + Math.floor(random() * (MOST_FAULTS - FEWEST_FAULTS + 1))
  const times = Array.from({ length: count }, () => FIRST_FAULT_MS + Math.floor(random() * (LOAD_MS - FIRST_FAULT_MS)))
  const freeAtMs = new Map<string, number>()
  const faults: Fault[] = []
  for (const atMs of times.sort((a, b) => a - b)) {
    const free = victimsOf(topology).filter(({ victim }) => (freeAtMs.get(victim) ?? 0) <= atMs)
    if (free.length === 0) continue
    const { kind, victim } = pick(random, free)
    const durationMs = SHORTEST_MS + Math.floor(random() * (longestMs(kind, topology) - SHORTEST_MS))
    faults.push({ ...namedFault(random, kind, topology), victim, atMs, durationMs })
    freeAtMs.set(victim, atMs + durationMs + REST_MS)
  }
  return faults
}

function longestMs(kind: Kind, topology: Topology): number {
  const hasReplicas = topology === 'sentinel' || topology === 'cluster'
  return kind === 'redis' && hasReplicas ? LONGEST_WITH_REPLICAS_MS : LONGEST_MS
}

function victimsOf(topology: Topology): readonly { readonly kind: Kind; readonly victim: string }[] {
  const processes = PROCESSES[topology].map((victim) => ({ kind: 'process', victim }) as const)
  const redises = REDISES[topology].map((victim) => ({ kind: 'redis', victim }) as const)
  const others = (['apns', 'fcm', 'webpush', 'configuration'] as const).map((kind) => ({ kind, victim: kind }))
  // Of the process that has it, so that it is not started on a full one.
  const disks = topology === 'sqlite' ? [{ kind: 'disk', victim: 'all' } as const] : []
  // Twice, so that a process and a store are struck as often as all that is around them.
  return [...processes, ...processes, ...redises, ...redises, ...disks, ...others]
}

function namedFault(random: () => number, kind: Kind, topology: Topology): NamedFault {
  switch (kind) {
    case 'process':
      return { kind, name: pick<FaultName<'process'>>(random, ['kill', 'pause']) }
    case 'redis':
      return { kind, name: pick(random, REDIS_FAULTS[topology]) }
    case 'disk':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'apns':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'fcm':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'webpush':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'configuration':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'clock':
      return { kind, name: pick(random, FAULTS[kind]) }
  }
}

/** One in each half of the time, of any process; no victim of another kind. */
function clockJumpsOf(random: () => number, topology: Topology): readonly Fault[] {
  return [0, LOAD_MS / 2].map((fromMs) => ({
    ...namedFault(random, 'clock', topology),
    victim: pick(random, PROCESSES[topology]),
    atMs: fromMs + FIRST_FAULT_MS + Math.floor(random() * 1000),
    durationMs: SHORTEST_MS + Math.floor(random() * 2000),
  }))
}

export function shiftMsOf(name: FaultName<'clock'>): number {
  return CLOCK_SHIFTS_MS[name]
}

function killsOf(schedule: Schedule, kills: number): Schedule {
  const random = randomOf(schedule.seed)
  const [redis] = REDISES[schedule.topology]
  const [process] = PROCESSES[schedule.topology]
  const victim =
    redis === undefined
      ? ({ kind: 'process', victim: process ?? '' } as const)
      : ({ kind: 'redis', victim: redis } as const)
  const faults = Array.from({ length: kills }, (_, number) => ({
    ...victim,
    name: 'kill' as const,
    atMs: Math.floor((number + random() / 4) * KILL_EVERY_MS) + FIRST_FAULT_MS,
    durationMs: Math.floor(random() * SHORTEST_MS),
  }))
  return { ...schedule, timing: 'immediate', appendfsync: 'always', loadMs: kills * KILL_EVERY_MS, faults }
}

/** What the former version did not withstand is left out: its stores and processes are well while they are replaced. */
function upgradeOf(schedule: Schedule): Schedule {
  const upgrades = PROCESSES[schedule.topology].map((victim, number): Fault => {
    const atMs = FIRST_FAULT_MS + (number + 1) * UPGRADE_EVERY_MS
    return { kind: 'process', name: 'upgrade', victim, atMs, durationMs: SHORTEST_MS }
  })
  const others = schedule.faults.filter(({ kind }) => !['process', 'disk', 'redis', 'clock'].includes(kind))
  return { ...schedule, faults: [...others, ...upgrades].sort((a, b) => a.atMs - b.atMs) }
}

function pick<Value>(random: () => number, values: readonly Value[]): Value {
  const value = values[Math.floor(random() * values.length)]
  if (value === undefined) throw new Error('there is nothing to pick from')
  return value
}

/** Numbers in [0, 1), the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
