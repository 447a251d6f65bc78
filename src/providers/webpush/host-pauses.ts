/** Leaves a host alone that cannot be reached, or does not answer, so that its pushes do not each wait for it and hold up those of other hosts. */

/** Failures in a row after which a host is left alone. */
const FAILURES = 3
const PAUSE_MS = 30_000
/** For one request that sees whether the host is back, while the others go on waiting. */
const PROBE_MS = 10_000
/** More hosts than that are forgotten, the oldest first: strangers name them. */
const MAX_HOSTS = 10_000

/** So many pushes may wait for this long for a host's answers; then it gets no more until some are there. */
const MAX_SLOW = 20
const SLOW_MS = 2000

/** A push on its way to a host. */
interface UnderWay {
  readonly sinceMs: number
}

interface Trouble {
  readonly failures: number
  pausedUntilMs: number
  readonly last: object
}

export class HostPauses {
  readonly #nowMs: () => number
  readonly #hosts = new Map<string, Trouble>()
  /** In the order in which they began. */
  readonly #underWay = new Map<string, Set<UnderWay>>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** How long the host is still left alone; 0: it may be tried. */
  pauseMs(host: string): number {
    const trouble = this.#hosts.get(host)
    if (trouble === undefined || trouble.failures < FAILURES) return 0
    return Math.max(0, trouble.pausedUntilMs - this.#nowMs())
  }

  /** Whether many pushes wait for its answers already. */
  isSlow(host: string): boolean {
    const underWay = this.#underWay.get(host)
    if (underWay === undefined || underWay.size < MAX_SLOW) return false
    let younger = MAX_SLOW
    for (const { sinceMs } of underWay) {
      younger -= 1
      if (younger === 0) return this.#nowMs() - sinceMs > SLOW_MS
    }
    return false
  }

  /** A push goes to this host: how that went, `answered` or `lost` must be told. What is returned is called when it has ended. */
  begin(host: string): () => void {
    const trouble = this.#hosts.get(host)
    if (trouble !== undefined && trouble.failures >= FAILURES) trouble.pausedUntilMs = this.#nowMs() + PROBE_MS
    const underWay = this.#underWay.get(host) ?? new Set()
    this.#underWay.set(host, underWay)
    const one: UnderWay = { sinceMs: this.#nowMs() }
    underWay.add(one)
    return () => {
      underWay.delete(one)
      if (underWay.size === 0) this.#underWay.delete(host)
    }
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
