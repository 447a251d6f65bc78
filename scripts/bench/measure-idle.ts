/** What a gateway takes that has nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { cpuMsOf, residentMbOf } from './processes.ts'
import type { RunningSubject } from './subjects.ts'

export interface IdleFigures {
  readonly residentMb: number
  readonly cpuMsPerSecond: number
}

export async function measureIdle(subject: RunningSubject, settleSeconds: number): Promise<IdleFigures> {
  await sleep(settleSeconds * 1000)
  const pids = subject.pids()
  const startCpuMs = cpuMsOf(pids)
  await sleep(settleSeconds * 1000)
  return { residentMb: residentMbOf(pids), cpuMsPerSecond: (cpuMsOf(pids) - startCpuMs) / settleSeconds }
}
