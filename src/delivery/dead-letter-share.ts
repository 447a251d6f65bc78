/** Which dead letters are kept: while half of a route's places are taken, only those of devices that a push was delivered to. Anybody can post for others. */
import type { Delivery } from '../core/delivery.ts'
import { Throttle } from '../core/throttle.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import { DEAD_LETTERS_PER_ROUTE, type DeliveryQueue } from '../store/contract.ts'

const SHARE_OF_STRANGERS = 0.5
const LOOK_EVERY_MS = 1000

export interface DeadLetterShareParts {
  readonly queue: Pick<DeliveryQueue, 'depth'>
  readonly known: Pick<KnownDevices, 'isKnown' | 'isLearning'>
  readonly nowMs: () => number
}

export class DeadLetterShare {
  readonly #parts: DeadLetterShareParts
  readonly #looks: Throttle
  /** Of each route, as it was looked up. */
  readonly #dead = new Map<string, number>()
  /** Those of strangers, since the last look. */
  readonly #added = new Map<string, number>()

  constructor(parts: DeadLetterShareParts) {
    this.#parts = parts
    this.#looks = new Throttle(LOOK_EVERY_MS, parts.nowMs)
  }

  /** Whether this one becomes a dead letter. Rejects with StoreUnavailableError. */
  async keeps(delivery: Pick<Delivery, 'route' | 'deviceHash'>): Promise<boolean> {
    const { route } = delivery
    const { known } = this.#parts
    if (await known.isKnown(delivery)) return true
    if (this.#looks.allows(route)) await this.#look(route)
    const added = (this.#added.get(route) ?? 0) + 1
    const isKept = (this.#dead.get(route) ?? 0) + added <= DEAD_LETTERS_PER_ROUTE * SHARE_OF_STRANGERS
    if (!isKept && !(await known.isLearning(route))) return false
    this.#added.set(route, added)
    return true
  }

  async #look(route: string): Promise<void> {
    const added = this.#added.get(route) ?? 0
    this.#dead.set(route, (await this.#parts.queue.depth(route)).dead)
    this.#added.set(route, (this.#added.get(route) ?? 0) - added)
  }
}
