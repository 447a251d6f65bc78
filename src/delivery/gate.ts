/**
 * Whether a route's deliveries are handed out: all, none, or one to see whether things work again. Closed by proof that our credential is refused
 * (`blocked`), by a push service that asks the whole route to wait, where no connection comes about, or where a push service does nothing but fail; opened by
 * the first delivery that the push service answers for good.
 */
import type { Outcome, Retry } from '../core/outcome.ts'
import type { GateState } from '../store/contract.ts'

export interface GatePorts {
  readonly set: (state: GateState) => void
  readonly nowMs: () => number
  /** Runs `action` after `delayMs`; the result cancels it. Must not keep the process alive. */
  readonly after: (delayMs: number, action: () => void) => () => void
  /** Told when the route begins to wait (with the reason), and when it works again after that (undefined). */
  readonly onPaused: (reason: string | undefined) => void
  /** Told when the route becomes blocked (with the reason) and when it works again (undefined). */
  readonly onBlocked: (reason: string | undefined) => void
}

/** As an operator sees it. `held`: the push service asks for it, cannot be reached, or does nothing but fail. */
export interface GateStatus {
  readonly state: 'open' | 'held' | 'blocked'
  /** Why it is not open, in the push service's own word. */
  readonly reason?: string | undefined
  /** Since when it is not open. */
  readonly sinceMs?: number | undefined
}

export const PROBE_INTERVAL_MS = 30_000
/** A push service that asks us to wait for hours is asked again after this. */
const LONGEST_PAUSE_MS = 15 * 60_000
/**
 * However short the pause that is asked for (2 seconds where no connection comes about), it lasts at least a tenth of the time that the route has been closed, up to this: each attempt is a
 * write to the store, for every app. Not longer, because a call is worth something for 15 seconds.
 */
const LONGEST_AWAY_PAUSE_MS = 10_000
/** A push service in good health fails now and then. So often in a row it has done nothing else, and more attempts would only burden it. */
const FAILURES_IN_A_ROW = 10
/** The first pause where it does not say how long; each further one is twice as long, up to that between probes. */
const FIRST_PAUSE_MS = 1000

export class Gate {
  readonly #ports: GatePorts
  #status: GateStatus = { state: 'open' }
  /** What would be handed out if the operator had not paused the route. */
  #wanted: GateState = 'open'
  #isPaused = false
  /** Between probes, as long as nothing else is asked for. */
  #intervalMs = PROBE_INTERVAL_MS
  /** Of the push service, since it last answered for good. */
  #failures = 0
  /** That it did not ask for, since then. */
  #pauses = 0
  /** Probes in a row whose answers were about their own delivery alone. */
  #inconclusive = 0
  /** Undefined when none is to come: it was handed out, and its outcome is awaited. */
  #cancelProbe: (() => void) | undefined

  constructor(ports: GatePorts) {
    this.#ports = ports
  }

  get isBlocked(): boolean {
    return this.#state === 'blocked'
  }

  get status(): GateStatus {
    return this.#status
  }

  get #state(): GateStatus['state'] {
    return this.#status.state
  }

  /** The operator pauses the route, or lets it go on where it would be by now. */
  setPaused(isPaused: boolean): void {
    if (isPaused === this.#isPaused) return
    this.#isPaused = isPaused
    this.#ports.set(isPaused ? 'closed' : this.#wanted)
  }

  /** To be told of every attempt's outcome. */
  onOutcome(outcome: Outcome): void {
    if (outcome.kind === 'blocked') {
      const isNews = this.#state !== 'blocked'
      this.#close('blocked', outcome.reason, PROBE_INTERVAL_MS)
      if (isNews) this.#ports.onBlocked(outcome.reason)
    } else if (outcome.kind === 'rejected' && outcome.isLocal === true) this.onNotAttempted()
    else if (outcome.kind === 'delivered' || outcome.kind === 'rejected') this.#open()
    else if (outcome.kind === 'retry' && outcome.scope === 'app') this.#onTrouble(outcome)
    else this.#onInconclusive()
  }

  /** An attempt ended without a word about the way there. It may have been on its way from before, so it does not put off a probe. */
  onNothingLearnt(): void {
    if (this.#state !== 'open' && this.#cancelProbe === undefined) this.#probeAfter(this.#intervalMs)
  }

  /**
   * The answer was about this delivery alone, e.g. too many pushes for its device. Another may show sooner than after a whole interval that things work again: calls
   * ask first, and the rest of them would expire while two wait for such answers. Ever later, so that nobody who posts such deliveries has a blocked app asked all the time.
   */
  #onInconclusive(): void {
    if (this.#state === 'open' || this.#cancelProbe !== undefined) return
    this.#probeAfter(Math.min(FIRST_PAUSE_MS * 2 ** this.#inconclusive, this.#intervalMs))
    this.#inconclusive += 1
  }

  /** What was handed out needed no attempt (superseded, expired, no possible pushkey) and so taught nothing: if it was the probe, the next one asks. */
  onNotAttempted(): void {
    if (this.#cancelProbe === undefined) this.probeNow()
  }

  /** After a reload: the credential may be a new one. */
  probeNow(): void {
    if (this.#state !== 'open') this.#probeAfter(0)
  }

  stop(): void {
    this.#cancelProbe?.()
  }

  #onTrouble({ reason, afterMs = 0, floorMs = 0 }: Retry): void {
    if (afterMs > 0) return this.#pause(reason, afterMs)
    this.#failures += 1
    const isEnough = this.#state === 'open' ? this.#failures >= FAILURES_IN_A_ROW : this.#cancelProbe === undefined
    if (this.#state === 'blocked' || !isEnough) return this.onNothingLearnt()
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** this.#pauses, PROBE_INTERVAL_MS)
    this.#pauses += 1
    this.#pause(reason, Math.max(pauseMs, floorMs))
  }

  #pause(reason: string, delayMs: number): void {
    if (this.#state === 'open') this.#ports.onPaused(reason)
    const isBlocked = this.#state === 'blocked'
    const pauseMs = Math.max(delayMs, Math.min(Math.round(this.#closedMs / 10), LONGEST_AWAY_PAUSE_MS))
    this.#close(
      isBlocked ? 'blocked' : 'held',
      isBlocked ? this.#status.reason : reason,
      Math.min(pauseMs, LONGEST_PAUSE_MS),
    )
  }

  /** For how long it has not been open. */
  get #closedMs(): number {
    const { sinceMs } = this.#status
    return sinceMs === undefined ? 0 : this.#ports.nowMs() - sinceMs
  }

  #open(): void {
    this.#failures = 0
    this.#pauses = 0
    this.#inconclusive = 0
    if (this.#state === 'open') return
    const wasBlocked = this.#state === 'blocked'
    this.#status = { state: 'open' }
    this.#cancelProbe?.()
    this.#cancelProbe = undefined
    this.#set('open')
    if (wasBlocked) this.#ports.onBlocked(undefined)
    else this.#ports.onPaused(undefined)
  }

  #close(state: 'held' | 'blocked', reason: string | undefined, probeAfterMs: number): void {
    const sinceMs = state === this.#state ? this.#status.sinceMs : this.#ports.nowMs()
    this.#status = { state, reason, sinceMs }
    this.#intervalMs = Math.min(probeAfterMs, PROBE_INTERVAL_MS)
    this.#inconclusive = 0
    this.#set('closed')
    this.#probeAfter(probeAfterMs)
  }

  #probeAfter(delayMs: number): void {
    this.#cancelProbe?.()
    this.#cancelProbe = this.#ports.after(delayMs, () => {
      this.#cancelProbe = undefined
      this.#set('one')
    })
  }

  #set(state: GateState): void {
    this.#wanted = state
    if (!this.#isPaused) this.#ports.set(state)
  }
}
