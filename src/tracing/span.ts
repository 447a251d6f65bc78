/** What is exported of a push, and how: OTLP as JSON (opentelemetry.io/docs/specs/otlp, trace service). Pure. */

/** These, and no more: an ID of a device, user, room, event or push has no field to travel in. */
export interface SpanAttributes {
  /** The app's name in the configuration, never the app_id of a request. */
  readonly app?: string | undefined
  readonly provider?: string | undefined
  /** A word of a closed list. */
  readonly outcome?: string | undefined
  /** As the metrics have it: a status, a code, or a word of the push service's documentation. */
  readonly reason?: string | undefined
  /** Status of HTTP. */
  readonly status?: number | undefined
  /** 1 for the first. */
  readonly attempt?: number | undefined
}

export const SPAN_KINDS = { internal: 1, server: 2, client: 3 } as const

export interface Span extends SpanAttributes {
  readonly name: 'notify' | 'relay' | 'store' | 'queue' | 'send'
  readonly kind: keyof typeof SPAN_KINDS
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string | undefined
  /** Epoch, ms, with fractions. */
  readonly startMs: number
  readonly endMs: number
  readonly isError: boolean
}

const NAMES = {
  app: 'hushgate.app',
  provider: 'hushgate.provider',
  outcome: 'hushgate.outcome',
  reason: 'error.type',
  status: 'http.response.status_code',
  attempt: 'hushgate.attempt',
} as const satisfies Record<keyof SpanAttributes, string>
/** Of a span's status. */
const ERROR = 2

/** The body of an export. */
export function exportRequest(spans: readonly Span[], version: string): string {
  const resource = { attributes: [text('service.name', 'hushgate'), text('service.version', version)] }
  const scopeSpans = [{ scope: { name: 'hushgate' }, spans: spans.map(encoded) }]
  return JSON.stringify({ resourceSpans: [{ resource, scopeSpans }] })
}

function encoded(span: Span): object {
  const { traceId, spanId, parentSpanId, name, startMs, endMs } = span
  return {
    traceId,
    spanId,
    parentSpanId,
    name,
    kind: SPAN_KINDS[span.kind],
    startTimeUnixNano: nanoseconds(startMs),
    endTimeUnixNano: nanoseconds(Math.max(startMs, endMs)),
    attributes: attributesOf(span),
    status: span.isError ? { code: ERROR } : {},
  }
}

function attributesOf({ app, provider, outcome, reason, status, attempt }: SpanAttributes): readonly object[] {
  return [
    ...(app === undefined ? [] : [text(NAMES.app, app)]),
    ...(provider === undefined ? [] : [text(NAMES.provider, provider)]),
    ...(outcome === undefined ? [] : [text(NAMES.outcome, outcome)]),
    ...(reason === undefined ? [] : [text(NAMES.reason, reason)]),
    ...(status === undefined ? [] : [number(NAMES.status, status)]),
    ...(attempt === undefined ? [] : [number(NAMES.attempt, attempt)]),
  ]
}

function text(key: string, value: string): object {
  return { key, value: { stringValue: value } }
}

function number(key: string, value: number): object {
  return { key, value: { intValue: String(value) } }
}

/** Of whole microseconds: more digits than a double has would be made up. */
function nanoseconds(ms: number): string {
  return `${Math.round(ms * 1000)}000`
}
