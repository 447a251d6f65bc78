/**
 * Loaded into the gateway before anything else (--import): prints as lines of its log how long its main thread let everybody wait, and the most memory
 * that it has had. What the thread waited for a processor is not its own doing, so it is told apart (Linux, schedstat in /proc/self/task). Nor is what it slept
 * while another thread of the process had none: it waits for the helpers of the collector of garbage, and for whoever holds a lock of the allocator.
 */
import { openSync, readdirSync, readSync } from 'node:fs'
import { isMainThread } from 'node:worker_threads'

const TICK_MS = 5
/** Shorter ones are not worth a line. */
const TOLD_FROM_MS = 15
const REPORT_MS = 1000

/** Since a thread began, in milliseconds: on a processor, and until one was free for it. */
interface Scheduled {
  readonly ranMs: number
  readonly waitedMs: number
}

const NEVER: Scheduled = { ranMs: 0, waitedMs: 0 }
const text = Buffer.alloc(64)
/** The open files of all threads but the main one, by their ids. */
const others = new Map<string, number>()
const mainFile = openSync('/proc/self/schedstat', 'r')

function scheduled(file: number): Scheduled {
  try {
    const [ranNs, waitedNs] = text.toString('latin1', 0, readSync(file, text, 0, text.length, 0)).split(' ')
    return { ranMs: Number(ranNs) / 1e6, waitedMs: Number(waitedNs) / 1e6 }
  } catch {
    // It has ended.
    return NEVER
  }
}

function findThreads(): void {
  for (const id of readdirSync('/proc/self/task'))
    if (id !== String(process.pid) && !others.has(id)) others.set(id, openSync(`/proc/self/task/${id}/schedstat`, 'r'))
}

/** Of all threads but the main one, together. */
function waitedOfOthersMs(): number {
  return [...others.values()].reduce((sum, file) => sum + scheduled(file).waitedMs, 0)
}

function watch(): void {
  findThreads()
  let lastMs = performance.now()
  let before = { main: scheduled(mainFile), othersMs: waitedOfOthersMs() }
  let stalls: { readonly atMs: number; readonly ms: number; readonly ranMs: number; readonly waitedMs: number }[] = []
  const tell = (): void => {
    findThreads()
    before = { ...before, othersMs: waitedOfOthersMs() }
    const peakRssBytes = process.resourceUsage().maxRSS * 1024
    process.stdout.write(
      `${JSON.stringify({ msg: 'Watched', peakRssBytes, rssBytes: process.memoryUsage.rss(), stalls })}\n`,
    )
    stalls = []
  }
  setInterval(() => {
    const nowMs = performance.now()
    const now = { main: scheduled(mainFile), othersMs: waitedOfOthersMs() }
    const ms = nowMs - lastMs - TICK_MS
    const ranMs = now.main.ranMs - before.main.ranMs
    const ownWaitMs = now.main.waitedMs - before.main.waitedMs
    const sleptMs = Math.max(0, ms - ranMs - ownWaitMs)
    const waitedMs = ownWaitMs + Math.min(sleptMs, now.othersMs - before.othersMs)
    if (ms > TOLD_FROM_MS) stalls.push({ atMs: Date.now(), ms, ranMs, waitedMs })
    lastMs = nowMs
    before = now
  }, TICK_MS).unref()
  setInterval(tell, REPORT_MS).unref()
}

if (isMainThread) watch()
