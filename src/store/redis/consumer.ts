/** Hands one route's jobs to its handler: takes a job only when there is room for its deliveries and the gate allows, keeps its lock, settles it. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitAtMost } from '../../core/time-limit.ts'
import { MAX_STALLS, type Consumption, type Disposition, type GateState, type Handler } from '../contract.ts'
import type { RouteWorker } from './route-queues.ts'
import { openRecord, readRecord, type Item, type JobRecord } from './job.ts'
import { Locks, type HeldJob } from './job-locks.ts'
import {
  buryWhole,
  giveBack,
  letterOf,
  putOff,
  settle,
  split,
  unreadableLetter,
  type SettleOptions,
  type StoredJob,
} from './apply-dispositions.ts'

export interface ConsumptionOptions extends SettleOptions {
  readonly worker: RouteWorker
  readonly lockMs: number
  readonly concurrency: number
  readonly handler: Handler
  readonly onUnreadable: () => void
  readonly onFetchFailed: (error: unknown) => void
  readonly onBug: (error: unknown) => void
  /** Cuts the connection on which the worker waits for jobs. */
  readonly disconnect: () => void
}

interface Taken {
  readonly job: StoredJob
  readonly held: HeldJob
  /** Undefined when it cannot be read at all. */
  readonly record: JobRecord | undefined
}

/** A job that cannot be opened waits for its key for so long at a time. */
const UNREADABLE_DELAY_MS = 60_000
const FETCH_FAILED_PAUSE_MS = 200
/** After the grace: how long handlers that were told to stop have for saying what they did. */
const LAST_WORDS_MS = 500

const HOLD: Disposition = { kind: 'hold' }

export class RedisConsumption implements Consumption {
  readonly #options: ConsumptionOptions
  readonly #locks: Locks
  readonly #running = new Map<Taken, Promise<void>>()
  readonly #loop: Promise<void>
  readonly #stopping = new AbortController()
  /** Aborts when the handlers' time is over. */
  readonly #over = new AbortController()
  #gate: GateState = 'open'
  #free: number
  #changed = Promise.withResolvers<void>()
  #stopped: Promise<void> | undefined

  constructor(options: ConsumptionOptions) {
    this.#options = options
    this.#free = options.concurrency
    this.#locks = new Locks(options.worker, options.lockMs)
    void options.worker.startStalledCheckTimer()
    this.#loop = this.#takeJobs()
  }

  setGate(state: GateState): void {
    this.#gate = state
    this.#notify()
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  async #takeJobs(): Promise<void> {
    // BullMQ completes a job only on a worker whose connections have been ready once. Rejects when it is stopped before that.
    await this.#options.worker.waitUntilReady().catch(() => {})
    while (!this.#isStopping) {
      await this.#until(() => this.#isStopping || (this.#gate !== 'closed' && this.#free > 0))
      const taken = this.#isStopping ? undefined : await this.#take()
      if (taken === undefined) continue
      const weight = this.#weightOf(taken)
      await this.#until(() => this.#isStopping || this.#gate === 'closed' || this.#free >= weight)
      if (this.#isStopping || this.#gate === 'closed') {
        await giveBack(taken.job, taken.held)
        continue
      }
      const isProbe = this.#gate === 'one'
      if (isProbe) this.#gate = 'closed'
      this.#free -= weight
      const running = this.#run(taken, isProbe).finally(() => {
        this.#free += weight
        this.#running.delete(taken)
        this.#notify()
      })
      this.#running.set(taken, running)
    }
  }

  async #take(): Promise<Taken | undefined> {
    const { worker } = this.#options
    const token = randomUUID()
    try {
      const job = await worker.getNextJob(token)
      if (job?.id === undefined) return undefined
      return { job, held: this.#locks.hold(job.id, token), record: readRecord(job.data) }
    } catch (error) {
      this.#options.onFetchFailed(error)
      await sleep(FETCH_FAILED_PAUSE_MS, undefined, { signal: this.#stopping.signal }).catch(() => {})
      return undefined
    }
  }

  /** More deliveries than may be in flight at once go in slices, and take all the room there is. */
  #weightOf({ record }: Taken): number {
    return Math.min(record?.count ?? 1, this.#options.concurrency)
  }

  async #run({ job, held, record }: Taken, isProbe: boolean): Promise<void> {
    try {
      const items = this.#open(job, record)
      if (items === undefined) await this.#keepUnreadable(job, held, record, isProbe)
      else if (job.stalledCounter >= MAX_STALLS) await this.#afterStalls(job, held, items, isProbe)
      else await settle(this.#options, job, held, items, await this.#handOut(items, held, isProbe))
    } catch (error) {
      this.#options.onBug(error)
      await putOff(job, held, UNREADABLE_DELAY_MS)
    }
  }

  #open(job: StoredJob, record: JobRecord | undefined): readonly Item[] | undefined {
    const { keyring, route } = this.#options
    return record === undefined || job.id === undefined ? undefined : openRecord(keyring, route, job.id, record)
  }

  async #handOut(items: readonly Item[], held: HeldJob, isProbe: boolean): Promise<readonly Disposition[]> {
    const { handler, concurrency } = this.#options
    const signal = AbortSignal.any([held.lost, this.#over.signal])
    const dispositions: Disposition[] = []
    while (dispositions.length < items.length) {
      const isFirst = dispositions.length === 0
      if (!isFirst && (this.#isStopping || this.#gate !== 'open')) dispositions.push(HOLD)
      else {
        const start = dispositions.length
        const slice = items.slice(start, start + (isFirst && isProbe ? 1 : concurrency))
        const results = await handler(slice, signal)
        if (results.length !== slice.length) throw new TypeError('a handler says what becomes of each delivery')
        dispositions.push(...results)
      }
    }
    return dispositions
  }

  async #afterStalls(job: StoredJob, held: HeldJob, items: readonly Item[], isProbe: boolean): Promise<void> {
    const [only] = items
    if (items.length === 1 && only !== undefined)
      await buryWhole(this.#options, job, held, letterOf(this.#options, only, 'stalled'))
    else await split(this.#options, job, held, items)
    this.#askAgain(isProbe)
  }

  async #keepUnreadable(job: StoredJob, held: HeldJob, record: JobRecord | undefined, isProbe: boolean): Promise<void> {
    this.#options.onUnreadable()
    if (record === undefined || this.#options.nowMs() < record.expiresAtMs) await putOff(job, held, UNREADABLE_DELAY_MS)
    else await buryWhole(this.#options, job, held, unreadableLetter(held.id, record))
    this.#askAgain(isProbe)
  }

  /** The one that was asked for did not come to the handler: the next one does. */
  #askAgain(isProbe: boolean): void {
    if (isProbe && this.#gate === 'closed') this.setGate('one')
  }

  async #stop(graceMs: number): Promise<void> {
    const { worker, disconnect } = this.#options
    this.#stopping.abort()
    this.#notify()
    // In this order: a worker that is not closing reconnects.
    await worker.close(true)
    disconnect()
    await this.#allSettledWithin(graceMs)
    if (this.#running.size > 0) {
      this.#over.abort()
      await this.#allSettledWithin(LAST_WORDS_MS)
    }
    const rest = [...this.#running.keys()]
    await waitAtMost(LAST_WORDS_MS, Promise.all([this.#loop, ...rest.map(({ job, held }) => giveBack(job, held))]))
    this.#locks.stop()
  }

  #allSettledWithin(timeoutMs: number): Promise<void> {
    return waitAtMost(timeoutMs, Promise.all(this.#running.values()))
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
