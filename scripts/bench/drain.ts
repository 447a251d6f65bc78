/** Waiting until everything that was accepted has reached the push service. */
import { setTimeout as sleep } from 'node:timers/promises'
import { monotonicMs } from './clock.ts'
import type { Rig } from './rig.ts'
import type { SimulatorReport } from './simulator-process.ts'

/** How long no push may arrive before those that have not are lost. */
const SILENCE_MS = 15_000
const POLL_MS = 50

/** When all have arrived, and no more for `afterMs`; or when nothing does any more. */
export async function drained(rig: Rig, accepted: number, afterMs: number): Promise<SimulatorReport> {
  let report = await rig.simulator.ask('report', undefined)
  let changedMs = monotonicMs()
  while (monotonicMs() - changedMs < (report.arrived >= accepted ? afterMs : SILENCE_MS)) {
    await sleep(POLL_MS)
    const next = await rig.simulator.ask('report', undefined)
    if (next.arrived !== report.arrived) changedMs = monotonicMs()
    report = next
  }
  return report
}
