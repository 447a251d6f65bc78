/**
 * The work for requests with many devices: one request at a time, in slices of time with rests between them. So however many such requests come, everybody
 * else is served between the slices, and half of the time is left to them, or three quarters where they need it.
 */
import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailableError } from '../core/errors.ts'

const SLICE_MS = 2
/** A rest is as long as the slice before it, and lasts until this thread has had nothing to do for as long; but no longer than three such slices. */
const MOST_REST = 3
/** One that had to wait for the store took none of our time. */
const LONGEST_REST_MS = 20
const LOOK_EVERY_MS = 1
/** Who waits longer than that is answered 503 anyway. */
const MAX_WAITING = 50

export class Slices {
  readonly #waiting: (() => void)[] = []
  #isTaken = false
  #beganMs = 0

  /**
   * Calls `work` when it is its turn; it is to call `rest` whenever `isOver`. One request is finished before the next begins: were they all to go on together,
   * none would be done in time. Rejects with StoreUnavailableError when too many wait.
   */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#waiting.length >= MAX_WAITING)
      throw new StoreUnavailableError('too many requests for many devices at once')
    if (this.#isTaken) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    this.#isTaken = true
    this.#beganMs = performance.now()
    try {
      return await work()
    } finally {
      void this.#next()
    }
  }

  /** Whether the slice has lasted. */
  get isOver(): boolean {
    return this.#tookMs() >= SLICE_MS
  }

  /** Resolves with what was begun in the slice when that is done, and after a rest. */
  async rest<Result>(begun: Promise<Result>): Promise<Result> {
    const [result] = await Promise.all([begun, restAfter(this.#tookMs())])
    this.#beganMs = performance.now()
    return result
  }

  async #next(): Promise<void> {
    await restAfter(this.#tookMs())
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else next()
  }

  #tookMs(): number {
    return performance.now() - this.#beganMs
  }
}

async function restAfter(tookMs: number): Promise<void> {
  const restMs = Math.min(tookMs, LONGEST_REST_MS)
  const idleBeforeMs = idleMs()
  const endMs = performance.now() + Math.min(MOST_REST * tookMs, LONGEST_REST_MS)
  await sleep(restMs, undefined, { ref: false })
  // What came of the slice, and what others asked for meanwhile, is done first.
  while (idleMs() - idleBeforeMs < restMs && performance.now() < endMs)
    await sleep(LOOK_EVERY_MS, undefined, { ref: false })
}

/** How long this thread has waited for something to do, since it began. */
function idleMs(): number {
  return performance.eventLoopUtilization().idle
}
