/** One trace for a request and the pushes that come of it: what is measured, and what of it is said. Off unless it is configured. */
import type { TracingConfig } from '../config/config.ts'
import type { Route } from '../core/route.ts'
import { newSpanId, newTrace, type TraceContext } from '../core/trace.ts'
import { Exporter, type ExporterParts } from './exporter.ts'
import type { Span } from './span.ts'

export interface TracerParts extends ExporterParts {
  readonly nowMs: () => number
  /** In [0, 1). */
  readonly random: () => number
}

/** A request that is traced. */
export interface RequestTrace {
  readonly context: TraceContext
  /** `elapsedMs`: since its first byte. */
  answered(status: number, elapsedMs: number): void
}

/** Of what a trace begins with: pushes of a homeserver by the push gateway API, or by Web Push for the relay. */
export type RequestName = 'notify' | 'relay'

/** An outcome that says that it is no fault, or one of others. */
const FAULTLESS = new Set(['delivered', 'coalesced', 'superseded', 'duplicate', 'pushkey_dead', 'waits', 'dropped'])
/** The first status that is a fault of ours (OpenTelemetry's conventions for HTTP servers). */
const SERVER_ERROR = 500

export class Tracer {
  readonly #parts: TracerParts
  #exporter: Exporter | undefined
  #settings: TracingConfig | undefined

  constructor(parts: TracerParts) {
    this.#parts = parts
  }

  /** From now on; undefined: nothing is traced. What was traced before still goes to where it was meant for. */
  configure(settings: TracingConfig | undefined): void {
    const before = this.#exporter
    this.#settings = settings
    this.#exporter = settings === undefined ? undefined : new Exporter(settings, this.#parts)
    void before?.close()
  }

  /** Undefined where this one is not traced. What the request itself says of a trace is not looked at (docs/decisions.md#traces). */
  request(name: RequestName): RequestTrace | undefined {
    if (this.#settings === undefined || this.#parts.random() >= this.#settings.sampleRatio) return undefined
    const context = newTrace()
    return {
      context,
      answered: (status, elapsedMs) => {
        const endMs = this.#parts.nowMs()
        this.#exporter?.add({
          ...context,
          name,
          kind: 'server',
          startMs: endMs - elapsedMs,
          endMs,
          status,
          isError: status >= SERVER_ERROR,
        })
      },
    }
  }

  /** The store has made a delivery durable, or has not. */
  stored(
    context: TraceContext,
    { app, provider }: Route,
    startMs: number,
    outcome: 'stored' | 'known' | 'refused',
  ): void {
    const endMs = this.#parts.nowMs()
    this.#add(context, {
      name: 'store',
      kind: 'internal',
      app,
      provider,
      startMs,
      endMs,
      outcome,
      isError: outcome === 'refused',
    })
  }

  /** A delivery of this trace was handed out. Undefined where nothing is traced here. */
  handedOut(context: TraceContext, acceptedAtMs: number, attempt: number): AttemptTrace | undefined {
    if (this.#exporter === undefined) return undefined
    const add = (span: SpanOfTrace): void => this.#add(context, { ...span, attempt })
    return new AttemptTrace(add, acceptedAtMs, this.#parts.nowMs)
  }

  async close(): Promise<void> {
    await this.#exporter?.close()
  }

  #add({ traceId, spanId: parentSpanId }: TraceContext, span: SpanOfTrace): void {
    this.#exporter?.add({ ...span, traceId, parentSpanId, spanId: newSpanId() })
  }
}

type SpanOfTrace = Omit<Span, 'traceId' | 'spanId' | 'parentSpanId'>

/** From when a delivery is handed out until it is known what becomes of it. */
export class AttemptTrace {
  readonly #add: (span: SpanOfTrace) => void
  readonly #acceptedAtMs: number
  readonly #nowMs: () => number
  readonly #handedOutAtMs: number
  #sent: { readonly startMs: number; readonly endMs: number } | undefined
  #status: number | undefined

  constructor(add: (span: SpanOfTrace) => void, acceptedAtMs: number, nowMs: () => number) {
    this.#add = add
    this.#acceptedAtMs = acceptedAtMs
    this.#nowMs = nowMs
    this.#handedOutAtMs = nowMs()
  }

  /** The status of the push service's answer. */
  readonly answered = (status: number): void => {
    this.#status = status
  }

  /** An attempt was made, and took so long; it ends now. */
  sent(tookMs: number): void {
    const endMs = this.#nowMs()
    this.#sent = { startMs: endMs - tookMs, endMs }
  }

  /** What was not sent has waited for nothing, and says so where it waited. */
  ended({ app, provider }: Route, outcome: string, reason: string | undefined): void {
    const route = { app, provider }
    const isError = !FAULTLESS.has(outcome)
    const said = { outcome, reason, isError }
    const waited = { startMs: this.#acceptedAtMs, endMs: this.#handedOutAtMs }
    const isSent = this.#sent !== undefined
    this.#add({ name: 'queue', kind: 'internal', ...route, ...waited, ...(isSent ? { isError: false } : said) })
    if (this.#sent !== undefined)
      this.#add({ name: 'send', kind: 'client', ...route, ...this.#sent, status: this.#status, ...said })
  }
}
