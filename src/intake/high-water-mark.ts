/** Whether a route has as much waiting as it may have: asked on every request, looked up once a second. */
import { Throttle } from '../core/throttle.ts'
import type { DeliveryQueue } from '../store/contract.ts'

const LOOK_EVERY_MS = 1000

export class HighWaterMark {
  readonly #queue: Pick<DeliveryQueue, 'depth'>
  readonly #looks: Throttle
  readonly #full = new Set<string>()

  constructor(queue: Pick<DeliveryQueue, 'depth'>, nowMs: () => number) {
    this.#queue = queue
    this.#looks = new Throttle(LOOK_EVERY_MS, nowMs)
  }

  isReached(route: string, highWater: number): boolean {
    if (this.#looks.allows(route)) void this.#look(route, highWater)
    return this.#full.has(route)
  }

  async #look(route: string, highWater: number): Promise<void> {
    try {
      const { waiting, delayed, active } = await this.#queue.depth(route)
      if (waiting + delayed + active >= highWater) this.#full.add(route)
      else this.#full.delete(route)
    } catch {
      // The store says so itself when it is asked to keep something.
    }
  }
}
