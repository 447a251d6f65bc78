/** The consumers of this process: which shards each fetches from, and what wakes them. None of them waits at Redis. */
import { Throttle } from '../../core/throttle.ts'
import { WARNING_INTERVAL_MS, type Consumer, type Handler, type StoreParts } from '../contract.ts'
import type { DispositionParts } from './apply-dispositions.ts'
import { BACKLOG_LIMIT_MS, untilHandedOut } from './backlog.ts'
import type { Bell } from './bell.ts'
import { toUnavailableError } from './call-redis.ts'
import { isReady, masterOf, type Connections } from './connection.ts'
import { RedisConsumer } from './consumer.ts'
import type { DeadLetters } from './dead-letters.ts'
import type { FreshDeliveries } from './fresh-deliveries.ts'
import type { Layouts } from './layouts.ts'
import { Looks } from './looks.ts'
import { writeNotes } from './notes.ts'
import type { ReplicaWaits } from './replica-waits.ts'
import type { ShardQueues, Timings } from './shard-queues.ts'
import type { Shard } from './shard.ts'
import { renewMark, storeOnce } from './store-once.ts'

export interface ConsumersParts extends StoreParts {
  readonly connections: Connections
  readonly queues: ShardQueues
  readonly layouts: Layouts
  readonly deadLetters: DeadLetters
  readonly waits: ReplicaWaits
  readonly bell: Bell
  readonly timings: Timings
  readonly fresh: FreshDeliveries
}

export class Consumers {
  readonly #parts: ConsumersParts
  readonly #byRoute = new Map<string, RedisConsumer>()
  readonly #byShard = new Map<string, RedisConsumer>()
  readonly #looks: Looks
  readonly #warnings = new Throttle(WARNING_INTERVAL_MS, () => performance.now())
  #isListening = false

  constructor(parts: ConsumersParts) {
    this.#parts = parts
    this.#looks = new Looks({
      client: parts.connections.memory,
      everyMs: parts.timings.lookEveryMs,
      shards: () => [...this.#byRoute.values()].flatMap(({ shards }) => shards),
      onOccupied: async ({ id }) => this.#byShard.get(id)?.recover(id),
    })
    parts.layouts.onChange(() => {
      for (const consumer of this.#byRoute.values()) void this.#openShards(consumer)
    })
  }

  consume(route: string, concurrency: number, handler: Handler): Consumer {
    if (this.#byRoute.has(route)) throw new Error(`${route} is consumed already`)
    const { connections, queues, keyring, timings, fresh, nowMs, onError } = this.#parts
    const consumer = new RedisConsumer({
      route,
      concurrency,
      handler: async (handedOut, signal) => handler({ ...handedOut, fresh: await fresh.take(handedOut) }, signal),
      keyring,
      fresh,
      nowMs,
      lockMs: timings.lockMs,
      createWorker: (shard) => queues.createWorker(shard, timings),
      dispositionParts: (shard) => this.#dispositionParts(shard),
      onReleased: (shard) => this.stored(shard, 0),
      onUnreadable: () =>
        this.#warn(
          `deliveries of ${route} cannot be opened: the key file lacks the key they were sealed with, or a newer Hushgate stored them`,
        ),
      onFetchFailed: (error) => {
        // When Redis is away, health.ts says so, once for all routes.
        if (isReady(connections.work))
          this.#warn(`deliveries of ${route} cannot be fetched: ${toUnavailableError(error).message}`)
      },
      // Only the name of the error: the message of a parser quotes what it could not parse.
      onBug: (error) => onError(`deliveries of ${route} are put off: ${error instanceof Error ? error.name : 'a bug'}`),
      onStopped: () => {
        this.#byRoute.delete(route)
        for (const { id } of consumer.shards) this.#byShard.delete(id)
      },
    })
    this.#byRoute.set(route, consumer)
    this.#listen()
    void this.#openShards(consumer)
    return consumer
  }

  /** Something was stored that can be fetched after so long: wakes the consumer of this process, and those of others where it does not do for all. */
  stored(shard: Shard, delayMs: number): void {
    const { bell, timings, nowMs } = this.#parts
    const isTaken = this.#byShard.get(shard.id)?.wake(shard.id, delayMs > 0 ? nowMs() + delayMs : undefined)
    // What is due later than that, others have seen by then.
    if (isTaken !== true && delayMs < timings.lookEveryMs) bell.ring(shard.id)
  }

  async stop(): Promise<void> {
    this.#looks.stop()
    await Promise.all([...this.#byRoute.values()].map((consumer) => consumer.stop(0)))
  }

  #dispositionParts(shard: Shard): Omit<DispositionParts, 'onParked'> {
    const { connections, queues, deadLetters, waits, keyring, nowMs } = this.#parts
    return {
      keyring,
      nowMs,
      addJobs: async (jobs, former) => {
        const { commands } = connections
        const timestamp = Math.trunc(nowMs())
        const stamped = jobs.map((job) => ({ ...job, opts: { ...job.opts, timestamp } }))
        const isThere = await storeOnce({ client: commands, queues, shard }, stamped, former)
        // Who counts the shard is shown that there are fewer (counted-shards.ts).
        if (former.rest !== undefined) await commands.incr(`${shard.id}:id`)
        await waits.confirm(masterOf(commands, shard.slot), shard.id)
        for (const { opts } of jobs) this.stored(shard, opts?.delay ?? 0)
        return isThere
      },
      isFollowed: async (jobId) => {
        const { commands } = connections
        if (!(await renewMark(commands, shard, jobId))) return false
        await waits.confirm(masterOf(commands, shard.slot), shard.id)
        return true
      },
      addDeadLetters: (letters) => deadLetters.add(shard, letters),
      writeNotes: (notes) => writeNotes({ ...this.#parts, client: connections.work }, notes),
    }
  }

  /** All in which something of the route may lie. Where they have just become others, what waits in the former ones is handed out first. */
  async #openShards(consumer: RedisConsumer): Promise<void> {
    const { connections, layouts, nowMs } = this.#parts
    const { route } = consumer
    await layouts.register(route).catch(() => {})
    // Else it is called again when they are.
    if (!layouts.isLoaded) return
    const all = layouts.allShardsOf(route)
    if (all.every(({ id }) => this.#byShard.get(id) === consumer)) return
    const earlier = all.filter((shard) => !layouts.isNewest(shard))
    const leftMs = (layouts.sinceMs(route) ?? 0) + BACKLOG_LIMIT_MS - nowMs()
    const isHeld = earlier.length > 0 && leftMs > 0
    const until = isHeld ? untilHandedOut(connections.memory, earlier, Date.now() + leftMs) : undefined
    for (const shard of all) {
      this.#byShard.set(shard.id, consumer)
      consumer.addShard(shard, earlier.includes(shard) ? undefined : until)
    }
    this.#looks.soon()
  }

  #listen(): void {
    if (this.#isListening) return
    this.#isListening = true
    const { bell, connections } = this.#parts
    bell.listen(
      connections.listening,
      (shardId) => this.#byShard.get(shardId)?.wake(shardId),
      () => this.#looks.soon(),
    )
  }

  #warn(message: string): void {
    if (this.#warnings.allows(message)) this.#parts.onError(message)
  }
}
