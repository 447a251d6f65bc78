/** What goes out: attempts, how deliveries end, and whether a route can deliver. */
import type { Route } from '../core/route.ts'
import { FAST_SECONDS, ROUTE_LABELS, routeLabels, type Instruments } from './instruments.ts'

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
const DELAY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600]
/** A vocabulary that a push service may grow (Web Push: any stranger's); beyond this many reasons of a route the rest is "other". */
const MAX_REASONS = 100

/** What became of a delivery that was handed out. */
export interface HandledDelivery {
  readonly result: (typeof RESULTS)[number] | 'retry' | 'blocked' | 'waits'
  readonly reason: string | undefined
  /** It is not handed out again. */
  readonly isFinal: boolean
  /** How long the push service took; undefined when nothing was sent. */
  readonly sendSeconds: number | undefined
  /** Since it was accepted. */
  readonly endToEndSeconds: number
}

export class DeliveryMetrics {
  readonly #outcomes
  readonly #reasons
  readonly #attempts
  readonly #retries
  readonly #sendDuration
  readonly #delay
  readonly #blocked
  readonly #suspected
  readonly #credentialExpiry
  readonly #knownReasons = new Map<string, Set<string>>()

  constructor(instruments: Instruments) {
    this.#outcomes = instruments.counter('hushgate_outcomes_total', 'Deliveries by how they ended, each once.', [
      ...ROUTE_LABELS,
      'outcome',
    ])
    this.#reasons = instruments.counter(
      'hushgate_push_service_refusals_total',
      'Attempts that a push service did not accept, by its own reason.',
      [...ROUTE_LABELS, 'outcome', 'reason'],
    )
    this.#attempts = instruments.counter('hushgate_attempts_total', 'Attempts to deliver.', ROUTE_LABELS)
    this.#retries = instruments.counter(
      'hushgate_retries_total',
      'Attempts after which the delivery is tried again.',
      ROUTE_LABELS,
    )
    this.#sendDuration = instruments.histogram(
      'hushgate_send_duration_seconds',
      'Time a push service took to answer.',
      ROUTE_LABELS,
      FAST_SECONDS,
    )
    this.#delay = instruments.histogram(
      'hushgate_delivery_delay_seconds',
      'From the notify request to the acceptance by the push service.',
      ROUTE_LABELS,
      DELAY_SECONDS,
    )
    this.#blocked = instruments.gauge(
      'hushgate_app_blocked',
      '1 while the push service refuses our credential or configuration.',
      ROUTE_LABELS,
    )
    this.#suspected = instruments.gauge(
      'hushgate_rejections_suspected',
      '1 while rejections are held back because most pushkeys were called dead.',
      ROUTE_LABELS,
    )
    this.#credentialExpiry = instruments.gauge(
      'hushgate_credential_expiry_timestamp_seconds',
      'When the credential runs out.',
      ROUTE_LABELS,
    )
  }

  /** Each counter at 0, so that the first event is seen as an increase. */
  begin(route: Route): void {
    const labels = routeLabels(route)
    for (const outcome of RESULTS) this.#outcomes.inc({ ...labels, outcome }, 0)
    for (const each of [this.#attempts, this.#retries]) each.inc(labels, 0)
    this.#blocked.set(labels, 0)
    this.#suspected.set(labels, 0)
  }

  handled(route: Route, { result, reason, isFinal, sendSeconds, endToEndSeconds }: HandledDelivery): void {
    const labels = routeLabels(route)
    if (sendSeconds !== undefined) {
      this.#attempts.inc(labels)
      this.#sendDuration.observe(labels, sendSeconds)
    }
    if (reason !== undefined) this.#reasons.inc({ ...labels, outcome: result, reason: this.#bounded(route, reason) })
    if (isFinal) this.#outcomes.inc({ ...labels, outcome: result === 'retry' ? 'expired' : result })
    else if (result === 'retry') this.#retries.inc(labels)
    if (result === 'delivered') this.#delay.observe(labels, endToEndSeconds)
  }

  blocked(route: Route, isBlocked: boolean): void {
    this.#blocked.set(routeLabels(route), isBlocked ? 1 : 0)
  }

  suspected(route: Route, isSuspected: boolean): void {
    this.#suspected.set(routeLabels(route), isSuspected ? 1 : 0)
  }

  credentialExpires(route: Route, epochMs: number): void {
    this.#credentialExpiry.set(routeLabels(route), epochMs / 1000)
  }

  #bounded({ name }: Route, reason: string): string {
    const known = this.#knownReasons.get(name) ?? new Set<string>()
    this.#knownReasons.set(name, known)
    if (!known.has(reason) && known.size >= MAX_REASONS) return 'other'
    known.add(reason)
    return reason
  }
}
