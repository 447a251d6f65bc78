/** Whether this thread has so much to do that a part of it should go to another one. */
import { performance } from 'node:perf_hooks'

const SAMPLE_MS = 500
/** Of the time, in each of so many samples in a row: not a moment's work, such as a start or a reload. */
const BUSY_SHARE = 0.5
const SAMPLES = 2

/** Calls back once, when this thread has been busy for more than half of a second. Call the result to stop watching; it keeps no process alive. */
export function whenBusy(action: () => void): () => void {
  let before = performance.eventLoopUtilization()
  let busySamples = 0
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    busySamples = utilization > BUSY_SHARE ? busySamples + 1 : 0
    if (busySamples < SAMPLES) return
    clearInterval(timer)
    action()
  }, SAMPLE_MS).unref()
  return () => clearInterval(timer)
}
