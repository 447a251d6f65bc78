/** What is in the store, and whether it can be written to. */
import type { Route } from '../core/route.ts'
import type { QueueDepth, StoreHealth } from '../store/contract.ts'
import {
  FAST_SECONDS,
  ROUTE_LABELS,
  routeLabels,
  type Distribution,
  type Instruments,
  type Value,
} from './instruments.ts'

const STATES = ['waiting', 'delayed', 'active', 'dead'] as const

/** The series of one route. */
interface OfRoute {
  readonly states: readonly (readonly [(typeof STATES)[number], Value])[]
  readonly oldestAge: Value
  readonly overdue: Value
}

export class StoreMetrics {
  readonly #deliveries
  readonly #oldestAge
  readonly #overdue
  readonly #highWater
  readonly #writable
  readonly #dangers
  readonly #clockSkew
  readonly #fill
  readonly #accept: Distribution
  /** By the names of the routes. None where the store did not say. */
  readonly #routes = new Map<string, OfRoute>()

  constructor(instruments: Instruments) {
    this.#deliveries = instruments.storedGauge(
      'hushgate_queue_deliveries',
      'Deliveries in the store; the same from every replica, so never sum them.',
      [...ROUTE_LABELS, 'state'],
    )
    this.#oldestAge = instruments.storedGauge(
      'hushgate_queue_oldest_age_seconds',
      'How long ago the oldest delivery was accepted that should have left by now and has not arrived: it waits, is under way, or was tried before. The same from every replica.',
      ROUTE_LABELS,
    )
    this.#overdue = instruments.storedGauge(
      'hushgate_queue_overdue_seconds',
      'For how long the delivery that could be sent now has waited that waits longest; begins anew after each attempt. The same from every replica.',
      ROUTE_LABELS,
    )
    this.#highWater = instruments.gauge(
      'hushgate_queue_high_water',
      'Deliveries of an app on one push service that may wait (queue.high_water); more are refused.',
    )
    this.#writable = instruments.gauge('hushgate_store_writable', '1 when new deliveries can be stored.')
    this.#dangers = instruments.gauge(
      'hushgate_store_dangers',
      'Settings of the store under which deliveries may be lost.',
    )
    this.#clockSkew = instruments.gauge(
      'hushgate_clock_skew_seconds',
      'How far the clock of this machine is ahead of the time that pushes wait and expire by: that of Redis, or on SQLite that from before a leap.',
    )
    this.#fill = instruments.gauge(
      'hushgate_store_fill_ratio',
      'How much of the room for deliveries is in use, from 0 to 1: of the disk of SQLite, or of the maxmemory of the fullest Redis; 0 where Redis has no limit.',
    )
    this.#accept = instruments
      .histogram(
        'hushgate_store_accept_duration_seconds',
        'Time until what one notify request brings is durable, or is refused.',
        [],
        FAST_SECONDS,
      )
      .of()
  }

  configured(highWater: number): void {
    this.#highWater.of().now = highWater
    this.#routes.clear()
  }

  clockSkew(skewMs: number): void {
    this.#clockSkew.of().now = skewMs / 1000
  }

  health({ writable, dangers, fill }: StoreHealth): void {
    this.#writable.of().now = writable ? 1 : 0
    this.#dangers.of().now = dangers.length
    this.#fill.of().now = fill
  }

  /** Undefined where the store did not say: then nothing is claimed of it. */
  depth(route: Route, depth: QueueDepth | undefined): void {
    if (depth === undefined) return this.#forget(route)
    const { states, oldestAge, overdue } = this.#find(route)
    for (const [state, value] of states) value.now = depth[state]
    oldestAge.now = depth.oldestAgeMs / 1000
    overdue.now = depth.overdueMs / 1000
  }

  #find(route: Route): OfRoute {
    const known = this.#routes.get(route.name)
    if (known !== undefined) return known
    const labels = routeLabels(route)
    const ofRoute: OfRoute = {
      states: STATES.map((state) => [state, this.#deliveries.of({ ...labels, state })]),
      oldestAge: this.#oldestAge.of(labels),
      overdue: this.#overdue.of(labels),
    }
    this.#routes.set(route.name, ofRoute)
    return ofRoute
  }

  /** Of what was just begun: until it is durable, or refused. */
  timed<T>(accepting: Promise<T>): Promise<T> {
    const startedMs = performance.now()
    return accepting.finally(() => this.#accept.observe((performance.now() - startedMs) / 1000))
  }

  #forget(route: Route): void {
    const labels = routeLabels(route)
    this.#routes.delete(route.name)
    for (const state of STATES) this.#deliveries.remove({ ...labels, state })
    this.#oldestAge.remove(labels)
    this.#overdue.remove(labels)
  }
}
