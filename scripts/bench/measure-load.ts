/** One run of one scenario on one gateway. */
import { monotonicMs } from './clock.ts'
import { drained } from './drain.ts'
import { cpuMsOf, forgetPeak, machineCpuMs, peakMbOf } from './processes.ts'
import type { Rig } from './rig.ts'
import type { Scenario } from './scenarios.ts'
import type { RunningSubject } from './subjects.ts'
import { runWrk } from './wrk.ts'

export interface LoadRun {
  readonly rig: Rig
  readonly scenario: Scenario
  readonly seconds: number
  readonly warmUpSeconds: number
  readonly devicesFile: string
  readonly scriptFile: string
  /** Of the run, in its event IDs. */
  readonly id: string
}

/** Numbers only, so that runs can be compared field by field. */
export interface LoadFigures {
  /** Pushes of requests that were answered with 200, a second. */
  readonly acceptedPerSecond: number
  /** Pushes that reached the push service while the load lasted, a second. */
  readonly deliveredUnderLoadPerSecond: number
  /** From the first request until the last push had reached the push service. */
  readonly deliveredPerSecond: number
  readonly requestP50Ms: number
  readonly requestP99Ms: number
  /** Of the gateway with all its threads. */
  readonly gatewayCpuMsPerPush: number
  readonly redisCpuMsPerPush: number
  readonly peakMb: number
  readonly redisPeakMb: number
  readonly redisCommandsPerPush: number
  readonly redisBytesPerPush: number
  /** From 0 to 1. */
  readonly simulatorUtilization: number
  readonly simulatorCpuMsPerPush: number
  readonly loadCpuMsPerPush: number
  /** What the rest of the machine used while the load lasted. */
  readonly otherCores: number
  /** Requests that were not answered with 200. */
  readonly failed: number
  /** Accepted, and not delivered. */
  readonly lost: number
}

/** wrk hangs up while requests are under way; they are accepted nevertheless, and their pushes come after those that it counted. */
const AFTER_MS = 1000

export async function measureLoad(subject: RunningSubject, run: LoadRun): Promise<LoadFigures> {
  const { rig, scenario, devicesFile, scriptFile } = run
  const { connections, devicesPerRequest, delayMs } = scenario
  const load = { urls: subject.urls, devicesFile, scriptFile, connections, devicesPerRequest }
  if (run.warmUpSeconds > 0) {
    await rig.simulator.ask('reset', { delayMs, isRecording: false })
    const warmUp = await runWrk({ ...load, seconds: run.warmUpSeconds, run: `${run.id}w` })
    await drained(rig, warmUp.accepted * devicesPerRequest, AFTER_MS)
  }
  const pids = subject.pids()
  const redisPids = subject.redis === undefined ? [] : [subject.redis.pid]
  forgetPeak([...pids, ...redisPids])
  await rig.simulator.ask('reset', { delayMs, isRecording: false })
  const before = { cpuMs: cpuMsOf(pids), redisCpuMs: cpuMsOf(redisPids), redis: await subject.redis?.work() }
  const startMs = monotonicMs()
  const startBusyMs = machineCpuMs()
  const wrk = await runWrk({ ...load, seconds: run.seconds, run: run.id })
  const atEnd = await rig.simulator.ask('report', undefined)
  const cpuMs = cpuMsOf(pids) - before.cpuMs + cpuMsOf(redisPids) - before.redisCpuMs + atEnd.cpuMs + wrk.cpuMs
  const otherCpuMs = machineCpuMs() - startBusyMs - cpuMs
  const loadSeconds = (monotonicMs() - startMs) / 1000
  const accepted = wrk.accepted * devicesPerRequest
  const report = await drained(rig, accepted, AFTER_MS)
  const redis = await subject.redis?.work()
  const perPush = (total: number): number => total / Math.max(1, report.arrived)
  return {
    acceptedPerSecond: accepted / wrk.seconds,
    deliveredUnderLoadPerSecond: atEnd.arrived / loadSeconds,
    deliveredPerSecond: (report.arrived / Math.max(1, report.lastArrivalMs - startMs)) * 1000,
    requestP50Ms: wrk.latencyMs.p50,
    requestP99Ms: wrk.latencyMs.p99,
    gatewayCpuMsPerPush: perPush(cpuMsOf(pids) - before.cpuMs),
    redisCpuMsPerPush: perPush(cpuMsOf(redisPids) - before.redisCpuMs),
    peakMb: peakMbOf(pids),
    redisPeakMb: peakMbOf(redisPids),
    redisCommandsPerPush: perPush((redis?.commands ?? 0) - (before.redis?.commands ?? 0)),
    redisBytesPerPush: perPush((redis?.bytes ?? 0) - (before.redis?.bytes ?? 0)),
    simulatorUtilization: atEnd.utilization,
    simulatorCpuMsPerPush: perPush(report.cpuMs),
    loadCpuMsPerPush: perPush(wrk.cpuMs),
    otherCores: Math.max(0, otherCpuMs / 1000 / loadSeconds),
    failed: wrk.failed,
    lost: Math.max(0, accepted - report.arrived),
  }
}
