/** What goes out: attempts, how deliveries end, and whether a route can deliver. */
import type { Priority } from '../core/delivery.ts'
import type { Route } from '../core/route.ts'
import type { Timing } from '../core/timing.ts'
import {
  ROUTE_LABELS,
  routeLabels,
  type Distribution,
  type Instruments,
  type Labels,
  type Metric,
  type Value,
} from './instruments.ts'

const RESULTS = [
  'delivered',
  'rejected',
  'failed',
  'dropped',
  'expired',
  'duplicate',
  'superseded',
  'coalesced',
  'pushkey_dead',
] as const
type Result = (typeof RESULTS)[number]

/** An attempt is cut off after 15 seconds; a bucket beyond that, so that what was cut off is seen. */
const SEND_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20]
const DELAY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600]
/** Phones take a call for missed after 15 seconds; without another word one is given up after a minute (queue.call_max_age). */
const CALL_SECONDS = [0.25, 0.5, 1, 2, 5, 10, 15, 30, 60]
/** Within this an event push is to be at its push service, 99 of 100 times (docs/runbook.md#hushgatefreshnessburnsfast). */
const IN_TIME_SECONDS = 10
/** `release_every` spreads what leaves together. */
const SPREAD_SECONDS = 1
/** A vocabulary that a push service may grow (Web Push: any stranger's); beyond this many reasons of a route the rest is "other". */
const MAX_REASONS = 100

/** What became of a delivery that was handed out. */
export interface HandledDelivery {
  readonly result: Result | 'retry' | 'blocked' | 'waits'
  readonly reason: string | undefined
  /** It is not handed out again. */
  readonly isFinal: boolean
  readonly priority: Priority
  /** How long the push service took; undefined when nothing was sent. */
  readonly sendSeconds: number | undefined
  /** Since it was accepted. */
  readonly endToEndSeconds: number
  readonly nowMs: number
}

/** A route, and when its pushes may leave. */
export interface CountedRoute extends Route {
  readonly timing?: Timing | undefined
}

/** The series of one route. */
interface OfRoute {
  readonly labels: Labels
  readonly outcomes: ReadonlyMap<string, Value>
  readonly attempts: Value
  readonly retries: Value
  readonly sendDuration: Distribution
  readonly delay: Distribution
  readonly callDelay: Distribution
  readonly inTime: Value
  readonly late: Value
  readonly never: Value
  readonly busy: Value
  readonly blocked: Value
  readonly suspected: Value
  readonly circuitOpen: Value
  readonly paused: Value
  readonly reasons: Map<string, Value>
  /** How old an event push may be when it arrives. */
  readonly inTimeSeconds: number
  /** Undefined until the push service has accepted it. */
  credentialAccepted: Value | undefined
}

type Counters = ReturnType<typeof createCounters>

export class DeliveryMetrics {
  readonly #counters: Counters
  readonly #gauges: ReturnType<typeof createGauges>
  /** By app, and then by push service: two look-ups cost less than making one key of both. */
  readonly #routes = new Map<string, Map<string, OfRoute>>()

  constructor(instruments: Instruments) {
    this.#counters = createCounters(instruments)
    this.#gauges = createGauges(instruments)
  }

  /** From now on there are these routes. Each counter begins at 0, so that the first event is seen as an increase; what is told of others from now on is not counted. */
  configured(routes: readonly CountedRoute[]): void {
    this.#routes.clear()
    for (const route of routes) {
      const ofApp = this.#routes.get(route.app) ?? new Map<string, OfRoute>()
      this.#routes.set(route.app, ofApp.set(route.provider, this.#ofRoute(route)))
    }
  }

  /** A delivery was handed out: it is under way until `ended`. */
  begun(route: Route): void {
    const of = this.#find(route)
    if (of !== undefined) of.busy.now += 1
  }

  ended(route: Route): void {
    const of = this.#find(route)
    if (of !== undefined) of.busy.now = Math.max(0, of.busy.now - 1)
  }

  handled(route: Route, handled: HandledDelivery): void {
    const of = this.#find(route)
    if (of === undefined) return
    const { result, reason, isFinal, sendSeconds, endToEndSeconds, nowMs } = handled
    if (sendSeconds !== undefined) {
      of.attempts.now += 1
      of.sendDuration.observe(sendSeconds)
    }
    if (reason !== undefined) this.#reasonOf(of, result, reason).now += 1
    if (isFinal) {
      const outcome = of.outcomes.get(result === 'retry' ? 'expired' : result)
      if (outcome !== undefined) outcome.now += 1
      if (handled.priority !== 'counts') countArrival(of, handled)
    } else if (result === 'retry') of.retries.now += 1
    if (result === 'delivered') {
      of.delay.observe(endToEndSeconds)
      of.credentialAccepted ??= this.#gauges.credentialAccepted.of(of.labels)
      of.credentialAccepted.now = nowMs / 1000
    }
  }

  blocked(route: Route, isBlocked: boolean): void {
    this.#set(route, 'blocked', isBlocked)
  }

  suspected(route: Route, isSuspected: boolean): void {
    this.#set(route, 'suspected', isSuspected)
  }

  circuitOpen(route: Route, isOpen: boolean): void {
    this.#set(route, 'circuitOpen', isOpen)
  }

  /** By the operator. */
  paused(route: Route, isPaused: boolean): void {
    this.#set(route, 'paused', isPaused)
  }

  /** `epochMs`: undefined for a credential that does not run out. */
  credentialExpires(route: Route, epochMs: number | undefined): void {
    const { credentialExpiry } = this.#gauges
    if (epochMs === undefined) credentialExpiry.remove(routeLabels(route))
    else credentialExpiry.of(routeLabels(route)).now = epochMs / 1000
  }

  #find({ app, provider }: Route): OfRoute | undefined {
    return this.#routes.get(app)?.get(provider)
  }

  #set(route: Route, gauge: 'blocked' | 'suspected' | 'circuitOpen' | 'paused', is: boolean): void {
    const of = this.#find(route)
    if (of !== undefined) of[gauge].now = is ? 1 : 0
  }

  #reasonOf(of: OfRoute, outcome: string, reason: string): Value {
    const known = of.reasons.get(`${outcome} ${reason}`)
    if (known !== undefined) return known
    const isOther = of.reasons.size >= MAX_REASONS
    const labels = { ...of.labels, outcome, reason: isOther ? 'other' : reason }
    const value = this.#counters.reasons.of(labels)
    if (!isOther) of.reasons.set(`${outcome} ${reason}`, value)
    return value
  }

  #ofRoute(route: CountedRoute): OfRoute {
    const labels = routeLabels(route)
    const { outcomes, attempts, retries, sendDuration, delay, callDelay, arrivals, reasons } = this.#counters
    const { busy, blocked, suspected, circuitOpen, paused } = this.#gauges
    return {
      labels,
      outcomes: new Map(RESULTS.map((outcome) => [outcome, outcomes.of({ ...labels, outcome })])),
      attempts: attempts.of(labels),
      retries: retries.of(labels),
      sendDuration: sendDuration.of(labels),
      delay: delay.of(labels),
      callDelay: callDelay.of(labels),
      inTime: arrivals.of({ ...labels, arrived: 'in_time' }),
      late: arrivals.of({ ...labels, arrived: 'late' }),
      never: arrivals.of({ ...labels, arrived: 'never' }),
      busy: busy.of(labels),
      blocked: blocked.of(labels),
      suspected: suspected.of(labels),
      circuitOpen: circuitOpen.of(labels),
      paused: paused.of(labels),
      reasons: new Map(
        reasons
          .seriesOf(labels)
          .map((series) => [`${series.labels['outcome']} ${series.labels['reason']}`, series.value]),
      ),
      inTimeSeconds: inTimeSecondsOf(route.timing),
      credentialAccepted: undefined,
    }
  }
}

/** Only what had to arrive counts, so nothing that was merged with another, repeated, or for a pushkey that is dead. */
function countArrival(of: OfRoute, { result, priority, endToEndSeconds }: HandledDelivery): void {
  if (result === 'expired' || result === 'retry') of.never.now += 1
  else if (result === 'delivered' || result === 'rejected' || result === 'failed')
    (endToEndSeconds <= of.inTimeSeconds ? of.inTime : of.late).now += 1
  else return
  if (priority === 'call') of.callDelay.observe(endToEndSeconds)
}

/** What waits on purpose is not late. */
function inTimeSecondsOf({ coalesceMs = 0, releaseEveryMs = 0 }: Timing = {}): number {
  const onPurposeMs = coalesceMs + releaseEveryMs
  return IN_TIME_SECONDS + (onPurposeMs === 0 ? 0 : onPurposeMs / 1000 + SPREAD_SECONDS)
}

function createCounters(instruments: Instruments) {
  const counter = (name: string, help: string, ...more: string[]): Metric =>
    instruments.counter(name, help, [...ROUTE_LABELS, ...more])
  return {
    outcomes: counter('hushgate_outcomes_total', 'Deliveries by how they ended, each once.', 'outcome'),
    arrivals: counter(
      'hushgate_event_pushes_total',
      'Event pushes that had to arrive, by whether they were at the push service within 10 seconds (and what coalesce and release_every add), later, or never because they expired.',
      'arrived',
    ),
    reasons: counter(
      'hushgate_push_service_refusals_total',
      'Attempts that a push service did not accept, by its own reason.',
      'outcome',
      'reason',
    ),
    attempts: counter('hushgate_attempts_total', 'Attempts to deliver.'),
    retries: counter('hushgate_retries_total', 'Attempts after which the delivery is tried again.'),
    sendDuration: instruments.histogram(
      'hushgate_send_duration_seconds',
      'Time a push service took to answer; an attempt is cut off after 15 seconds.',
      ROUTE_LABELS,
      SEND_SECONDS,
    ),
    delay: instruments.histogram(
      'hushgate_delivery_delay_seconds',
      'From the notify request to the acceptance by the push service.',
      ROUTE_LABELS,
      DELAY_SECONDS,
    ),
    callDelay: instruments.histogram(
      'hushgate_call_delay_seconds',
      'Of calls alone: from the notify request to the answer of the push service, or until they expired.',
      ROUTE_LABELS,
      CALL_SECONDS,
    ),
  }
}

function createGauges(instruments: Instruments) {
  const gauge = (name: string, help: string): Metric => instruments.gauge(name, help, ROUTE_LABELS)
  return {
    busy: gauge('hushgate_worker_busy', 'Deliveries that this process has under way.'),
    blocked: gauge('hushgate_app_blocked', '1 while the push service refuses our credential or configuration.'),
    circuitOpen: gauge(
      'hushgate_circuit_open',
      '1 while deliveries wait because the push service asks for it, only fails, or cannot be reached; one tries now and then.',
    ),
    paused: gauge('hushgate_app_paused', '1 while the operator has paused the app.'),
    suspected: instruments.storedGauge(
      'hushgate_rejections_suspected',
      '1 while rejections are held back because most pushkeys were called dead.',
      ROUTE_LABELS,
    ),
    credentialExpiry: gauge(
      'hushgate_credential_expiry_timestamp_seconds',
      'When the credential runs out; absent for one that does not.',
    ),
    credentialAccepted: gauge(
      'hushgate_credential_last_accepted_timestamp_seconds',
      'When the push service last accepted a push, and with it the credential; absent until it has.',
    ),
  }
}
