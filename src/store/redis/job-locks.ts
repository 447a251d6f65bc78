/** Renews the locks on the jobs that this process has fetched, and tells who works on a job when its lock is lost: then another process may have the job. */
import type { ShardWorker } from './shard-queues.ts'

/** The lock that BullMQ gave us with a job. */
export interface JobLock {
  /** Proves to BullMQ that the lock is ours. */
  readonly token: string
  /** Aborts when the lock is lost. */
  readonly lost: AbortSignal
  /** Neither lost nor released. */
  isOurs(): boolean
  /** The job was completed, delayed or released: the lock is not renewed any more. */
  release(): void
}

interface Renewal {
  readonly token: string
  readonly controller: AbortController
  renewedAtMs: number
}

export class JobLocks {
  readonly #worker: ShardWorker
  readonly #lockMs: number
  readonly #renewals = new Map<string, Renewal>()
  /** Absent while there is nothing to renew. */
  #timer: NodeJS.Timeout | undefined

  constructor(worker: ShardWorker, lockMs: number) {
    this.#worker = worker
    this.#lockMs = lockMs
  }

  /** Of a job that was just fetched. */
  renew(jobId: string, token: string): JobLock {
    const renewal: Renewal = { token, controller: new AbortController(), renewedAtMs: performance.now() }
    // Fetched again, so the lock that this process had on it is lost, before a renewal could find out.
    this.#lose(jobId)
    this.#renewals.set(jobId, renewal)
    // Often enough that one renewal may fail.
    this.#timer ??= setInterval(() => void this.#renewAll(), this.#lockMs / 4).unref()
    const isOurs = (): boolean => this.#renewals.get(jobId) === renewal
    return {
      token,
      lost: renewal.controller.signal,
      isOurs,
      release: () => {
        if (isOurs()) this.#renewals.delete(jobId)
      },
    }
  }

  /** Without renewal every lock is lost soon, so whoever still works on a job is told now. */
  stop(): void {
    this.#rest()
    for (const jobId of this.#renewals.keys()) this.#lose(jobId)
  }

  async #renewAll(): Promise<void> {
    const askedAtMs = performance.now()
    // While Redis is away, renewals may fail for as long as a lock lasts.
    for (const [jobId, { renewedAtMs }] of this.#renewals) if (askedAtMs - renewedAtMs > this.#lockMs) this.#lose(jobId)
    const jobIds = [...this.#renewals.keys()]
    if (jobIds.length === 0) return this.#rest()
    const lostIds = await this.#extend(jobIds).catch(() => undefined)
    if (lostIds === undefined) return
    for (const jobId of jobIds) {
      const renewal = this.#renewals.get(jobId)
      if (lostIds.includes(jobId)) this.#lose(jobId)
      else if (renewal !== undefined) renewal.renewedAtMs = askedAtMs
    }
  }

  #rest(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #lose(jobId: string): void {
    const renewal = this.#renewals.get(jobId)
    this.#renewals.delete(jobId)
    renewal?.controller.abort()
  }

  /** Resolves with the ids of the jobs whose locks are lost. */
  #extend(jobIds: string[]): Promise<string[]> {
    const tokens = jobIds.map((jobId) => this.#renewals.get(jobId)?.token ?? '')
    return this.#worker.extendJobLocks(jobIds, tokens, this.#lockMs)
  }
}
