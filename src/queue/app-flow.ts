/**
 * Whether an app's deliveries are handed out: all, none, or one to see whether things work again. Closed by proof that our credential is refused
 * (`blocked`) or by a push service that asked the whole app to wait; opened by the first delivery that the push service answers for good.
 */
import type { Outcome } from '../core/outcome.ts'
import type { Flow } from './delivery-queue.ts'

export interface AppFlowPorts {
  readonly setFlow: (flow: Flow) => void
  /** Runs `action` after `delayMs`; the result cancels it. Must not keep the process alive. */
  readonly after: (delayMs: number, action: () => void) => () => void
  /** Told when the app becomes blocked (with the reason) and when it works again (undefined). */
  readonly onBlocked: (reason: string | undefined) => void
}

export const PROBE_INTERVAL_MS = 30_000
/** A push service that asks an app to wait for hours is asked again after this. */
const LONGEST_PAUSE_MS = 15 * 60_000

export class AppFlow {
  readonly #ports: AppFlowPorts
  #state: 'open' | 'paused' | 'blocked' = 'open'
  #cancelProbe: () => void = () => {}

  constructor(ports: AppFlowPorts) {
    this.#ports = ports
  }

  get isBlocked(): boolean {
    return this.#state === 'blocked'
  }

  /** To be told of every attempt's outcome. */
  onOutcome(outcome: Outcome): void {
    if (outcome.kind === 'blocked') {
      const isNews = this.#state !== 'blocked'
      this.#close('blocked', PROBE_INTERVAL_MS)
      if (isNews) this.#ports.onBlocked(outcome.reason)
    } else if (outcome.kind === 'delivered' || outcome.kind === 'rejected') this.#open()
    else if (
      outcome.kind === 'retry' &&
      outcome.scope === 'app' &&
      outcome.afterMs !== undefined &&
      outcome.afterMs > 0
    )
      this.#close(this.#state === 'blocked' ? 'blocked' : 'paused', Math.min(outcome.afterMs, LONGEST_PAUSE_MS))
    else if (this.#state !== 'open') this.#probeAfter(PROBE_INTERVAL_MS)
  }

  /** What was handed out needed no attempt (superseded, expired) and so taught nothing: the next one asks. */
  onNotAttempted(): void {
    this.probeNow()
  }

  /** After a reload: the credential may be a new one. */
  probeNow(): void {
    if (this.#state !== 'open') this.#probeAfter(0)
  }

  stop(): void {
    this.#cancelProbe()
  }

  #open(): void {
    if (this.#state === 'open') return
    const wasBlocked = this.#state === 'blocked'
    this.#state = 'open'
    this.#cancelProbe()
    this.#ports.setFlow('open')
    if (wasBlocked) this.#ports.onBlocked(undefined)
  }

  #close(state: 'paused' | 'blocked', probeAfterMs: number): void {
    this.#state = state
    this.#ports.setFlow('closed')
    this.#probeAfter(probeAfterMs)
  }

  #probeAfter(delayMs: number): void {
    this.#cancelProbe()
    this.#cancelProbe = this.#ports.after(delayMs, () => this.#ports.setFlow('one'))
  }
}
