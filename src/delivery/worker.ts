/** Hands a route's deliveries to its push service: still wanted? → send → record → what next. The same for every store and every push service. */
import type { Activity } from '../activity/activity.ts'
import type { Delivery } from '../core/delivery.ts'
import { shortHash, type Identities } from '../core/identities.ts'
import type { LogFacts } from '../core/log.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Answered, Sender } from '../core/provider.ts'
import type { Route } from '../core/route.ts'
import { Throttle } from '../core/throttle.ts'
import type { DeadPushkeys } from '../memory/dead-pushkeys.ts'
import type { Deduplication } from '../memory/deduplication.ts'
import type { Receipts } from '../memory/receipts.ts'
import type { DeliveryMetrics, HandledDelivery } from '../metrics/delivery-metrics.ts'
import type { Consumer, DeliveryQueue, Disposition, HandedOut, Note } from '../store/contract.ts'
import { dispositionOfExpired } from '../store/expiry.ts'
import type { DeadLetterShare } from './dead-letter-share.ts'
import { reportCanary, type CanaryReportParts } from './canary-report.ts'
import { FinalFailures } from './final-failures.ts'
import type { AttemptTrace, Tracer } from '../tracing/tracer.ts'
import { Gate, type GateStatus } from './gate.ts'
import { dispositionOf } from './retry.ts'

export interface WorkerParts extends CanaryReportParts {
  readonly queue: Pick<DeliveryQueue, 'consume'>
  readonly deadPushkeys: DeadPushkeys
  readonly deduplication: Deduplication
  readonly deadLetterShare: DeadLetterShare
  /** Absent: no receipt is written. */
  readonly receipts?: Pick<Receipts, 'noteOf'> | undefined
  readonly identities: Pick<Identities, 'logged'>
  readonly metrics: DeliveryMetrics
  /** Absent: nothing is traced. */
  readonly tracer?: Pick<Tracer, 'handedOut'> | undefined
  readonly activity: Pick<Activity, 'handled'>
  readonly nowMs: () => number
  /** In [0, 1). */
  readonly random: () => number
}

/** A route that delivers, by a sender of its push service. */
export interface Delivering {
  readonly route: Route
  readonly sender: Sender
}

/** After an error of our own, e.g. a store that does not answer. */
const ERROR_DELAY_MS = 2000
const PAUSE_WARNING_MS = 60_000

/** A handed-out delivery and what became of it. */
interface Handled extends Pick<HandledDelivery, 'result' | 'reason'> {
  readonly disposition: Disposition
  readonly note?: Note | undefined
  /** Undefined when nothing was sent. */
  readonly sendMs?: number | undefined
}

export class Worker {
  readonly #delivering: () => Delivering | undefined
  readonly #parts: WorkerParts
  /** Of a removed route, the last one. */
  #knownRoute: Route
  readonly #pauseWarnings: Throttle
  readonly #finalFailures: FinalFailures
  /** Since when deliveries wait, where that was logged. */
  #pausedSinceMs: number | undefined
  readonly #gate: Gate
  readonly #consumer: Consumer

  /**
   * Begins at once. `delivering`: as it is configured now, undefined once the route is removed; a delivery on its way keeps the sender it started with.
   * `concurrency`: deliveries in flight at once.
   */
  constructor(route: Route, delivering: () => Delivering | undefined, concurrency: number, parts: WorkerParts) {
    this.#knownRoute = route
    this.#delivering = delivering
    this.#parts = parts
    this.#pauseWarnings = new Throttle(PAUSE_WARNING_MS, parts.nowMs)
    this.#finalFailures = new FinalFailures(parts.log, parts.nowMs)
    this.#gate = new Gate({
      set: (state) => this.#consumer.setGate(state),
      nowMs: parts.nowMs,
      after: (delayMs, action) => {
        const timer = setTimeout(action, delayMs).unref()
        return () => clearTimeout(timer)
      },
      onPaused: (reason) => this.#tellPaused(reason),
      onBlocked: (reason) => this.#tellBlocked(reason),
    })
    this.#consumer = parts.queue.consume(route.name, concurrency, (handedOut, signal) =>
      this.#handle(handedOut, signal),
    )
  }

  /** Its push service may be another after a reload. */
  get #route(): Route {
    this.#knownRoute = this.#delivering()?.route ?? this.#knownRoute
    return this.#knownRoute
  }

  get isBlocked(): boolean {
    return this.#gate.isBlocked
  }

  get gateStatus(): GateStatus {
    return this.#gate.status
  }

  /** By the operator: what is on its way is finished, and nothing more is handed out until this is called again. */
  setPaused(isPaused: boolean): void {
    this.#gate.setPaused(isPaused)
  }

  /** After a reload: the credential may be a new one, and the new sender does not know which hosts were left alone. */
  probeNow(): void {
    this.#gate.probeNow()
    this.#consumer.release()
  }

  async stop(graceMs: number): Promise<void> {
    this.#gate.stop()
    await this.#consumer.stop(graceMs)
  }

  async #handle(handedOut: HandedOut, signal: AbortSignal): Promise<Disposition> {
    const { log, metrics, nowMs } = this.#parts
    const route = this.#route
    metrics.begun(route)
    const trace = this.#traceOf(handedOut)
    try {
      const handled = (await this.#withoutSending(handedOut)) ?? (await this.#attempt(handedOut, signal, trace))
      const disposition = await this.#withinShare(handedOut, handled.disposition)
      this.#report(handedOut, { ...handled, disposition })
      trace?.ended(route, handled.result, handled.reason)
      return withNote(disposition, handled.note)
    } catch (error) {
      log.error('A delivery is tried again after an error of our own', error, { app: this.#route.app })
      this.#gate.onNothingLearnt()
      return { kind: 'requeue', atMs: nowMs() + ERROR_DELAY_MS }
    } finally {
      metrics.ended(route)
    }
  }

  /** What is not to be sent any more; undefined when it is. Claims the event for this delivery. */
  async #withoutSending(handedOut: HandedOut): Promise<Handled | undefined> {
    const { deadPushkeys, deduplication, nowMs } = this.#parts
    const { delivery } = handedOut
    let handled: Handled
    if (nowMs() >= delivery.expiresAtMs)
      handled = { result: 'expired', reason: undefined, disposition: dispositionOfExpired(delivery) }
    else {
      const [unwanted, isDead] = await Promise.all([deduplication.claim(handedOut), deadPushkeys.isDead(handedOut)])
      const result = isDead ? 'pushkey_dead' : unwanted
      if (result === undefined) return undefined
      handled = { result, reason: undefined, disposition: { kind: 'acknowledge' } }
    }
    this.#gate.onNotAttempted()
    return handled
  }

  #traceOf({ delivery: { trace, acceptedAtMs }, attempt }: HandedOut): AttemptTrace | undefined {
    return trace && this.#parts.tracer?.handedOut(trace, acceptedAtMs, attempt)
  }

  async #attempt(
    { delivery, attempt }: HandedOut,
    signal: AbortSignal,
    trace: AttemptTrace | undefined,
  ): Promise<Handled> {
    const { deadPushkeys, nowMs, random } = this.#parts
    const startedMs = performance.now()
    const outcome = await this.#send(delivery, signal, trace?.answered)
    const sendMs = performance.now() - startedMs
    if (outcome.revives !== undefined) this.#consumer.release(outcome.revives)
    const isAttempted = outcome.kind !== 'waits' && outcome.kind !== 'dropped'
    if (!isAttempted) this.#gate.onNotAttempted()
    else {
      trace?.sent(sendMs)
      this.#gate.onOutcome(outcome)
    }
    await deadPushkeys.record(delivery, outcome)
    const { expiresAtMs } = delivery
    const next = dispositionOf(outcome, { attempt, nowMs: nowMs(), expiresAtMs, random: random() })
    return {
      result: outcome.kind,
      reason: outcome.kind === 'delivered' ? undefined : outcome.reason,
      disposition:
        outcome.kind === 'retry' && next.kind === 'dead-letter' ? dispositionOfExpired(delivery, next.reason) : next,
      note: this.#parts.receipts?.noteOf(delivery, attempt, outcome),
      sendMs: isAttempted ? sendMs : undefined,
    }
  }

  /** What is given up and has no place among the dead letters is counted, and goes. */
  async #withinShare({ delivery }: HandedOut, disposition: Disposition): Promise<Disposition> {
    if (disposition.kind !== 'dead-letter') return disposition
    const isKept = delivery.canary !== true && (await this.#parts.deadLetterShare.keeps(delivery).catch(() => true))
    return isKept ? disposition : { kind: 'acknowledge' }
  }

  async #send({ message, target }: Delivery, signal: AbortSignal, answered: Answered | undefined): Promise<Outcome> {
    const sender = this.#delivering()?.sender
    if (sender === undefined) return { kind: 'retry', reason: 'app_removed', scope: 'delivery', ambiguous: false }
    return sender.send(message, target, signal, answered)
  }

  #report({ delivery, attempt }: HandedOut, { result, reason, disposition, sendMs }: Handled): void {
    const { metrics, activity, identities, log } = this.#parts
    const nowMs = this.#parts.nowMs()
    const device = shortHash(delivery.deviceHash)
    const handled = {
      result,
      reason,
      isFinal: disposition.kind === 'acknowledge' || disposition.kind === 'dead-letter',
      priority: delivery.priority,
      sendSeconds: sendMs === undefined ? undefined : sendMs / 1000,
      endToEndSeconds: (nowMs - delivery.acceptedAtMs) / 1000,
      nowMs,
      device,
      attempt,
    }
    metrics.handled(this.#route, handled)
    activity.handled(this.#route.name, handled)
    if (delivery.canary === true && handled.isFinal) reportCanary(this.#route, handled, this.#parts)
    const facts = (): LogFacts => ({
      app: this.#route.app,
      device,
      push: identities.logged(delivery.id),
      attempt,
      result,
      reason,
      next: disposition.kind,
    })
    const isTold =
      disposition.kind === 'dead-letter'
        ? this.#finalFailures.tell('warn', 'A delivery was given up', facts)
        : result === 'rejected' && this.#finalFailures.tell('info', 'A pushkey is dead', facts)
    if (!isTold) log.debug('A delivery was handled', facts)
  }

  #tellPaused(reason: string | undefined): void {
    const { log, nowMs } = this.#parts
    const { app } = this.#route
    if (reason === undefined) {
      if (this.#pausedSinceMs === undefined) return
      const seconds = Math.round((nowMs() - this.#pausedSinceMs) / 1000)
      this.#pausedSinceMs = undefined
      log.info('The push service answers again; deliveries go on', { app, seconds })
    } else if (this.#pauseWarnings.allows()) {
      this.#pausedSinceMs ??= nowMs()
      log.warn(
        'Deliveries wait: the push service asks for it, or cannot be reached. From time to time one of them is tried',
        {
          app,
          reason,
        },
      )
    }
  }

  #tellBlocked(reason: string | undefined): void {
    const { metrics, log } = this.#parts
    const { app } = this.#route
    metrics.blocked(this.#route, reason !== undefined)
    if (reason === undefined) log.info('The push service takes our credential again; deliveries resume', { app })
    else
      log.error(
        'The push service refuses our credential or configuration; deliveries wait until it works again',
        undefined,
        { app, reason },
      )
  }
}

/** A delivery that only waits on is written nothing about. */
function withNote(disposition: Disposition, note: Note | undefined): Disposition {
  if (note === undefined || disposition.kind === 'hold' || disposition.kind === 'park') return disposition
  return { ...disposition, note }
}
