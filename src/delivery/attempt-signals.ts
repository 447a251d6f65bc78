/** The signal of each attempt: it aborts when its time is over, or together with others that share a signal. Costs neither a timer nor a listener for each. */
import { Deadlines } from '../core/deadlines.ts'

export class AttemptSignals {
  readonly #deadlines: Deadlines
  /** By the signal that they share. */
  readonly #attempts = new WeakMap<AbortSignal, Set<AbortController>>()

  constructor(limitMs: number) {
    this.#deadlines = new Deadlines(limitMs)
  }

  /** `shared`: of many attempts. */
  async run<T>(shared: AbortSignal, attempt: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const controller = new AbortController()
    const others = this.#attemptsOf(shared)
    others.add(controller)
    const deadline = this.#deadlines.add(() => controller.abort())
    if (shared.aborted) controller.abort()
    try {
      return await attempt(controller.signal)
    } finally {
      deadline.cancel()
      others.delete(controller)
    }
  }

  #attemptsOf(shared: AbortSignal): Set<AbortController> {
    const known = this.#attempts.get(shared)
    if (known !== undefined) return known
    const attempts = new Set<AbortController>()
    this.#attempts.set(shared, attempts)
    shared.addEventListener('abort', () => {
      for (const attempt of attempts) attempt.abort()
    })
    return attempts
  }
}
