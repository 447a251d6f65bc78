/**
 * The work for requests with many devices: one request at a time, in slices of time with rests between them. So however many such requests come, everybody
 * else is served between the slices, and half of the time is left to them.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { StoreUnavailableError } from '../core/errors.ts'

const SLICE_MS = 4
/** A rest is as long as the slice before it; but one that had to wait for the store took none of our time. */
const LONGEST_REST_MS = 20
/** Who waits longer than that is answered 503 anyway. */
const MAX_WAITING = 50

export class Slices {
  readonly #waiting: (() => void)[] = []
  #isTaken = false
  #beganMs = 0

  /**
   * Calls `work` when it is its turn; it is to call `rest` often. One request is finished before the next begins: were they all to go on together, none
   * would be done in time. Rejects with StoreUnavailableError when too many wait.
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

  /** Does nothing while the slice lasts. */
  async rest(): Promise<void> {
    const tookMs = performance.now() - this.#beganMs
    if (tookMs < SLICE_MS) return
    await restAfter(tookMs)
    this.#beganMs = performance.now()
  }

  async #next(): Promise<void> {
    await restAfter(performance.now() - this.#beganMs)
    const next = this.#waiting.shift()
    if (next === undefined) this.#isTaken = false
    else next()
  }
}

function restAfter(tookMs: number): Promise<void> {
  return sleep(Math.min(tookMs, LONGEST_REST_MS), undefined, { ref: false })
}
