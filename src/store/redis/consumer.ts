/** The consumer of one route: fetches a job only when the gate allows it and there are free slots, hands its deliveries out, and applies their dispositions. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitAtMost } from '../../core/time-limit.ts'
import {
  HANDLER_FAILURE_DELAY_MS,
  MAX_STALLS,
  type Consumer,
  type Disposition,
  type GateState,
  type Handler,
} from '../contract.ts'
import { dispositionOfUnreadable, UNREADABLE_DELAY_MS } from '../expiry.ts'
import { applyDispositions, moveToDeadLetters, splitJob, type DispositionParts } from './apply-dispositions.ts'
import { deadLetterOf, deadLetterOfJob } from './dead-letter.ts'
import { FetchedJob } from './fetched-job.ts'
import { JobLocks } from './job-locks.ts'
import { openRecord, type JobItem } from './job.ts'
import type { RouteWorker } from './route-queues.ts'

export interface ConsumerOptions extends DispositionParts {
  readonly worker: RouteWorker
  readonly lockMs: number
  readonly concurrency: number
  readonly handler: Handler
  readonly onUnreadable: () => void
  readonly onFetchFailed: (error: unknown) => void
  readonly onBug: (error: unknown) => void
  /** Closes the connection on which the worker waits for jobs. */
  readonly disconnect: () => void
  readonly onStopped: () => void
}

const FETCH_FAILED_PAUSE_MS = 200
/** So long may handlers take that were told to abort. */
const ABORT_GRACE_MS = 500

const HOLD: Disposition = { kind: 'hold' }

export class RedisConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #locks: JobLocks
  readonly #running = new Map<FetchedJob, Promise<void>>()
  readonly #loop: Promise<void>
  readonly #stopping = new AbortController()
  /** Aborts the handlers when the grace is over. */
  readonly #abort = new AbortController()
  #gate: GateState = 'open'
  #freeSlots: number
  #changed = Promise.withResolvers<void>()
  #stopped: Promise<void> | undefined

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#freeSlots = options.concurrency
    this.#locks = new JobLocks(options.worker, options.lockMs)
    void options.worker.startStalledCheckTimer()
    this.#loop = this.#fetchJobs()
  }

  setGate(state: GateState): void {
    this.#gate = state
    this.#notify()
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #fetchJobs(): Promise<void> {
    // BullMQ completes a job only on a worker whose connections have been ready once. Rejects when it is stopped before that.
    await this.#options.worker.waitUntilReady().catch(() => {})
    while (!this.#isStopping) {
      await this.#until(() => this.#isStopping || (this.#gate !== 'closed' && this.#freeSlots > 0))
      const job = this.#isStopping ? undefined : await this.#fetch()
      if (job === undefined) continue
      const slots = this.#slotsOf(job)
      await this.#until(() => this.#isStopping || this.#gate === 'closed' || this.#freeSlots >= slots)
      if (this.#isStopping || this.#gate === 'closed') await job.release()
      else this.#start(job, slots)
    }
  }

  async #fetch(): Promise<FetchedJob | undefined> {
    const { worker } = this.#options
    const token = randomUUID()
    try {
      const job = await worker.getNextJob(token)
      return job?.id === undefined ? undefined : new FetchedJob(job.id, job, this.#locks.renew(job.id, token))
    } catch (error) {
      this.#options.onFetchFailed(error)
      await sleep(FETCH_FAILED_PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {})
      return undefined
    }
  }

  /** A job of more deliveries than may be in flight takes all slots, and is handed out in slices. */
  #slotsOf({ record }: FetchedJob): number {
    return Math.min(record?.count ?? 1, this.#options.concurrency)
  }

  #start(job: FetchedJob, slots: number): void {
    const isProbe = this.#gate === 'one'
    if (isProbe) this.#gate = 'closed'
    this.#freeSlots -= slots
    const running = this.#run(job, isProbe).finally(() => {
      this.#freeSlots += slots
      this.#running.delete(job)
      this.#notify()
    })
    this.#running.set(job, running)
  }

  async #run(job: FetchedJob, isProbe: boolean): Promise<void> {
    const { keyring, route } = this.#options
    try {
      const items = openRecord(keyring, route, job.id, job.record)
      if (items !== undefined && job.stalls < MAX_STALLS)
        await applyDispositions(this.#options, job, items, await this.#handOut(items, job.lost, isProbe))
      else {
        await (items === undefined ? this.#keepUnreadable(job) : this.#giveUpBatch(job, items))
        // The handler was given nothing, so the next job is the probe.
        if (isProbe && this.#gate === 'closed') this.setGate('one')
      }
    } catch (error) {
      this.#options.onBug(error)
      await job.delay(HANDLER_FAILURE_DELAY_MS)
    }
  }

  async #handOut(items: readonly JobItem[], lost: AbortSignal, isProbe: boolean): Promise<readonly Disposition[]> {
    const { handler, concurrency } = this.#options
    const signal = AbortSignal.any([lost, this.#abort.signal])
    const dispositions: Disposition[] = []
    while (dispositions.length < items.length) {
      const isFirst = dispositions.length === 0
      if (!isFirst && (this.#isStopping || this.#gate !== 'open')) dispositions.push(HOLD)
      else {
        const start = dispositions.length
        const slice = items.slice(start, start + (isFirst && isProbe ? 1 : concurrency))
        dispositions.push(...(await Promise.all(slice.map((item) => handler(item, signal)))))
      }
    }
    return dispositions
  }

  /** Too many processes have died with it. */
  #giveUpBatch(job: FetchedJob, items: readonly JobItem[]): Promise<void> {
    const [only] = items
    return items.length === 1 && only !== undefined
      ? moveToDeadLetters(this.#options, job, deadLetterOf(this.#options.keyring, only, 'stalled'))
      : splitJob(this.#options, job, items)
  }

  async #keepUnreadable(job: FetchedJob): Promise<void> {
    const { onUnreadable, nowMs } = this.#options
    onUnreadable()
    const { id, record } = job
    const disposition = dispositionOfUnreadable(record?.expiresAtMs ?? Infinity, nowMs())
    if (record !== undefined && disposition.kind === 'dead-letter')
      await moveToDeadLetters(this.#options, job, deadLetterOfJob(id, record, disposition.reason))
    else await job.delay(UNREADABLE_DELAY_MS)
  }

  async #stop(graceMs: number): Promise<void> {
    const { worker, disconnect, onStopped } = this.#options
    this.#stopping.abort()
    this.#notify()
    // In this order: a worker that is not closing reconnects.
    await worker.close(true)
    disconnect()
    await this.#waitForRunning(graceMs)
    if (this.#running.size > 0) {
      this.#abort.abort()
      await this.#waitForRunning(ABORT_GRACE_MS)
    }
    const released = [...this.#running.keys()].map((job) => job.release())
    await waitAtMost(ABORT_GRACE_MS, Promise.all([this.#loop, ...released]))
    this.#locks.stop()
    onStopped()
  }

  #waitForRunning(limitMs: number): Promise<void> {
    return waitAtMost(limitMs, Promise.all(this.#running.values()))
  }

  get #isStopping(): boolean {
    return this.#stopping.signal.aborted
  }

  async #until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.#changed.promise
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
