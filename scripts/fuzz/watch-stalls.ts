/**
 * Loaded into the gateway before anything else (--import): prints as lines of its log how long its main thread let everybody wait, and the most memory
 * that it has had. The time that a thread waits until a processor is free for it is not its own doing, so it is told apart (Linux, /proc/self/schedstat).
 */
import { readFileSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const TICK_MS = 5
/** Shorter ones are not worth a line. */
const TOLD_FROM_MS = 15
const REPORT_MS = 1000

function waitedMs(): number {
  return Number(readFileSync('/proc/self/schedstat', 'utf8').split(' ')[1]) / 1e6
}

function watch(): void {
  let lastMs = performance.now()
  let waitedBeforeMs = waitedMs()
  let stalls: { readonly atMs: number; readonly ms: number; readonly waitedMs: number }[] = []
  const tell = (): void => {
    const peakRssBytes = process.resourceUsage().maxRSS * 1024
    process.stdout.write(
      `${JSON.stringify({ msg: 'Watched', peakRssBytes, rssBytes: process.memoryUsage.rss(), stalls })}\n`,
    )
    stalls = []
  }
  setInterval(() => {
    const nowMs = performance.now()
    const waited = waitedMs()
    const ms = nowMs - lastMs - TICK_MS
    if (ms > TOLD_FROM_MS) stalls.push({ atMs: Date.now(), ms, waitedMs: waited - waitedBeforeMs })
    lastMs = nowMs
    waitedBeforeMs = waited
  }, TICK_MS).unref()
  setInterval(tell, REPORT_MS).unref()
}

if (isMainThread) watch()
