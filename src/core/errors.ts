/** Failures that cross rooms. */

/** It could not be kept, so it must not be accepted: 503. The message is for the log and carries no data. */
export class StoreUnavailable extends Error {
  override readonly name = 'StoreUnavailable'
}
