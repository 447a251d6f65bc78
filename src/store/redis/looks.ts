/**
 * Looks now and then at all shards that this process fetches from: for what nobody told it of, because a ring was not heard or its process died, and for jobs
 * with which a process died. One timer and a few commands for all of them, however many are idle.
 */
import { isReady, type Client } from './connection.ts'
import { jobKeysOf, occupiedShards } from './occupied.ts'
import type { Shard } from './shard.ts'

export interface LooksOptions {
  readonly client: Client
  readonly everyMs: number
  /** Of all consumers, as they are now. */
  readonly shards: () => readonly Shard[]
  /** There are jobs in this shard. */
  readonly onOccupied: (shard: Shard) => Promise<void>
}

export class Looks {
  readonly #options: LooksOptions
  #timer: NodeJS.Timeout | undefined
  #isWanted = false
  #isLooking = false
  #isStopped = false

  constructor(options: LooksOptions) {
    this.#options = options
  }

  /** Looks after this turn, and from then on again and again. */
  soon(): void {
    if (this.#isStopped) return
    this.#timer ??= setInterval(() => this.soon(), this.#options.everyMs).unref()
    this.#isWanted = true
    if (!this.#isLooking) setImmediate(() => void this.#lookWhileWanted())
  }

  stop(): void {
    this.#isStopped = true
    clearInterval(this.#timer)
  }

  async #lookWhileWanted(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    while (this.#isWanted && !this.#isStopped) {
      this.#isWanted = false
      await this.#look()
    }
    this.#isLooking = false
  }

  async #look(): Promise<void> {
    const { client, shards, onOccupied } = this.#options
    if (!isReady(client)) return
    try {
      const occupied = await occupiedShards(client, shards(), jobKeysOf)
      await Promise.allSettled(occupied.map(onOccupied))
    } catch {
      // Redis is away, or too busy: it is looked again.
    }
  }
}
