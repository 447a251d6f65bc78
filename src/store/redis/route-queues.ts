/** BullMQ's objects, and the names of their keys: one queue for each route, so that no route waits for another. */
import { Queue, QueueKeys, RedisConnection, RedisQueueBackend, Worker, type BackendFactory } from 'bullmq'
import type { Client, Connections } from './connection.ts'
import type { JobRecord } from './job.ts'

export type RouteQueue = Queue<JobRecord, null>
export type RouteWorker = Worker<JobRecord, null>

export interface Timings {
  /** A job whose lock was not renewed for so long counts as stalled: its process is taken to be dead. */
  readonly lockMs: number
  /** How often a consumer looks for stalled jobs. */
  readonly stalledCheckMs: number
}

/** Together below 15 s: so long wait the deliveries that a killed process had in flight. */
export const DEFAULT_TIMINGS: Timings = { lockMs: 8000, stalledCheckMs: 3000 }

/** BullMQ keeps a stream of 10,000 events for each queue, unless told otherwise. Nothing reads it. */
const EVENTS_KEPT = 100
/** How long an idle worker blocks before it looks again: BullMQ wakes nobody when a job with a priority is released. */
const IDLE_SECONDS = 1

/** With a hash tag all keys are in one slot of a Redis Cluster, which BullMQ's scripts and our transactions need. */
export function hashTagged(prefix: string): string {
  return /\{[^}]+\}/.test(prefix) ? prefix : `{${prefix}}`
}

/** The name of a route as BullMQ's name of its queue: BullMQ refuses colons, and a brace would be taken for a hash tag. It begins with `app-` for any route. */
export function queueName(route: string): string {
  return `app-${encodeURIComponent(route.toWellFormed()).replaceAll('*', '%2A')}`
}

/** The key of the set of all routes' names; it ends in `apps`. */
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
    const queue: RouteQueue = new Queue(queueName(route), {
      connection: this.#connections.commands,
      prefix: this.#prefix,
      // The check asks for INFO once, and never again when that fails; health.ts asks again and again.
      skipVersionCheck: true,
      streams: { events: { maxLen: EVENTS_KEPT } },
      defaultJobOptions: { removeOnComplete: true, attempts: 1, stackTraceLimit: 0 },
    })
    queue.on('error', () => {})
    this.#queues.set(route, queue)
    void this.registerRoutes().catch(() => {})
    return queue
  }

  /** How the keys of a route's queue begin. */
  keyPrefixOf(route: string): string {
    return `${this.#prefix}:${queueName(route)}:`
  }

  /** Adds the routes of this process to the set of all routes. Resolves with their names: every route that ever had a queue, configured or not. */
  async registerRoutes(): Promise<readonly string[]> {
    const { work } = this.#connections
    const ours = [...this.#queues.keys()]
    if (ours.length > 0) await work.sadd(routesKey(this.#prefix), ...ours)
    return work.smembers(routesKey(this.#prefix))
  }

  /**
   * A worker that fetches a job only when asked (https://docs.bullmq.io/patterns/manually-fetching-jobs). Of what BullMQ does by itself only the check for
   * stalled jobs is used, and that never fails a job.
   */
  createWorker(route: string, blocking: Client, timings: Timings): RouteWorker {
    const worker: RouteWorker = new Worker(
      queueName(route),
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

/** BullMQ's own backend, but on connections that we set up and close. */
function backendOn(prefix: string, work: Client, blocking: Client): BackendFactory<RedisQueueBackend> {
  return (name, options) => {
    const ours = { shared: true, skipVersionCheck: true }
    const workConnection = new RedisConnection(work, { ...ours, blocking: false })
    const blockingConnection = new RedisConnection(blocking, { ...ours, blocking: true })
    // Without its check BullMQ takes Redis to be so old that it blocks in whole seconds, and delayed jobs would be late by as much.
    blockingConnection.client.then(
      () => (blockingConnection.capabilities = { canDoubleTimeout: true, canBlockFor1Ms: false }),
      () => {},
    )
    const keys = new QueueKeys(prefix)
    const toKey = (type: string): string => keys.toKey(name, type)
    return new RedisQueueBackend(workConnection, name, keys.getKeys(name), toKey, options, blockingConnection)
  }
}
