/** What goes wrong when, as a pure function of a seed: the same seed is the same trouble, whoever runs it. */

export const TOPOLOGIES = ['sqlite', 'redis', 'redis-split'] as const
export type Topology = (typeof TOPOLOGIES)[number]

/** How the apps' pushes leave: at once, or as `coalesce` or `release_every` has it. */
export const TIMINGS = ['immediate', 'coalesce', 'release_every'] as const
export type Timing = (typeof TIMINGS)[number]

/** The processes of Hushgate, by topology; each name begins with its role. */
export const PROCESSES: Readonly<Record<Topology, readonly string[]>> = {
  sqlite: ['all'],
  redis: ['all'],
  'redis-split': ['http-1', 'http-2', 'worker-1', 'worker-2'],
}

const FAULTS = {
  /** SIGKILL, and the start of another after the duration; SIGSTOP, and SIGCONT after it. */
  process: ['kill', 'pause'],
  redis: ['kill', 'freeze', 'full', 'read-only'],
  /** The last three strike the connections of that moment. */
  apns: ['unavailable', 'hang', 'endless-body', 'refuse-streams', 'tls-stall', 'goaway', 'reset', 'freeze'],
  fcm: ['unavailable', 'html-502', 'cut-body', 'hang', 'oauth-down', 'unauthorized', 'permission-denied'],
  configuration: ['reload', 'bad-credentials'],
} as const

export type Kind = keyof typeof FAULTS
export type FaultName<Of extends Kind> = (typeof FAULTS)[Of][number]

type NamedFault = { readonly [Of in Kind]: { readonly kind: Of; readonly name: FaultName<Of> } }[Kind]

export type Fault = NamedFault & {
  /** A process by its name; of the other kinds there is one. */
  readonly victim: string
  readonly atMs: number
  readonly durationMs: number
}

export interface Schedule {
  readonly seed: number
  readonly topology: Topology
  readonly timing: Timing
  /** In order; those of one victim do not overlap. */
  readonly faults: readonly Fault[]
}

/** For so long faults begin, and notifications are sent. */
export const LOAD_MS = 12_000
const FIRST_FAULT_MS = 500
const FEWEST_FAULTS = 6
const MOST_FAULTS = 9
const SHORTEST_MS = 200
const LONGEST_MS = 3000
/** A victim has time to come back: a process that was killed has to start. */
const REST_MS = 2000

/** `topology`: default is the seed's own. */
export function scheduleOf(seed: number, topology: Topology = topologyOf(seed)): Schedule {
  const random = randomOf(seed)
  const timing = pick(random, TIMINGS)
  const count = FEWEST_FAULTS + Math.floor(random() * (MOST_FAULTS - FEWEST_FAULTS + 1))
  const times = Array.from({ length: count }, () => FIRST_FAULT_MS + Math.floor(random() * (LOAD_MS - FIRST_FAULT_MS)))
  const freeAtMs = new Map<string, number>()
  const faults: Fault[] = []
  for (const atMs of times.sort((a, b) => a - b)) {
    const free = victimsOf(topology).filter(({ victim }) => (freeAtMs.get(victim) ?? 0) <= atMs)
    if (free.length === 0) continue
    const { kind, victim } = pick(random, free)
    const durationMs = SHORTEST_MS + Math.floor(random() * (LONGEST_MS - SHORTEST_MS))
    faults.push({ ...namedFault(random, kind), victim, atMs, durationMs })
    freeAtMs.set(victim, atMs + durationMs + REST_MS)
  }
  return { seed, topology, timing, faults }
}

export function topologyOf(seed: number): Topology {
  return TOPOLOGIES[seed % TOPOLOGIES.length] ?? 'sqlite'
}

export function describeFault({ kind, name, victim, atMs, durationMs }: Fault): string {
  return `${(atMs / 1000).toFixed(1)} s: ${kind === victim ? kind : `${kind} ${victim}`}: ${name}, ${durationMs} ms`
}

function victimsOf(topology: Topology): readonly { readonly kind: Kind; readonly victim: string }[] {
  const processes = PROCESSES[topology].map((victim) => ({ kind: 'process', victim }) as const)
  const single = (['redis', 'apns', 'fcm', 'configuration'] as const).map((kind) => ({ kind, victim: kind }))
  // Twice, so that a process and a store are struck as often as all that is around them.
  const store = topology === 'sqlite' ? [] : [...single.slice(0, 1), ...single.slice(0, 1)]
  return [...processes, ...processes, ...store, ...single.slice(1)]
}

function namedFault(random: () => number, kind: Kind): NamedFault {
  switch (kind) {
    case 'process':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'redis':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'apns':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'fcm':
      return { kind, name: pick(random, FAULTS[kind]) }
    case 'configuration':
      return { kind, name: pick(random, FAULTS[kind]) }
  }
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
