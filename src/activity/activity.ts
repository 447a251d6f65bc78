/**
 * What happened lately, as an operator looks at it: of each route the last answers, counts by minute, how long deliveries took, and the last failures. In
 * memory only, of this process only, and bounded: some kilobytes a route. Of a device it holds what the log shows, 8 digits of a keyed hash.
 */
import { MINUTE_MS, MinuteRing } from './minute-ring.ts'
import { UnknownApps } from './unknown-apps.ts'

/** An attempt that the push service did not accept, or a delivery that ended without one. */
export interface Failure {
  readonly atMs: number
  /** 8 hex digits of its keyed hash, as in the log. */
  readonly device: string
  readonly attempt: number
  readonly result: FailureResult
  /** In the push service's own word, where there is one. */
  readonly reason: string | undefined
  /** It is not tried again. */
  readonly isFinal: boolean
}

export const FAILURE_RESULTS = ['rejected', 'failed', 'retry', 'blocked', 'expired', 'dropped'] as const
type FailureResult = (typeof FAILURE_RESULTS)[number]

/** What became of a delivery that was handed out. */
export interface HandledNow {
  readonly result: string
  readonly reason: string | undefined
  readonly isFinal: boolean
  /** Since it was accepted. */
  readonly endToEndSeconds: number
  readonly device: string
  readonly attempt: number
}

/** Counts of the last hour, oldest minute first; the last minute is not over. */
export interface LastHour {
  /** Stored, and so answered with 200. */
  readonly accepted: readonly number[]
  readonly delivered: readonly number[]
  /** Ended without being delivered. */
  readonly failed: readonly number[]
  /** Attempts after which the delivery waits for another. */
  readonly retried: readonly number[]
}

export interface RouteActivity {
  readonly lastDeliveredAtMs: number | undefined
  readonly lastFailure: Failure | undefined
  /** In the last 60 seconds, about. */
  readonly acceptedPerMinute: number
  readonly deliveredPerMinute: number
  /** From the acceptance to the push service, of the last minutes; each to within a quarter. Undefined where nothing was delivered in them. */
  readonly delayMs: { readonly p50: number; readonly p99: number } | undefined
  readonly lastHour: LastHour
}

const MINUTES = 60
const COLUMNS = { accepted: 0, delivered: 1, failed: 2, retried: 3 } as const
const DELAY_MINUTES = 5
/** Upper bounds of 1 ms, 1.25 ms, … up to 16 hours; what is longer counts there. */
const DELAY_STEP = 1.25
const DELAY_BUCKETS = 81
const FAILURES_PER_ROUTE = 20

/** Of one route. */
class Recorded {
  readonly minutes = new MinuteRing(MINUTES, Object.keys(COLUMNS).length)
  readonly delays = new MinuteRing(DELAY_MINUTES, DELAY_BUCKETS)
  /** Newest last. */
  readonly failures: Failure[] = []
  lastDeliveredAtMs: number | undefined
}

export class Activity {
  readonly unknownApps = new UnknownApps()
  readonly #nowMs: () => number
  readonly #routes = new Map<string, Recorded>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** A delivery was stored. */
  accepted(route: string): void {
    this.#recorded(route).minutes.add(this.#nowMs(), COLUMNS.accepted)
  }

  /** A delivery was handed out, and this became of it. */
  handled(route: string, { result, reason, isFinal, endToEndSeconds, device, attempt }: HandledNow): void {
    const nowMs = this.#nowMs()
    const recorded = this.#recorded(route)
    if (result === 'delivered') {
      recorded.lastDeliveredAtMs = nowMs
      recorded.minutes.add(nowMs, COLUMNS.delivered)
      recorded.delays.add(nowMs, bucketOf(endToEndSeconds * 1000))
      return
    }
    const failure = FAILURE_RESULTS.find((each) => each === result)
    if (failure === undefined) return
    recorded.minutes.add(nowMs, isFinal ? COLUMNS.failed : COLUMNS.retried)
    recorded.failures.push({ atMs: nowMs, device, attempt, result: failure, reason, isFinal })
    if (recorded.failures.length > FAILURES_PER_ROUTE) recorded.failures.shift()
  }

  of(route: string): RouteActivity {
    const nowMs = this.#nowMs()
    const { minutes, delays, failures, lastDeliveredAtMs } = this.#routes.get(route) ?? new Recorded()
    const column = (name: keyof typeof COLUMNS): readonly number[] => minutes.column(nowMs, COLUMNS[name])
    const lastHour = {
      accepted: column('accepted'),
      delivered: column('delivered'),
      failed: column('failed'),
      retried: column('retried'),
    }
    return {
      lastDeliveredAtMs,
      lastFailure: failures.at(-1),
      acceptedPerMinute: lastMinute(lastHour.accepted, nowMs),
      deliveredPerMinute: lastMinute(lastHour.delivered, nowMs),
      delayMs: percentiles(delays.sums(nowMs)),
      lastHour,
    }
  }

  /** The last ones, newest first; at most 20 of a route. */
  failuresOf(route: string): readonly Failure[] {
    return this.#routes.get(route)?.failures.toReversed() ?? []
  }

  /** Forgets the routes that are not configured any more. */
  keepOnly(routes: ReadonlySet<string>): void {
    for (const route of this.#routes.keys()) if (!routes.has(route)) this.#routes.delete(route)
  }

  #recorded(route: string): Recorded {
    let recorded = this.#routes.get(route)
    if (recorded === undefined) {
      recorded = new Recorded()
      this.#routes.set(route, recorded)
    }
    return recorded
  }
}

/** The minute that is not over, and of the one before as much as is missing of it. */
function lastMinute(counts: readonly number[], nowMs: number): number {
  const passed = (nowMs % MINUTE_MS) / MINUTE_MS
  return Math.round((counts.at(-1) ?? 0) + (counts.at(-2) ?? 0) * (1 - passed))
}

function bucketOf(delayMs: number): number {
  if (delayMs <= 1) return 0
  return Math.min(DELAY_BUCKETS - 1, Math.ceil(Math.log(delayMs) / Math.log(DELAY_STEP)))
}

function percentiles(counts: readonly number[]): { readonly p50: number; readonly p99: number } | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  const at = (share: number): number => {
    let left = Math.ceil(total * share)
    const bucket = counts.findIndex((count) => (left -= count) <= 0)
    return Math.round(DELAY_STEP ** bucket)
  }
  return { p50: at(0.5), p99: at(0.99) }
}
