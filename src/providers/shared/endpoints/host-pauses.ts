/**
 * Leaves a host alone that cannot be reached, does not answer or answers 5xx, so that its pushes do not each wait for it and hold up those of other hosts,
 * and so that nobody is hit with what somebody else sends there through us. A host here is whatever fails together (destinations.ts).
 */

import { forgetOldest } from '../../../core/forget-oldest.ts'
import type { Waits } from '../../../core/outcome.ts'

/** Failures in a row after which a host is left alone. */
const FAILURES = 3
const FIRST_PAUSE_MS = 30_000
const LONGEST_PAUSE_MS = 5 * 60_000
/**
 * By then, counted in pauses, the others come back by themselves. Who is to try the host may be handed out by another process, and who waits may have been told
 * so by one that is dead: nobody here hears then that the host is back.
 */
const LATEST_PAUSES = 4
/** For one request that sees whether the host is back, while the others go on waiting. */
const PROBE_MS = 10_000
/** More hosts than that are forgotten, the oldest first: strangers name them. */
const MAX_HOSTS = 10_000

/** So many pushes may wait for this long for a host's answers; then it gets no more until some are there. */
const MAX_SLOW = 20
const SLOW_MS = 2000
/** By then each of them has its answer, or has been given up. */
const SLOW_PAUSE_MS = 10_000

/** A push on its way to a host. */
interface UnderWay {
  readonly sinceMs: number
}

interface Trouble {
  readonly failures: number
  /** For how long it was left alone. */
  readonly pauseMs: number
  pausedUntilMs: number
  /** Somebody was told to come when the pause is over. */
  isProbePlanned: boolean
  /** Somebody is trying it. */
  isProbed: boolean
  readonly last: object
}

export class HostPauses {
  readonly #nowMs: () => number
  readonly #hosts = new Map<string, Trouble>()
  /** What waits because a host is slow, and since when somebody is to come who sees whether it still is. */
  readonly #slow = new Map<string, number>()
  /** In the order in which they began. */
  readonly #underWay = new Map<string, Set<UnderWay>>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Undefined: the host may be tried. Else it is left alone, and `afterMs` says when the one that is told so is to try it; the others wait for that. */
  pauseOf(host: string): Pick<Waits, 'afterMs' | 'latestMs' | 'reason'> | undefined {
    return this.#pauseOf(host) ?? (this.#isSlow(host) ? this.#slowPauseOf(host) : undefined)
  }

  #pauseOf(host: string): Pick<Waits, 'afterMs' | 'latestMs' | 'reason'> | undefined {
    const trouble = this.#hosts.get(host)
    if (trouble === undefined || trouble.failures < FAILURES) return undefined
    const pauseMs = trouble.pausedUntilMs - this.#nowMs()
    if (pauseMs <= 0) return undefined
    if (trouble.isProbePlanned)
      return { reason: 'host_paused', afterMs: undefined, latestMs: LATEST_PAUSES * trouble.pauseMs }
    trouble.isProbePlanned = true
    return { reason: 'host_paused', afterMs: pauseMs }
  }

  #slowPauseOf(host: string): Pick<Waits, 'afterMs' | 'latestMs' | 'reason'> {
    const nowMs = this.#nowMs()
    const plannedAtMs = this.#slow.get(host)
    const isPlanned = plannedAtMs !== undefined && nowMs < plannedAtMs
    if (!isPlanned) this.#slow.set(host, nowMs + SLOW_PAUSE_MS)
    forgetOldest(this.#slow, MAX_HOSTS)
    return isPlanned
      ? { reason: 'host_slow', afterMs: undefined, latestMs: LATEST_PAUSES * FIRST_PAUSE_MS }
      : { reason: 'host_slow', afterMs: SLOW_PAUSE_MS }
  }

  /** Whether many pushes wait for its answers already. */
  #isSlow(host: string): boolean {
    const underWay = this.#underWay.get(host)
    if (underWay === undefined || underWay.size < MAX_SLOW) return false
    let younger = MAX_SLOW
    for (const { sinceMs } of underWay) {
      younger -= 1
      if (younger === 0) return this.#nowMs() - sinceMs > SLOW_MS
    }
    return false
  }

  /** Whether it has been left alone, and whoever goes there now sees whether it is back. */
  isToBeProbed(host: string): boolean {
    return (this.#hosts.get(host)?.failures ?? 0) >= FAILURES
  }

  /** A push goes to this host: how that went, `answered` or `lost` must be told. What is returned is called when it has ended. */
  begin(host: string): () => void {
    const trouble = this.#hosts.get(host)
    if (trouble !== undefined && trouble.failures >= FAILURES) {
      trouble.pausedUntilMs = this.#nowMs() + PROBE_MS
      trouble.isProbePlanned = false
      trouble.isProbed = true
    }
    const underWay = this.#underWay.get(host) ?? new Set()
    this.#underWay.set(host, underWay)
    const one: UnderWay = { sinceMs: this.#nowMs() }
    underWay.add(one)
    return () => {
      underWay.delete(one)
      if (underWay.size === 0) this.#underWay.delete(host)
    }
  }

  /** True when others wait for it. */
  answered(host: string): boolean {
    const { failures = 0 } = this.#hosts.get(host) ?? {}
    this.#hosts.delete(host)
    const wasSlow = this.#slow.delete(host)
    return failures >= FAILURES || wasSlow
  }

  /** `loss`: what happened. Many pushes may wait for one connection, and when it does not come about, all have lost the same: that is one failure. */
  lost(host: string, loss: object): void {
    const { failures = 0, last, isProbed = false } = this.#hosts.get(host) ?? {}
    // What was on its way when the host was left alone says nothing new.
    const isKnown = failures >= FAILURES && !isProbed
    if (last !== loss && !isKnown) this.#fail(host, failures + 1, loss)
  }

  /** One failure is enough. */
  leaveAlone(host: string): void {
    const { failures = 0 } = this.#hosts.get(host) ?? {}
    this.#fail(host, Math.max(failures + 1, FAILURES), {})
  }

  #fail(host: string, failures: number, loss: object): void {
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, failures - FAILURES), LONGEST_PAUSE_MS)
    this.#hosts.delete(host)
    this.#hosts.set(host, {
      failures,
      pauseMs,
      pausedUntilMs: this.#nowMs() + pauseMs,
      isProbePlanned: false,
      isProbed: false,
      last: loss,
    })
    forgetOldest(this.#hosts, MAX_HOSTS)
  }
}
