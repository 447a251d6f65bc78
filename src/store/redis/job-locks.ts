/** Keeps the locks of the jobs that this process has, and tells who works on one when it is lost: then another process may have it. */
import type { RouteWorker } from './route-queues.ts'

/** A job that this process was given, and the proof of it. */
export interface HeldJob {
  readonly id: string
  readonly token: string
  /** Aborts when the job is no longer ours. */
  readonly lost: AbortSignal
  /** Neither lost nor released. */
  isOurs(): boolean
  /** It was completed or given back. */
  release(): void
}

interface Held {
  readonly token: string
  readonly controller: AbortController
  renewedAtMs: number
}

export class Locks {
  readonly #worker: RouteWorker
  readonly #lockMs: number
  readonly #held = new Map<string, Held>()
  readonly #timer: NodeJS.Timeout

  constructor(worker: RouteWorker, lockMs: number) {
    this.#worker = worker
    this.#lockMs = lockMs
    // Often enough that one failed renewal is not the end of it.
    this.#timer = setInterval(() => void this.#renew(), lockMs / 4).unref()
  }

  hold(id: string, token: string): HeldJob {
    const held: Held = { token, controller: new AbortController(), renewedAtMs: performance.now() }
    this.#held.set(id, held)
    const isOurs = (): boolean => this.#held.get(id) === held
    return {
      id,
      token,
      lost: held.controller.signal,
      isOurs,
      release: () => {
        if (isOurs()) this.#held.delete(id)
      },
    }
  }

  /** Without renewal nothing is ours for long: whoever still works on something is told. */
  stop(): void {
    clearInterval(this.#timer)
    for (const id of this.#held.keys()) this.#lose(id)
  }

  async #renew(): Promise<void> {
    const askedAtMs = performance.now()
    // A renewal that fails because Redis is away may be made up for as long as the lock lasts.
    for (const [id, { renewedAtMs }] of this.#held) if (askedAtMs - renewedAtMs > this.#lockMs) this.#lose(id)
    const ids = [...this.#held.keys()]
    if (ids.length === 0) return
    const lostIds = await this.#extend(ids).catch(() => undefined)
    if (lostIds === undefined) return
    for (const id of ids) {
      const held = this.#held.get(id)
      if (lostIds.includes(id)) this.#lose(id)
      else if (held !== undefined) held.renewedAtMs = askedAtMs
    }
  }

  #lose(id: string): void {
    const held = this.#held.get(id)
    this.#held.delete(id)
    held?.controller.abort()
  }

  #extend(ids: string[]): Promise<string[]> {
    const tokens = ids.map((id) => this.#held.get(id)?.token ?? '')
    return this.#worker.extendJobLocks(ids, tokens, this.#lockMs)
  }
}
