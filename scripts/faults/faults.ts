/** All that can go wrong, by name. */
import type { Topology } from './topologies.ts'

/** Of the network before a push service, which strikes all connections and new ones, or with `freeze` and `reset` those of the moment. */
export const WIRE_FAULTS = ['refuse', 'stall', 'freeze', 'reset', 'no-tls', 'untrusted'] as const
export type WireFault = (typeof WIRE_FAULTS)[number]

/** What a push service answers to all, whatever the device; as the simulators read it (src/simulators/script.ts). */
export const ANSWERS: Readonly<Record<string, string | undefined>> = {
  hang: 'hang',
  'reset-stream': 'rst',
  'internal-error': 's500',
  unavailable: 's503',
  'unavailable-for-2s': 's503.a2',
  'too-many-for-2s': 's429.a2',
}

const OF_ALL = [
  ...WIRE_FAULTS,
  'goaway',
  'hang',
  'reset-stream',
  'internal-error',
  'unavailable',
  'unavailable-for-2s',
] as const

/** By how much a clock is wrong while the fault lasts. */
export const CLOCK_SHIFTS_MS = {
  '5-seconds-ahead': 5000,
  '5-seconds-behind': -5000,
  '70-seconds-ahead': 70_000,
  '70-seconds-behind': -70_000,
  '5-minutes-ahead': 300_000,
  '5-minutes-behind': -300_000,
} as const
type ClockShift = keyof typeof CLOCK_SHIFTS_MS

/** What only the simulator of one push service knows. */
export const OWN_FAULTS = {
  apns: ['endless-body', 'refuse-streams'],
  fcm: ['html-502', 'cut-body', 'oauth-down', 'unauthorized', 'permission-denied'],
  webpush: ['slow-body'],
} as const

export const FAULTS = {
  /** SIGKILL, and the start of another after the duration; SIGSTOP, and SIGCONT after it; an end as an operator asks for, and the start of the next version. */
  process: ['kill', 'pause', 'upgrade'],
  /** That of SQLite. */
  disk: ['full'],
  redis: ['kill', 'freeze', 'full', 'read-only', 'disk-full', 'failover', 'lost-replica'],
  apns: [...OF_ALL, 'too-many-for-2s', ...OWN_FAULTS.apns],
  fcm: [...OF_ALL, 'too-many-for-2s', ...OWN_FAULTS.fcm],
  // Its 429 keeps a push away for a minute at least.
  webpush: [...OF_ALL, ...OWN_FAULTS.webpush],
  configuration: ['reload', 'bad-credentials'],
  clock: Object.keys(CLOCK_SHIFTS_MS).filter((name): name is ClockShift => name in CLOCK_SHIFTS_MS),
} as const

const ALONE: readonly FaultName<'redis'>[] = ['kill', 'freeze', 'full', 'read-only', 'disk-full']
/** `kill` is the loss of a master. A planned failover, and the loss of a replica. */
const WITH_REPLICAS: readonly FaultName<'redis'>[] = ['kill', 'freeze', 'full', 'failover', 'lost-replica']

export const REDIS_FAULTS: Readonly<Record<Topology, readonly FaultName<'redis'>[]>> = {
  sqlite: [],
  redis: ALONE,
  'redis-split': ALONE,
  sentinel: WITH_REPLICAS,
  cluster: WITH_REPLICAS,
}

export type Kind = keyof typeof FAULTS
export type FaultName<Of extends Kind> = (typeof FAULTS)[Of][number]

export type NamedFault = { readonly [Of in Kind]: { readonly kind: Of; readonly name: FaultName<Of> } }[Kind]

export type Fault = NamedFault & {
  /** A process or a Redis by its name; of the other kinds there is one. */
  readonly victim: string
  readonly atMs: number
  readonly durationMs: number
}

/** Ends a fault; what was struck works again. */
export type End = () => Promise<void> | void

export type PushServiceFault = Extract<Fault, { kind: 'apns' | 'fcm' | 'webpush' }>
export type RedisFault = Extract<Fault, { kind: 'redis' }>

/** The disk of a Redis, or of SQLite, is full. */
export function needsSmallDisk(fault: Fault): boolean {
  return fault.kind === 'disk' || fault.name === 'disk-full'
}
