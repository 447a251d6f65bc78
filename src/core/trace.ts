/** The place of a push in a trace of OpenTelemetry. Both IDs are random: nothing of a push, a device or a homeserver is in them. */
import { randomBytes } from 'node:crypto'

export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string
  /** Of the span that the next ones belong under; 16 hex digits. */
  readonly spanId: string
}

const TRACE_ID_BYTES = 16
const SPAN_ID_BYTES = 8
/** As in the header `traceparent` (W3C Trace Context §3.2). Only what is exported has one, so the flag is always "sampled". */
const TEXT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-01$/

export function newTrace(): TraceContext {
  return { traceId: randomBytes(TRACE_ID_BYTES).toString('hex'), spanId: newSpanId() }
}

export function newSpanId(): string {
  return randomBytes(SPAN_ID_BYTES).toString('hex')
}

export function traceText({ traceId, spanId }: TraceContext): string {
  return `00-${traceId}-${spanId}-01`
}

/** Undefined for what is none. */
export function parseTrace(text: unknown): TraceContext | undefined {
  const [, traceId, spanId] = (typeof text === 'string' && TEXT.exec(text)) || []
  return traceId === undefined || spanId === undefined ? undefined : { traceId, spanId }
}
