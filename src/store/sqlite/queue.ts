/** The queue of the SQLite store: seals what goes in, opens what comes out, and wakes the consumers. */
import type { Delivery } from '../../core/delivery.ts'
import { UnsealError } from '../../core/keyring.ts'
import { Throttle } from '../../core/throttle.ts'
import {
  type Accepted,
  type Consumer,
  type DeadLetter,
  type DeadLetterFilter,
  type DeliveryQueue,
  type Fresh,
  type Handler,
  type Held,
  type NewDelivery,
  type QueueDepth,
  type Removed,
  type Revival,
  type StoreParts,
  WARNING_INTERVAL_MS,
} from '../contract.ts'
import { openDeliveries, tryOpenDeliveries } from '../envelope.ts'
import { Acknowledgements } from './acknowledgements.ts'
import { SqliteConsumer } from './consumer.ts'
import type { DatabaseThread } from './database-thread.ts'
import { forgetDevice, searchDevices } from './forget.ts'
import type { DueRow } from './operations.ts'
import { sweep } from './sweep.ts'
import { Writer, type Stored } from './writer.ts'

export class SqliteQueue implements DeliveryQueue {
  readonly #thread: DatabaseThread
  readonly #parts: StoreParts
  readonly #writer: Writer
  readonly #acknowledgements: Acknowledgements
  readonly #consumers = new Map<string, SqliteConsumer>()
  readonly #warnings = new Throttle(WARNING_INTERVAL_MS, () => performance.now())

  constructor(thread: DatabaseThread, parts: StoreParts) {
    this.#thread = thread
    this.#parts = parts
    this.#acknowledgements = new Acknowledgements(thread)
    this.#writer = new Writer({
      ...parts,
      thread,
      onStored: (stored) => this.#consumers.get(stored.delivery.route)?.handOver(stored),
    })
  }

  async add(deliveries: readonly Delivery[]): Promise<readonly number[]> {
    const plain = { unless: [], claims: undefined, raises: [], lifetimeMs: 0 }
    const accepted = await this.accept(deliveries.map((delivery) => ({ delivery, ...plain })))
    return accepted.map((each) => ('order' in each ? each.order : 0))
  }

  /**
   * Where sending falls behind, because the machine is busy, homeservers wait for their answers. So they send less, and what is accepted does not pile up in the
   * database, from where it costs twice as much to be sent.
   */
  async accept(deliveries: readonly NewDelivery[]): Promise<readonly Accepted[]> {
    const accepted = await this.#writer.accept(deliveries)
    for (const { delivery } of deliveries) {
      const crowd = this.#consumers.get(delivery.route)?.crowd
      if (crowd !== undefined) await crowd
    }
    return accepted
  }

  consume(route: string, concurrency: number, handler: Handler): Consumer {
    if (this.#consumers.has(route)) throw new Error(`${route} is consumed already`)
    const { nowMs, onError } = this.#parts
    const consumer = new SqliteConsumer({
      route,
      concurrency,
      handler,
      thread: this.#thread,
      nowMs,
      open: (row) => this.#open(route, row),
      freshnessOf: (stored) => this.#freshnessOf(stored),
      acknowledge: (order, note) => this.#acknowledgements.add(order, note),
      onHandlerFailure: () => onError(`${route}: a handler of deliveries failed`),
      onStopped: () => this.#consumers.delete(route),
    })
    this.#consumers.set(route, consumer)
    return consumer
  }

  /** A delivery with a `latestKey` raises that first. */
  #freshnessOf({ delivery: { latestKey }, isClaimed, raises: [raised] }: Stored): Fresh | undefined {
    if (!isClaimed) return undefined
    if (latestKey === undefined) return { latestOrder: undefined }
    const latestOrder = raised === undefined ? undefined : this.#writer.lastOrderOf(raised)
    return latestOrder === undefined ? undefined : { latestOrder }
  }

  #open(route: string, { sealed, acceptedAtMs, expiresAtMs }: DueRow): Delivery | undefined {
    try {
      const [delivery] = openDeliveries(this.#parts.keyring, route, sealed)
      return delivery === undefined ? undefined : { ...delivery, acceptedAtMs, expiresAtMs }
    } catch (error) {
      const reason = error instanceof UnsealError ? error.message : 'it is damaged'
      if (this.#warnings.allows(route))
        this.#parts.onError(`${route}: a stored delivery cannot be read (${reason}); it is kept until it expires`)
      return undefined
    }
  }

  async depth(route: string): Promise<QueueDepth> {
    const nowMs = this.#parts.nowMs()
    const inFlight = this.#consumers.get(route)?.inFlight ?? []
    const stored = await this.#thread.runWithTimeLimit({ name: 'depth', input: { route, nowMs, inFlight } })
    const { waiting, delayed, dead, oldestAcceptedAtMs = nowMs, oldestDueAtMs = nowMs } = stored
    return {
      waiting,
      delayed,
      active: inFlight.length,
      dead,
      oldestAgeMs: Math.max(0, nowMs - oldestAcceptedAtMs),
      overdueMs: Math.max(0, nowMs - oldestDueAtMs),
    }
  }

  async listDead(
    filter: DeadLetterFilter,
    limit: number,
    { withDevices } = { withDevices: false },
  ): Promise<readonly DeadLetter[]> {
    const input = { filter, limit, isSealedWanted: withDevices, nowMs: this.#parts.nowMs() }
    const found = await this.#thread.run({ name: 'listDead', input })
    return found.map(({ sealed, ...rest }) => {
      if (!withDevices) return rest
      const [delivery] = tryOpenDeliveries(this.#parts.keyring, rest.route, sealed) ?? []
      return { ...rest, deviceHash: delivery?.deviceHash }
    })
  }

  async retryDead(filter: DeadLetterFilter, revival: Revival): Promise<number> {
    const input = { filter, revival, nowMs: this.#parts.nowMs() }
    const retried = await inSteps(() => this.#thread.run({ name: 'retryDead', input }))
    for (const consumer of this.#consumers.values()) consumer.readMore()
    return retried
  }

  dropDead(filter: DeadLetterFilter): Promise<number> {
    const input = { filter, nowMs: this.#parts.nowMs() }
    return inSteps(() => this.#thread.run({ name: 'dropDead', input }))
  }

  async forget(route: string, deviceHash: string): Promise<Removed> {
    // What waits in memory would be sent after it was removed; and so would what is read before it is removed.
    this.#consumers.get(route)?.readAgain()
    try {
      return await forgetDevice({ thread: this.#thread, keyring: this.#parts.keyring, route, deviceHash })
    } finally {
      this.#consumers.get(route)?.readAgain()
    }
  }

  search(route: string, hashStart: string): Promise<Held> {
    return searchDevices({ thread: this.#thread, keyring: this.#parts.keyring, route, hashStart })
  }

  /** Resolves with true when there may be more to do. */
  sweep(): Promise<boolean> {
    const { keyring, nowMs } = this.#parts
    const inFlight = [...this.#consumers.values()].flatMap((consumer) => consumer.held)
    return sweep({ thread: this.#thread, keyring, nowMs: nowMs(), inFlight })
  }

  /** Releases everything that is in flight. */
  async stop(): Promise<void> {
    await Promise.all([...this.#consumers.values()].map((consumer) => consumer.stop(0)))
  }
}

/** Resolves with how many it were. */
async function inSteps(step: () => Promise<number>): Promise<number> {
  let all = 0
  for (let some = await step(); some > 0; some = await step()) all += some
  return all
}
