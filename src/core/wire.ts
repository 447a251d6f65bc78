/** What is counted of the way to a push service, whoever speaks to it. */

export interface WireCounts {
  readonly app: string
  readonly provider: string
  /** TCP connections that are open now, also those for access tokens. */
  readonly connections: number
  /** Answers to pushes so far, by the status of HTTP. */
  readonly answers: readonly (readonly [status: number, count: number])[]
}
