/** One attempt to send something, and what may end it before its answer comes: whoever asked for it, or a deadline. */

export class Attempt {
  readonly #group: Group | undefined
  #cutOffBy: string | undefined
  /** Told once, by whoever waits for something on behalf of the attempt at the moment. */
  onCutOff: ((code: string) => void) | undefined
  /** Of the last answer that there was to it. */
  status: number | undefined

  /** Ends with the code `aborted` when `signal` aborts. */
  constructor(signal?: AbortSignal) {
    if (signal?.aborted === true) this.#cutOffBy = 'aborted'
    else if (signal !== undefined) this.#group = groupOf(signal)
    this.#group?.add(this)
  }

  /** Why it is over; undefined while it goes on. */
  get cutOffBy(): string | undefined {
    return this.#cutOffBy
  }

  cutOff(code: string): void {
    if (this.#cutOffBy !== undefined) return
    this.#cutOffBy = code
    this.onCutOff?.(code)
  }

  /** As the promise does, or with undefined when the attempt is cut off before. */
  before<T>(promise: Promise<T>): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#cutOffBy !== undefined) return resolve(undefined)
      this.onCutOff = () => resolve(undefined)
      promise.then(resolve, reject)
    })
  }

  /** It has come to its own end. */
  finish(): void {
    this.#group?.delete(this)
  }
}

/** Attempts that end with one signal. Many share one, and a listener for each would be paid for with each. */
class Group {
  readonly #signal: AbortSignal
  readonly #attempts = new Set<Attempt>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#onAbort, { once: true })
  }

  add(attempt: Attempt): void {
    this.#attempts.add(attempt)
  }

  delete(attempt: Attempt): void {
    this.#attempts.delete(attempt)
    if (this.#attempts.size > 0) return
    this.#signal.removeEventListener('abort', this.#onAbort)
    groups.delete(this.#signal)
  }

  readonly #onAbort = (): void => {
    for (const attempt of this.#attempts) attempt.cutOff('aborted')
  }
}

const groups = new WeakMap<AbortSignal, Group>()

function groupOf(signal: AbortSignal): Group {
  const group = groups.get(signal) ?? new Group(signal)
  groups.set(signal, group)
  return group
}
