/** Hands an app's deliveries to its push service: claim → send → record → what next. The same for every store and every push service. */
import { isKeptWhenExpired, type Delivery } from '../core/delivery.ts'
import type { Outcome } from '../core/outcome.ts'
import { AppFlow } from './gate.ts'
import type { Consumption, DeliveryQueue, Disposition, Flow, HandedOut } from '../store/contract.ts'
import { dispositionOf } from './retry.ts'

/** Why a delivery is not sent after all. */
export type Unwanted = 'duplicate' | 'superseded' | 'coalesced' | 'pushkey_dead'
export type Claim = 'send' | Unwanted

/** What became of a handed-out delivery, for metrics. `attempted` is false when nothing was sent. */
export interface Settled {
  readonly delivery: Delivery
  readonly attempt: number
  readonly result: Outcome['kind'] | Unwanted | 'expired'
  readonly reason: string | undefined
  readonly disposition: Disposition['kind']
  /** How long the push service took; undefined when nothing was sent. */
  readonly sendMs: number | undefined
}

export interface WorkerPorts {
  readonly queue: Pick<DeliveryQueue, 'consume'>
  /** One attempt. */
  readonly send: (delivery: Delivery, signal: AbortSignal) => Promise<Outcome>
  /** Whether it is still to be sent; claims its event for this delivery. */
  readonly claim: (handedOut: HandedOut) => Promise<Claim>
  /** Remembers what the outcome says of the pushkey; resolves when that is durable. */
  readonly record: (delivery: Delivery, outcome: Outcome) => Promise<void>
  readonly onSettled: (settled: Settled) => void
  readonly onPaused: (reason: string) => void
  readonly onBlocked: (reason: string | undefined) => void
  /** A bug or an outage; the delivery is tried again. */
  readonly onError: (error: unknown) => void
  readonly nowMs: () => number
  readonly random: () => number
}

export interface AppWorker {
  readonly isBlocked: boolean
  probeNow(): void
  stop(graceMs: number): Promise<void>
}

/** Long enough for every push service's own advice (Google: at least 10 s), shorter than any store's patience. */
const ATTEMPT_TIMEOUT_MS = 15_000
/** After an error of our own, e.g. a store that does not answer. */
const ERROR_DELAY_MS = 2000

export function startWorker(app: string, concurrency: number, ports: WorkerPorts): AppWorker {
  let consumption: Consumption | undefined
  const flow = new AppFlow({
    setFlow: (next: Flow) => consumption?.setFlow(next),
    after: (delayMs, action) => {
      const timer = setTimeout(action, delayMs).unref()
      return () => clearTimeout(timer)
    },
    onPaused: ports.onPaused,
    onBlocked: ports.onBlocked,
  })
  consumption = ports.queue.consume(app, concurrency, (batch, signal) =>
    Promise.all(batch.map((handedOut) => settle(handedOut, signal, flow, ports))),
  )
  return {
    get isBlocked() {
      return flow.isBlocked
    },
    probeNow: () => flow.probeNow(),
    stop: async (graceMs) => {
      flow.stop()
      await consumption?.stop(graceMs)
    },
  }
}

async function settle(
  handedOut: HandedOut,
  signal: AbortSignal,
  flow: AppFlow,
  ports: WorkerPorts,
): Promise<Disposition> {
  try {
    const { delivery, attempt } = handedOut
    const unwanted = await reasonNotToSend(handedOut, ports)
    if (unwanted !== undefined) {
      const disposition: Disposition =
        unwanted === 'expired' ? ofExpired(delivery, { kind: 'dead-letter', reason: 'expired' }) : { kind: 'acknowledge' }
      flow.onNotAttempted()
      ports.onSettled({
        delivery,
        attempt,
        result: unwanted,
        reason: undefined,
        disposition: disposition.kind,
        sendMs: undefined,
      })
      return disposition
    }
    const startedMs = performance.now()
    const outcome = await ports.send(delivery, AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]))
    const sendMs = performance.now() - startedMs
    flow.onOutcome(outcome)
    await ports.record(delivery, outcome)
    const circumstances = { attempt, nowMs: ports.nowMs(), expiresAtMs: delivery.expiresAtMs, random: ports.random() }
    const next = dispositionOf(outcome, circumstances)
    const disposition = outcome.kind === 'retry' ? ofExpired(delivery, next) : next
    const reason = outcome.kind === 'delivered' ? undefined : outcome.reason
    ports.onSettled({ delivery, attempt, result: outcome.kind, reason, disposition: disposition.kind, sendMs })
    return disposition
  } catch (error) {
    ports.onError(error)
    flow.onNothingLearnt()
    return { kind: 'requeue', atMs: ports.nowMs() + ERROR_DELAY_MS }
  }
}

function ofExpired(delivery: Delivery, disposition: Disposition): Disposition {
  return disposition.kind === 'dead-letter' && !isKeptWhenExpired(delivery) ? { kind: 'acknowledge' } : disposition
}

async function reasonNotToSend(handedOut: HandedOut, ports: WorkerPorts): Promise<Unwanted | 'expired' | undefined> {
  if (ports.nowMs() >= handedOut.delivery.expiresAtMs) return 'expired'
  const claim = await ports.claim(handedOut)
  return claim === 'send' ? undefined : claim
}
