/** BullMQ's objects: one queue per route, so that none waits for another; and how their keys are named. */
import { Queue, QueueKeys, RedisConnection, RedisQueueBackend, Worker, type BackendFactory } from 'bullmq'
import type { Client, Connections } from './connection.ts'
import type { JobRecord } from './job.ts'

export type RouteQueue = Queue<JobRecord, null>
export type RouteWorker = Worker<JobRecord, null>

export interface Timings {
  /** A worker that does not renew its lock for so long is taken to be dead. */
  readonly lockMs: number
  /** How often somebody looks for jobs of dead workers. */
  readonly stalledCheckMs: number
}

/** Together below 15 s: how long the deliveries of a killed worker wait. */
export const DEFAULT_TIMINGS: Timings = { lockMs: 8000, stalledCheckMs: 3000 }

/** BullMQ keeps a stream of events per queue, 10,000 long unless told; nothing reads it. */
const EVENTS_KEPT = 100
/** How long an idle worker blocks before it looks by itself: BullMQ wakes nobody for a job with a priority that is given back. */
const IDLE_SECONDS = 1

/** With a hash tag all keys are in one slot of a Redis Cluster, which BullMQ's scripts and our transactions need. */
export function hashTagged(prefix: string): string {
  return /\{[^}]+\}/.test(prefix) ? prefix : `{${prefix}}`
}

/** A route's configured name as part of a key: BullMQ refuses colons, and a brace would be taken for a hash tag. */
export function keyName(route: string): string {
  return `app-${encodeURIComponent(route.toWellFormed()).replaceAll('*', '%2A')}`
}

/** A set of the names of apps. */
export function routesKey(prefix: string): string {
  return `${prefix}:apps`
}

export class RouteQueues {
  readonly #connections: Connections
  readonly #prefix: string
  readonly #queues = new Map<string, RouteQueue>()

  constructor(connections: Connections, prefix: string) {
    this.#connections = connections
    this.#prefix = prefix
  }

  queueOf(route: string): RouteQueue {
    const existing = this.#queues.get(route)
    if (existing !== undefined) return existing
    const queue: RouteQueue = new Queue(keyName(route), {
      connection: this.#connections.commands,
      prefix: this.#prefix,
      // The check asks for INFO once and remembers for good when that fails; health.ts asks again and again.
      skipVersionCheck: true,
      streams: { events: { maxLen: EVENTS_KEPT } },
      defaultJobOptions: { removeOnComplete: true, attempts: 1, stackTraceLimit: 0 },
    })
    queue.on('error', () => {})
    this.#queues.set(route, queue)
    void this.registerRoutes().catch(() => {})
    return queue
  }

  /** Where the keys of a route's queue are: what they end in follows. */
  keyPrefixOf(route: string): string {
    return `${this.#prefix}:${keyName(route)}:`
  }

  /** The names of all apps that ever had a queue here, configured or not. Resolves when those of this process are among them. */
  async registerRoutes(): Promise<readonly string[]> {
    const { work } = this.#connections
    const ours = [...this.#queues.keys()]
    if (ours.length > 0) await work.sadd(routesKey(this.#prefix), ...ours)
    return work.smembers(routesKey(this.#prefix))
  }

  /**
   * A worker that takes jobs only when asked (https://docs.bullmq.io/patterns/manually-fetching-jobs), on the two connections given. Nothing that
   * BullMQ decides by itself is used but its check for stalled jobs, and that never fails a job.
   */
  createWorker(route: string, blocking: Client, timings: Timings): RouteWorker {
    const worker: RouteWorker = new Worker(
      keyName(route),
      null,
      {
        connection: this.#connections.work,
        prefix: this.#prefix,
        autorun: false,
        drainDelay: IDLE_SECONDS,
        lockDuration: timings.lockMs,
        stalledInterval: timings.stalledCheckMs,
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      },
      backendOn(this.#prefix, this.#connections.work, blocking),
    )
    worker.on('error', () => {})
    return worker
  }

  async close(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()))
  }
}

/** BullMQ's own backend, but over connections that are ours to set up and to close. */
function backendOn(prefix: string, work: Client, blocking: Client): BackendFactory<RedisQueueBackend> {
  return (name, options) => {
    const ours = { shared: true, skipVersionCheck: true }
    const workConnection = new RedisConnection(work, { ...ours, blocking: false })
    const blockingConnection = new RedisConnection(blocking, { ...ours, blocking: true })
    // Unchecked, BullMQ takes Redis to be so old that it blocks in whole seconds, and delayed jobs are late by as much.
    blockingConnection.client.then(
      () => (blockingConnection.capabilities = { canDoubleTimeout: true, canBlockFor1Ms: false }),
      () => {},
    )
    const keys = new QueueKeys(prefix)
    const toKey = (type: string): string => keys.toKey(name, type)
    return new RedisQueueBackend(workConnection, name, keys.getKeys(name), toKey, options, blockingConnection)
  }
}
