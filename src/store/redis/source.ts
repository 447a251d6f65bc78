/** One shard as a consumer sees it: fetches its jobs for as long as there are some and the route may hand them out; then it rests until somebody wakes it. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Alarm } from '../../core/alarm.ts'
import type { Allowance } from './allowance.ts'
import { FetchedJob } from './fetched-job.ts'
import { JobLocks } from './job-locks.ts'
import type { Shard } from './shard.ts'
import type { ShardWorker } from './shard-queues.ts'

export interface SourceOptions {
  readonly shard: Shard
  readonly allowance: Allowance
  readonly lockMs: number
  readonly nowMs: () => number
  /** Throws when Redis is not connected. */
  readonly createWorker: (shard: Shard) => ShardWorker
  /** Of a job that may be handed out: takes its slots. */
  readonly onJob: (job: FetchedJob, source: Source) => void
  /** How many shards share the slots. */
  readonly shardCount: () => number
  /** How many slots a job takes. */
  readonly slotsOf: (job: FetchedJob) => number
  readonly onReleased: (shard: Shard) => void
  readonly onFetchFailed: (error: unknown) => void
  /** Nothing is fetched before. */
  readonly until: Promise<unknown> | undefined
}

const FETCH_FAILED_PAUSE_MS = 200
const PROMOTED_AT_ONCE = 100
const MOST_AT_ONCE = 4

export class Source {
  readonly shard: Shard
  readonly #options: SourceOptions
  readonly #stopping = new AbortController()
  #worker: ShardWorker | undefined
  #locks: JobLocks | undefined
  /** There may be something to fetch. */
  #isWanted = false
  #running: Promise<void> | undefined
  /** In a row, that found as many jobs as were asked for. */
  #fullRounds = 0
  readonly #alarm: Alarm

  constructor(options: SourceOptions) {
    this.#options = options
    this.#alarm = new Alarm(options.nowMs, () => this.wake())
    this.shard = options.shard
  }

  /** There may be something to fetch. */
  wake(): void {
    this.#isWanted = true
    this.#running ??= this.#fetchJobs()
  }

  /** There will be something to fetch. */
  wakeAt(atMs: number): void {
    this.#alarm.set(atMs)
  }

  /** Jobs with which a process died can be fetched again; also wakes. */
  async recover(): Promise<void> {
    await this.#open().getBackend().moveStalledJobsToWait()
    this.wake()
  }

  /** These need not be delayed any longer. What is not any more is left as it is; what cannot be promoted now leaves at its time. */
  async promote(jobIds: readonly string[]): Promise<void> {
    for (let start = 0; start < jobIds.length && !this.#isStopping; start += PROMOTED_AT_ONCE) {
      const some = jobIds.slice(start, start + PROMOTED_AT_ONCE)
      await Promise.allSettled(some.map(async (jobId) => this.#open().getBackend().promote(jobId)))
      this.wake()
    }
  }

  /** Fetches nothing any more. Resolves when what is under way is. */
  async stop(): Promise<void> {
    this.#alarm.clear()
    this.#stopping.abort()
    await this.#running
  }

  /** The jobs that are still locked are taken to be lost. */
  async close(): Promise<void> {
    this.#locks?.stop()
    await this.#worker?.close(true)
  }

  async #fetchJobs(): Promise<void> {
    await this.#options.until
    while (this.#isWanted && !this.#isStopping) {
      if (this.#options.allowance.isOpen) await this.#fetchSome()
      else await this.#options.allowance.change
    }
    // In the same step in which it is seen that nobody wants more: who wakes it after that starts it again.
    this.#running = undefined
  }

  /** One after the other, with a turn of the event loop for each, they would fall behind what is stored meanwhile. So where there were more, more are asked for. */
  async #fetchSome(): Promise<void> {
    const { allowance, shardCount } = this.#options
    this.#isWanted = false
    const asked = Math.min(Math.max(1, this.#fullRounds), MOST_AT_ONCE, allowance.batchesFor(shardCount()))
    const fetched = await Promise.all(Array.from({ length: asked }, () => this.#fetch()))
    const found = fetched.filter((job) => job instanceof FetchedJob)
    const hasFailed = fetched.includes('failed')
    this.#fullRounds = found.length === asked ? this.#fullRounds + 1 : 0
    if (found.length > 0 || hasFailed) this.#isWanted = true
    await this.#handOn(found)
    if (hasFailed) await sleep(FETCH_FAILED_PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {})
  }

  /** In their order. Where one cannot be handed out now, those behind it go back, the last first, so that they come in the same order again. */
  async #handOn(jobs: readonly FetchedJob[]): Promise<void> {
    const { allowance, onJob, slotsOf } = this.#options
    for (const [index, job] of jobs.entries()) {
      if (this.#isClosed || allowance.mustWaitFor(slotsOf(job))) {
        for (const later of jobs.slice(index + 1).toReversed()) await later.release()
        while (allowance.mustWaitFor(slotsOf(job))) await allowance.change
        if (this.#isClosed) await job.release()
        else onJob(job, this)
        return
      }
      onJob(job, this)
    }
  }

  get #isClosed(): boolean {
    return this.#isStopping || this.#options.allowance.gate === 'closed'
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted || this.#options.allowance.isStopping
  }

  /** Undefined: there is none. */
  async #fetch(): Promise<FetchedJob | 'failed' | undefined> {
    const { shard, onReleased, onFetchFailed } = this.#options
    const token = randomUUID()
    try {
      const worker = this.#open()
      const job = await worker.getNextJob(token, { block: false })
      const { nextDueMs } = worker.getBackend()
      if (nextDueMs > 0) this.wakeAt(nextDueMs)
      if (job?.id === undefined) return undefined
      this.#locks ??= new JobLocks(worker, this.#options.lockMs)
      return new FetchedJob(job.id, job, this.#locks.renew(job.id, token), () => onReleased(shard))
    } catch (error) {
      onFetchFailed(error)
      return 'failed'
    }
  }

  #open(): ShardWorker {
    this.#worker ??= this.#options.createWorker(this.shard)
    return this.#worker
  }
}
