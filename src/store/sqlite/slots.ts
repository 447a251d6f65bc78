/**
 * The slots of one route: what is in flight, and whose turn it is when one is free. Calls go first. Then what is fresh, from memory, and what is due in the
 * database take turns, so that neither waits for all of the other: each has at least half of the slots for as long as something of it waits. Pure.
 */
import type { Priority } from '../../core/delivery.ts'

export type Origin = 'fresh' | 'due'

export interface Candidate {
  readonly order: number
  readonly priority: Priority
}

export class Slots {
  readonly #origins = new Map<number, Origin>()
  #due = 0
  #last: Origin = 'due'

  get size(): number {
    return this.#origins.size
  }

  get orders(): Iterable<number> {
    return this.#origins.keys()
  }

  has(order: number): boolean {
    return this.#origins.has(order)
  }

  take(order: number, origin: Origin): void {
    this.#origins.set(order, origin)
    this.#last = origin
    if (origin === 'due') this.#due += 1
  }

  giveBack(order: number): void {
    if (this.#origins.get(order) === 'due') this.#due -= 1
    this.#origins.delete(order)
  }

  clear(): void {
    this.#origins.clear()
    this.#due = 0
  }

  /** Undefined when nothing waits. What is fresh and older than all that is due only keeps its order when it goes first. */
  next(fresh: Candidate | undefined, due: Candidate | undefined): Origin | undefined {
    if (fresh === undefined || due === undefined) return fresh === undefined ? due && 'due' : 'fresh'
    const [isFreshCall, isDueCall] = [fresh.priority === 'call', due.priority === 'call']
    if (isFreshCall !== isDueCall) return isFreshCall ? 'fresh' : 'due'
    if (fresh.order < due.order) return 'fresh'
    if (isDueCall) return 'due'
    const lead = this.#due - (this.size - this.#due)
    if (lead !== 0) return lead > 0 ? 'fresh' : 'due'
    return this.#last === 'due' ? 'fresh' : 'due'
  }
}
