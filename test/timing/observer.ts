/**
 * The strongest observer that we could think of: a push service that sees each wake-up, knows the gateway's settings and how busy devices are,
 * and knows exactly when the suspect sent something. It asks of each device how much likelier what it saw is if that device is a receiver.
 */
import type { Timing } from '../../src/core/timing.ts'
import { UNDERWAY_MS } from './world.ts'

export interface Knowledge {
  readonly timing: Timing
  readonly sendsMs: readonly number[]
  /** Of one device, with what else it gets. */
  readonly pushesPerMs: number
}

/** When a wake-up shows if it is of this message, and the time in which a push of somebody else would have shown there too. */
interface Expected {
  readonly fromMs: number
  readonly toMs: number
  readonly confusedMs: number
}

/** log P(seen | is a receiver) / P(seen | is not), after each message until it is ruled out. */
export function suspicions(wakeUpsMs: readonly number[], { timing, sendsMs, pushesPerMs }: Knowledge): number[] {
  const seenMs = wakeUpsMs.map((atMs) => shownAs(atMs, timing))
  const explained = new Set<number>()
  const after: number[] = []
  for (const sendMs of sendsMs) {
    const expected = expectedFor(sendMs, seenMs, timing)
    const found = expected === undefined ? [] : indexesWithin(seenMs, expected)
    if (expected === undefined || found.length === 0) break
    const open = found.filter((index) => !explained.has(index))
    const [first] = open
    if (first !== undefined) {
      explained.add(first)
      // Exact for Poisson traffic: P(n - 1 of others) / P(n of others) = n / mean.
      const gained = Math.log(open.length / (pushesPerMs * expected.confusedMs))
      after.push((after.at(-1) ?? 0) + gained)
    } else if (timing.coalesceMs === undefined) {
      break
    } else {
      // One wake-up stands for several messages: this one tells nothing new.
      after.push(after.at(-1) ?? 0)
    }
  }
  return after
}

function indexesWithin(seenMs: readonly number[], { fromMs, toMs }: Expected): number[] {
  const found: number[] = []
  for (const [index, atMs] of seenMs.entries()) if (atMs >= fromMs && atMs <= toMs) found.push(index)
  return found
}

/** The tick is all that a shuffled release shows. */
function shownAs(atMs: number, { releaseEveryMs }: Timing): number {
  return releaseEveryMs === undefined ? atMs : Math.floor(atMs / releaseEveryMs) * releaseEveryMs
}

/** Undefined: no wake-up of this device can be of that message. */
function expectedFor(
  sendMs: number,
  seenMs: readonly number[],
  { coalesceMs, releaseEveryMs }: Timing,
): Expected | undefined {
  const tickMs = releaseEveryMs ?? 0
  const tickOf = (atMs: number) => (tickMs === 0 ? atMs : Math.ceil(atMs / tickMs) * tickMs)
  const atOnce = { fromMs: tickOf(sendMs + UNDERWAY_MS.least), toMs: tickOf(sendMs + UNDERWAY_MS.most) }
  if (coalesceMs === undefined || seenMs.some((atMs) => atMs >= atOnce.fromMs && atMs <= atOnce.toMs))
    return { ...atOnce, confusedMs: atOnce.toMs - atOnce.fromMs + tickMs }
  // Not at once: then it is the trailing one of a window that the last wake-up before has opened, up to a tick before it was seen.
  const last = seenMs.findLast((atMs) => atMs < atOnce.fromMs)
  if (last === undefined || last < tickOf(sendMs + UNDERWAY_MS.least - coalesceMs)) return undefined
  const fromMs = Math.max(atOnce.fromMs, tickOf(last - tickMs + coalesceMs))
  const toMs = tickOf(last + coalesceMs)
  return { fromMs, toMs, confusedMs: Math.max(coalesceMs, toMs - fromMs + tickMs) }
}
