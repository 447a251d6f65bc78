/**
 * For whom a route has room: asked on every request, looked up once a second, and sooner where what was stored since might have filled it. The second half of
 * the room is for devices that a push was delivered to: anybody can post for others.
 */
import { StoreUnavailableError } from '../core/errors.ts'
import { Throttle } from '../core/throttle.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import type { Accepted, DeliveryQueue, NewDelivery, StoreHealth } from '../store/contract.ts'

export interface HighWaterMarkParts {
  readonly store: { readonly queue: Pick<DeliveryQueue, 'depth'>; health(): Pick<StoreHealth, 'fill'> }
  readonly known: Pick<KnownDevices, 'isLearning'>
  readonly nowMs: () => number
}

export type Room = 'for everybody' | 'for known devices' | 'for nobody'

const LOOK_EVERY_MS = 1000
/** Where the last look says less than that there may be by now. */
const LOOK_AGAIN_MS = 250
/** Of `high_water`, and of the store: so much may be taken by devices that nothing was delivered to. */
const SHARE_OF_STRANGERS = 0.5

interface Looked {
  readonly depth: number
  readonly atMs: number
  /** The marks of its known devices are too new to tell who is a stranger. */
  readonly isLearning: boolean
}

const NEVER: Looked = { depth: 0, atMs: -Infinity, isLearning: true }

export class HighWaterMark {
  readonly #parts: HighWaterMarkParts
  readonly #looks: Throttle
  readonly #looked = new Map<string, Looked>()
  readonly #looking = new Map<string, Promise<void>>()
  /** By this process: being stored, and stored since the last look. Apart, for a look may come before what is being stored. */
  readonly #underWay = new Map<string, number>()
  readonly #stored = new Map<string, number>()

  constructor(parts: HighWaterMarkParts) {
    this.#parts = parts
    this.#looks = new Throttle(LOOK_EVERY_MS, parts.nowMs)
  }

  /**
   * `routes`: that of each delivery to be stored. Resolves with those that have room only for devices that a push was delivered to; rejects with
   * StoreUnavailableError where one has none for anybody.
   */
  async crowdedOf(routes: readonly string[], highWater: number): Promise<ReadonlySet<string>> {
    const crowded = new Set<string>()
    const counts = new Map<string, number>()
    for (const route of routes) counts.set(route, (counts.get(route) ?? 0) + 1)
    for (const [route, count] of counts) {
      const room = await this.roomFor(route, count, highWater)
      if (room === 'for nobody') throw new StoreUnavailableError('queue.high_water is reached')
      if (room === 'for known devices') crowded.add(route)
    }
    return crowded
  }

  /** For so many deliveries more. */
  async roomFor(route: string, count: number, highWater: number): Promise<Room> {
    const room = this.#roomFor(route, count, highWater)
    const { atMs } = this.#looked.get(route) ?? NEVER
    if (room === 'for everybody' || this.#parts.nowMs() - atMs < LOOK_AGAIN_MS) {
      if (this.#looks.allows(route)) void this.#look(route)
      return room
    }
    await this.#look(route)
    return this.#roomFor(route, count, highWater)
  }

  /** Counts what `accept` stores: while it does, and from then on. Where it rejects, it may have stored all. */
  async storing(
    news: readonly NewDelivery[],
    accept: () => Promise<readonly Accepted[]>,
  ): Promise<readonly Accepted[]> {
    // One who may still be refused takes no room from others meanwhile.
    const underWay = news.filter(({ requires }) => requires === undefined)
    for (const { delivery } of underWay) add(this.#underWay, delivery.route, 1)
    let stored = underWay
    try {
      const accepted = await accept()
      stored = news.filter((_, index) => 'order' in (accepted[index] ?? {}))
      return accepted
    } finally {
      for (const { delivery } of underWay) add(this.#underWay, delivery.route, -1)
      for (const { delivery } of stored) add(this.#stored, delivery.route, 1)
    }
  }

  #roomFor(route: string, count: number, highWater: number): Room {
    const { depth, isLearning } = this.#looked.get(route) ?? NEVER
    const filled = depth + (this.#underWay.get(route) ?? 0) + (this.#stored.get(route) ?? 0)
    if (filled >= highWater) return 'for nobody'
    if (isLearning) return 'for everybody'
    const isShareTaken = filled + count > highWater * SHARE_OF_STRANGERS
    return isShareTaken || this.#parts.store.health().fill > SHARE_OF_STRANGERS ? 'for known devices' : 'for everybody'
  }

  /** One at a time. */
  #look(route: string): Promise<void> {
    let looking = this.#looking.get(route)
    if (looking === undefined) {
      looking = this.#lookNow(route).finally(() => this.#looking.delete(route))
      this.#looking.set(route, looking)
    }
    return looking
  }

  async #lookNow(route: string): Promise<void> {
    const { store, known, nowMs } = this.#parts
    const stored = this.#stored.get(route) ?? 0
    try {
      const [{ waiting, delayed, active }, isLearning] = await Promise.all([
        store.queue.depth(route),
        known.isLearning(route),
      ])
      this.#looked.set(route, { depth: waiting + delayed + active, atMs: nowMs(), isLearning })
      add(this.#stored, route, -stored)
    } catch {
      // The store says so itself when it is asked to keep something.
    }
  }
}

function add(counts: Map<string, number>, route: string, difference: number): void {
  const count = (counts.get(route) ?? 0) + difference
  if (count === 0) counts.delete(route)
  else counts.set(route, count)
}
