/** How long a push takes to the push service when the gateway is not full. */
import { startHelper } from './calls.ts'
import type { operations } from './paced-load-process.ts'
import { drained } from './drain.ts'
import { cpuMsOf } from './processes.ts'
import { eventId } from './requests.ts'
import type { Rig } from './rig.ts'
import type { PushService } from './simulator-process.ts'
import type { RunningSubject } from './subjects.ts'

export interface DelayRun {
  readonly rig: Rig
  readonly service: PushService
  /** Until the push service answers. */
  readonly delayMs: number
  readonly perSecond: number
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly devicesFile: string
  /** Pushkeys in it. */
  readonly pushkeys: number
  /** Of the run, in its event IDs. */
  readonly id: string
}

export interface DelayFigures {
  readonly perSecond: number
  /** From the answer 200 until the push has reached the push service; less than nothing when it was there before the answer. */
  readonly fromAcceptMs: Percentiles
  /** From the moment the request was due. */
  readonly fromRequestMs: Percentiles
  readonly gatewayCpuMsPerPush: number
  readonly failed: number
  readonly lost: number
}

export interface Percentiles {
  readonly p50: number
  readonly p99: number
  readonly p999: number
}

/** Until the answers of the push service have been dealt with. */
const AFTER_MS = 200

export async function measureDelay(subject: RunningSubject, run: DelayRun): Promise<DelayFigures> {
  const { rig, delayMs, perSecond, seconds, devicesFile } = run
  const load = startHelper<typeof operations>('paced-load-process.ts')
  try {
    const [url] = subject.urls
    await rig.simulator.ask('reset', { delayMs, isRecording: false })
    const warmUp = { url, devicesFile, perSecond, seconds: Math.max(1, run.warmUpSeconds), run: `${run.id}w` }
    await drained(rig, countOf((await load.ask('run', warmUp)).acceptedMs), AFTER_MS)
    await rig.simulator.ask('reset', { delayMs, isRecording: true })
    const startCpuMs = cpuMsOf(subject.pids())
    const { dueMs, acceptedMs } = await load.ask('run', { url, devicesFile, perSecond, seconds, run: run.id })
    const accepted = countOf(acceptedMs)
    await drained(rig, accepted, AFTER_MS)
    const cpuMs = cpuMsOf(subject.pids()) - startCpuMs
    const arrivedMs = new Map(await rig.simulator.ask('arrivals', undefined))
    const delays = [...dueMs].flatMap((due, number) => {
      const answered = acceptedMs[number] ?? 0
      const arrived = arrivedMs.get(keyOf(run, number))
      return answered === 0 || arrived === undefined ? [] : [[arrived - answered, arrived - due] as const]
    })
    return {
      perSecond,
      fromAcceptMs: percentilesOf(delays.map(([fromAccept]) => fromAccept)),
      fromRequestMs: percentilesOf(delays.map(([, fromRequest]) => fromRequest)),
      gatewayCpuMsPerPush: cpuMs / dueMs.length,
      failed: dueMs.length - accepted,
      lost: accepted - delays.length,
    }
  } finally {
    load.stop()
  }
}

/** As the simulators tell a push. */
function keyOf({ service, id, pushkeys }: DelayRun, number: number): string {
  return service === 'webpush' ? String(number % pushkeys) : eventId(id, number)
}

function countOf(acceptedMs: Float64Array): number {
  return acceptedMs.filter((atMs) => atMs > 0).length
}

function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
}
