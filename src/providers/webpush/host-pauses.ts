/** Leaves a host alone that cannot be reached, so that its pushes do not each wait for it and hold up those of other hosts. */

/** Failures in a row after which a host is left alone. */
const FAILURES = 3
const PAUSE_MS = 30_000
/** For one request that sees whether the host is back, while the others go on waiting. */
const PROBE_MS = 10_000
/** More hosts than that are forgotten, the oldest first: strangers name them. */
const MAX_HOSTS = 10_000

interface Trouble {
  readonly failures: number
  pausedUntilMs: number
  readonly last: object
}

export class HostPauses {
  readonly #nowMs: () => number
  readonly #hosts = new Map<string, Trouble>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** How long the host is still left alone; 0: it may be tried, and `answered` or `lost` must be told how that went. */
  pauseMs(host: string): number {
    const trouble = this.#hosts.get(host)
    if (trouble === undefined || trouble.failures < FAILURES) return 0
    const pauseMs = trouble.pausedUntilMs - this.#nowMs()
    if (pauseMs > 0) return pauseMs
    trouble.pausedUntilMs = this.#nowMs() + PROBE_MS
    return 0
  }

  answered(host: string): void {
    this.#hosts.delete(host)
  }

  /** `loss`: what happened. Many pushes may wait for one connection, and when it does not come about, all have lost the same: that is one failure. */
  lost(host: string, loss: object): void {
    const { failures = 0, last } = this.#hosts.get(host) ?? {}
    if (last === loss) return
    this.#hosts.delete(host)
    this.#hosts.set(host, { failures: failures + 1, pausedUntilMs: this.#nowMs() + PAUSE_MS, last: loss })
    const [oldest] = this.#hosts.keys()
    if (this.#hosts.size > MAX_HOSTS && oldest !== undefined) this.#hosts.delete(oldest)
  }
}
