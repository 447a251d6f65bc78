/** Canary pushes: when the last one arrived, and how long it took. */
import type { Route } from '../core/route.ts'
import { ROUTE_LABELS, routeLabels, type Instruments, type Labels } from './instruments.ts'

/** `not_stored`: the store did not take it. `not_sent`: there was nothing to send, or something else took its place. */
const OUTCOMES = ['delivered', 'rejected', 'failed', 'expired', 'not_stored', 'not_sent'] as const
export type CanaryOutcome = (typeof OUTCOMES)[number]

export interface CountedCanary {
  readonly route: Route
  readonly everyMs: number
}

interface Awaited {
  readonly labels: Labels
  /** The last that arrived; before the first, when it began to be awaited. */
  lastMs: number
}

export class CanaryMetrics {
  readonly #pushes
  readonly #interval
  readonly #lastSuccess
  readonly #roundTrip
  readonly #age
  /** By the names of the routes; of those that this process may send. */
  #awaited = new Map<string, Awaited>()

  constructor(instruments: Instruments) {
    this.#pushes = instruments.counter(
      'hushgate_canary_pushes_total',
      'Canary pushes by how they ended; they are among the other metrics, too.',
      [...ROUTE_LABELS, 'outcome'],
    )
    this.#interval = instruments.gauge(
      'hushgate_canary_interval_seconds',
      'How often a canary push is sent (canary.every).',
      ROUTE_LABELS,
    )
    this.#lastSuccess = instruments.gauge(
      'hushgate_canary_last_success_timestamp_seconds',
      'When the push service last took a canary push that this process sent; absent until it has.',
      ROUTE_LABELS,
    )
    this.#roundTrip = instruments.gauge(
      'hushgate_canary_round_trip_seconds',
      'From the acceptance of that canary push to the answer of the push service.',
      ROUTE_LABELS,
    )
    this.#age = instruments.gauge(
      'hushgate_canary_age_seconds',
      'How long ago the push service last took a canary push that this process sent; until it has, since when this process waits for one. Of several processes the least counts.',
      ROUTE_LABELS,
    )
  }

  /** From now on there are these, and no others. `sends`: whether this process hands pushes to push services. */
  configured(canaries: readonly CountedCanary[], sends: boolean, nowMs: number): void {
    const isGone = ({ app, provider }: Labels): boolean =>
      !canaries.some(({ route }) => route.app === app && route.provider === provider)
    for (const metric of [this.#pushes, this.#interval, this.#lastSuccess, this.#roundTrip, this.#age])
      metric.removeWhere(isGone)
    const before = this.#awaited
    this.#awaited = new Map()
    for (const { route, everyMs } of canaries) {
      const labels = routeLabels(route)
      this.#interval.of(labels).now = everyMs / 1000
      for (const outcome of OUTCOMES) this.#pushes.of({ ...labels, outcome })
      if (sends) this.#awaited.set(route.name, before.get(route.name) ?? { labels, lastMs: nowMs })
    }
  }

  /** It was accepted so long ago. */
  delivered(route: Route, roundTripSeconds: number, nowMs: number): void {
    const awaited = this.#awaited.get(route.name)
    // Of one that was taken out of the configuration the last may still arrive.
    if (awaited === undefined) return
    awaited.lastMs = nowMs
    this.#lastSuccess.of(awaited.labels).now = nowMs / 1000
    this.#roundTrip.of(awaited.labels).now = roundTripSeconds
    this.ended(route, 'delivered')
  }

  ended(route: Route, outcome: CanaryOutcome): void {
    const [series] = this.#pushes.seriesOf({ ...routeLabels(route), outcome })
    if (series !== undefined) series.value.now += 1
  }

  /** Before somebody reads it. */
  aged(nowMs: number): void {
    for (const { labels, lastMs } of this.#awaited.values()) this.#age.of(labels).now = (nowMs - lastMs) / 1000
  }
}
