/** Failures that cross rooms. */

/** It could not be kept, so it must not be accepted: 503. The message is for the log and carries no data. */
export class StoreUnavailableError extends Error {
  override readonly name = 'StoreUnavailableError'
}

/** The operator has to do something before this store can be opened; the message is a sentence that says what. */
export class StoreRefusedError extends Error {
  override readonly name = 'StoreRefusedError'
}

/** The code of a DialError: the proxy was not asked for a host that a stranger named, as it is no public name. */
export const NOT_FOR_PROXY = 'not for the proxy'

/** No connection came about, so nothing was sent. */
export class DialError extends Error {
  override readonly name: string = 'DialError'
  /** Why, without an address: a system's word (`ECONNREFUSED`) or what the proxy did (`proxy 502`). Fit for a metric's label. */
  readonly code: string
  /** There is no connection to the proxy itself, so there is no way to anybody. Where it is there and fails, that may be about the host. */
  readonly isProxyAway: boolean

  constructor(code: string, isProxyAway = false) {
    super(code)
    this.code = code
    this.isProxyAway = isProxyAway
  }
}

/** The proxy does not let us through (4xx): its configuration and ours do not fit. */
export class ProxyRefusedError extends DialError {
  override readonly name = 'ProxyRefusedError'
  readonly status: number

  constructor(status: number) {
    super(`proxy refused: ${status}`)
    this.status = status
  }
}
