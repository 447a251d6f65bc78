/** What became of one attempt to deliver. A provider answers with this; an answer of a push service is never an exception. */

export type Outcome = AttemptOutcome & {
  /** A group whose push service answers again: what waits for it may be handed out. */
  readonly revives?: string | undefined
}

type AttemptOutcome =
  /** The push service took it. `serviceId`: its own name for the push, if it gave one. */
  | { readonly kind: 'delivered'; readonly serviceId?: string | undefined }
  | Rejected
  | Retry
  /** Our own configuration keeps it from this target: nothing is sent, nothing is remembered, and the pushkey lives. */
  | { readonly kind: 'dropped'; readonly reason: string }
  /** This message will never go, but the pushkey may be fine. */
  | { readonly kind: 'failed'; readonly reason: string }
  /** Proof that our own credential or configuration is refused: the whole app waits (never given on what a stranger can cause). */
  | { readonly kind: 'blocked'; readonly reason: string }
  | Waits

/** The pushkey is dead. */
export interface Rejected {
  readonly kind: 'rejected'
  readonly reason: string
  /** When the push service says it died (epoch, ms). */
  readonly sinceMs?: number | undefined
  /** By our own rules: no push service was asked, so nothing is learnt about our credential. */
  readonly isLocal?: true | undefined
}

/**
 * `afterMs` of what was not sent because no connection came about: until then the app is left alone, and then one delivery tries. Short, so that
 * all resume soon after a restart of the proxy or the end of an outage; and one attempt in this time costs nothing.
 */
export const RECONNECT_MS = 2000

export interface Retry {
  readonly kind: 'retry'
  readonly reason: string
  /** Milliseconds that the push service asks us to wait, or RECONNECT_MS; 0: at once, nothing was sent. */
  readonly afterMs?: number | undefined
  /** Least time to wait when `afterMs` is not given (429 and FCM have floors of their own). Default 1 s. */
  readonly floorMs?: number | undefined
  /** What should slow down: this delivery, everything for this target, or the whole app. */
  readonly scope: 'delivery' | 'target' | 'app'
  /** The push service may have taken it after all: the next attempt must be recognisable as the same push. */
  readonly ambiguous: boolean
}

/** Nothing was sent: the push service of this target is left alone for now, and all that is for it waits together, as a group. */
export interface Waits {
  readonly kind: 'waits'
  readonly reason: string
  readonly group: string
  /** When this one is to be tried, to see whether the push service is back; undefined where another one is. */
  readonly afterMs: number | undefined
  /** Where another one is to try: about when this one comes back by itself, as that one may come to another process, or this process may end. Default: half an hour. */
  readonly latestMs?: number | undefined
}

/** `Retry-After` (RFC 9110 §10.2.3: seconds or an HTTP date) as milliseconds from `nowMs`; undefined when absent or unreadable. */
export function parseRetryAfter(value: unknown, nowMs: number): number | undefined {
  if (typeof value !== 'string') return undefined
  const text = value.trim()
  if (/^\d{1,10}$/.test(text)) return Number(text) * 1000
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined
  const dateMs = Date.parse(text)
  return Number.isNaN(dateMs) ? undefined : Math.max(0, dateMs - nowMs)
}
