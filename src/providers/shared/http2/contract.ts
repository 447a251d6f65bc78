/** What whoever uses a session gives it, and is told. */

export interface SessionLimits {
  /** The longest body that is read to its end. */
  readonly maxAnswerBytes: number
  /** Of what we write and the peer does not read. */
  readonly maxWaitingBytes: number
}

/** Told what comes for one request. */
export interface Answering {
  /** `isOver`: there is no body. */
  head(status: number, retryAfter: string | undefined, isOver: boolean): void
  /** The bytes are valid for as long as they are referred to. */
  data(bytes: Buffer): void
  /** Once, at the end: with `ERROR.none` the peer ended its answer. */
  closed(code: number): void
}

/** Told what the peer says of the connection. */
export interface SessionEvents {
  /** Its settings have come, or changed. */
  settings(): void
  /** It takes no more requests, and does not look at those after this one. */
  goaway(lastStreamId: number): void
  /** It is over; what was under way has been told. */
  closed(): void
}
