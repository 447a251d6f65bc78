/** A job that this process has fetched from BullMQ and holds the lock on. */
import type { Job } from 'bullmq'
import type { JobLock } from './job-locks.ts'
import { readRecord, type JobRecord } from './job.ts'
import { FOLLOWED } from './store-once.ts'

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000

export class FetchedJob {
  readonly id: string
  /** How often a process died that had fetched it. */
  readonly stalls: number
  /** Undefined when a newer Hushgate (or somebody else) wrote it. */
  readonly record: JobRecord | undefined
  /** When it was fetched, it bore the mark that all of it is done or goes on in what follows (store-once.ts). */
  readonly isFollowed: boolean
  readonly #job: Job<JobRecord, null>
  readonly #lock: JobLock
  readonly #onReleased: () => void

  /** `onReleased`: the next consumer may fetch it at once. */
  constructor(id: string, job: Job<JobRecord, null>, lock: JobLock, onReleased: () => void) {
    this.id = id
    this.stalls = job.stalledCounter
    this.record = readRecord(job.data)
    this.isFollowed = job.progress === FOLLOWED
    this.#job = job
    this.#lock = lock
    this.#onReleased = onReleased
  }

  /** Of the lock on it. */
  get token(): string {
    return this.#lock.token
  }

  /** Aborts when another process may have the job. */
  get lost(): AbortSignal {
    return this.#lock.lost
  }

  /** The next consumer that fetches is given it. `beside`: as of `complete`. */
  async release(beside?: () => Promise<unknown>): Promise<void> {
    await this.retryUntilStored(() => {
      beside?.().catch(() => {})
      return this.#job.moveToWait(this.#lock.token)
    })
    this.#lock.release()
    this.#onReleased()
  }

  async delay(delayMs: number): Promise<void> {
    await this.retryUntilStored(() => this.#job.moveToDelayed(Date.now() + delayMs, this.#lock.token))
    this.#lock.release()
  }

  /** Is known to have been put aside after so many stalls, and can be fetched again when the pause is over. */
  async putAside(pauseMs: number): Promise<void> {
    const { record } = this
    if (record !== undefined)
      await this.retryUntilStored(() => this.#job.updateData({ ...record, putAsideAfter: this.stalls }))
    await this.delay(pauseMs)
  }

  /** `beside`: is sent before it in the same step, so that both take one round trip. Nothing waits for it, and what becomes of it changes nothing. */
  async complete(beside?: () => Promise<unknown>): Promise<void> {
    await this.retryUntilStored(() => {
      beside?.().catch(() => {})
      return this.#job.moveToCompleted(null, this.#lock.token, false)
    })
    this.#lock.release()
  }

  /**
   * Repeats the write until it succeeds, and resolves with what that resolved with; with undefined where the lock is lost: then the consumer that fetches the job next
   * does all of it again.
   */
  async retryUntilStored<T>(write: () => Promise<T>): Promise<T | undefined> {
    for (let pauseMs = FIRST_PAUSE_MS; this.#lock.isOurs(); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
      try {
        return await write()
      } catch (error) {
        if (isNotOurs(error)) return undefined
      }
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
    return undefined
  }
}

/** BullMQ's scripts return a negative code when the job is gone, or its lock has another token (bullmq/dist/esm/enums/error-code.js). */
function isNotOurs(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}
