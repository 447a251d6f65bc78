/** From what comes back for a request to an `Outcome`: a table for each push service, of one form. Pure. */
import { RECONNECT_MS, type Outcome, type Retry } from '../../core/outcome.ts'

/** Least wait where somebody has to repair something first. */
export const OPERATOR_FLOOR_MS = 600_000

/** The head of an answer. */
export interface AnswerHead {
  readonly kind: 'answer'
  readonly status: number
  readonly retryAfter?: string | undefined
}

/** A complete answer. */
export interface Answer extends AnswerHead {
  readonly body: string
}

/** No answer, or not all of it. */
export interface LostRequest {
  readonly kind: 'lost'
  /** `ECONNREFUSED`, `deadline`, `aborted`, … */
  readonly code: string
  /** The request may have reached the other side. */
  readonly written: boolean
  /** The status with which the operator's proxy refused to connect. */
  readonly proxyRefusal?: number | undefined
  /** There is no connection to the operator's proxy, whatever host is meant. */
  readonly isProxyAway?: boolean | undefined
  /** The peer refused our certificate, which only the real one can say. */
  readonly isCertificateRefused?: boolean | undefined
  /** There was a connection, and the peer did not look at the request: another connection may take it at once. */
  readonly isUnprocessed?: boolean | undefined
}

/** What is known of one attempt, taken apart; the rows of a table look at it. */
export interface Finding {
  /** Safe to count and to log: a status, a code, or a word of the push service's documentation. */
  readonly reason: string
  readonly status?: number | undefined
  /** The push service's own word for what is wrong. */
  readonly word?: string | undefined
  /** Since when the device is gone (epoch, ms). */
  readonly sinceMs?: number | undefined
  /** Milliseconds that the push service asks us to wait: exactly so long, or at least. */
  readonly afterMs?: number | undefined
  readonly floorMs?: number | undefined
}

/** An outcome but for what the finding says: its reason, and the wait that was asked for. */
export type Verdict = 'delivered' | 'rejected' | 'failed' | 'dropped' | 'blocked' | Omit<Retry, 'kind' | 'reason'>

/** Fits a finding of this status (or of one from … to), with this word, for which `when` holds; what is left out fits any. */
export interface Row<F extends Finding = Finding> {
  readonly status?: number | readonly [from: number, to: number]
  readonly word?: string
  readonly when?: (finding: F) => boolean
  readonly is: Verdict
}

/** Where there is no answer, of a push service to which the app has its own connections. `floorMs`: least wait where it may have been taken. */
export function noAnswer(floorMs: number): readonly Row<Finding & LostRequest>[] {
  return [
    // The proxy does not let us through.
    { when: ({ proxyRefusal }) => proxyRefusal !== undefined, is: 'blocked' },
    { when: ({ written }) => written, is: { scope: 'delivery', ambiguous: true, floorMs } },
    // The peer ended the connection, or took no more on it, before it looked at this one; others may be served.
    { when: ({ isUnprocessed }) => isUnprocessed === true, is: { scope: 'delivery', ambiguous: false } },
    // Nothing left this house, so nothing can come twice.
    { when: ({ code }) => code === 'aborted', is: { scope: 'delivery', ambiguous: false } },
    // There was no connection for it in time, though the others may be at work.
    { when: ({ code }) => code === 'deadline', is: { scope: 'app', ambiguous: false } },
    // There is no way there for anybody.
    { is: { scope: 'app', ambiguous: false, afterMs: RECONNECT_MS } },
  ]
}

/** By the first row that fits. The last row of a table fits anything. */
export function outcomeBy<F extends Finding>(rows: readonly Row<F>[], finding: F): Outcome {
  const { reason } = finding
  const verdict = rows.find((row) => fits(row, finding))?.is ?? 'failed'
  switch (verdict) {
    case 'delivered':
      return { kind: 'delivered' }
    case 'rejected':
      return { kind: 'rejected', reason, sinceMs: finding.sinceMs }
    case 'failed':
    case 'dropped':
    case 'blocked':
      return { kind: verdict, reason }
    default:
      return {
        kind: 'retry',
        reason,
        ...verdict,
        afterMs: finding.afterMs ?? verdict.afterMs,
        floorMs: finding.floorMs ?? verdict.floorMs,
      }
  }
}

function fits<F extends Finding>({ status, word, when }: Row<F>, finding: F): boolean {
  if (word !== undefined && word !== finding.word) return false
  if (status !== undefined) {
    const [from, to] = typeof status === 'number' ? [status, status] : status
    if (finding.status === undefined || finding.status < from || finding.status > to) return false
  }
  return when === undefined || when(finding)
}

/** The words that a push service documents. Any other word may be one of the message, quoted, and is not passed on. */
export function documentedWords(words: readonly string[]): (said: unknown) => string | undefined {
  const known: ReadonlySet<unknown> = new Set(words)
  return (said) => (typeof said === 'string' && known.has(said) ? said : undefined)
}
