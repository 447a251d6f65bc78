/** BullMQ's objects: a queue for each shard, opened when there is something to do in it, all on the connections that we set up and close. */
import {
  Job,
  Queue,
  QueueKeys,
  RedisConnection,
  RedisQueueBackend,
  Worker,
  type BackendFactory,
  type JobsOptions,
} from 'bullmq'
import { StoreUnavailableError } from '../../core/errors.ts'
import { NOT_CONNECTED } from './call-redis.ts'
import { isReady, type Client, type Connections } from './connection.ts'
import { JOB_NAME, type JobRecord } from './job.ts'
import type { Layouts } from './layouts.ts'
import type { Shard } from './shard.ts'

export type ShardQueue = Queue<JobRecord, null, string, JobRecord, null, string, ShardBackend>
export type ShardWorker = Worker<JobRecord, null, string, ShardBackend>
export type NewJob = Parameters<ShardQueue['addBulk']>[0][number]

/** Lua, under a name of its own among the commands of a client. */
export interface Script {
  readonly name: string
  readonly lua: string
}

export interface AddedAndRun {
  /** Redis has each job, or has had it. */
  readonly areAdded: boolean
  /** Of the script. */
  readonly reply: unknown
}

export interface Timings {
  /** A job whose lock was not renewed for so long counts as stalled: its process is taken to be dead. */
  readonly lockMs: number
  /** How often a process looks at all its shards: for what nobody told it of, and for stalled jobs. */
  readonly lookEveryMs: number
}

/** With half a look more, below 15 s: so long wait the deliveries that a killed process had in flight. */
export const DEFAULT_TIMINGS: Timings = { lockMs: 8000, lookEveryMs: 4000 }

/** BullMQ keeps a stream of 10,000 events for each queue, unless told otherwise. Nothing reads it. */
const EVENTS_KEPT = 100
/**
 * Ids of jobs are never behind the time, in so many parts of a millisecond, and more jobs than that are never stored. So a later delivery has a greater order
 * also where it is stored in another shard than the one before, or where Redis has lost its latest writes, and with them its counter of ids: a replica that
 * lagged took over, or it ended before they were on its disk. Lua writes numbers of more than 14 digits otherwise; that is reached in the year 2366.
 */
const IDS_PER_MS = 8

/** KEYS: the counter of ids. ARGV: what it is at least. */
const RAISE_IDS = `
if tonumber(redis.call('GET', KEYS[1]) or '0') < tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1]) end
`

/** Where the time stands in what BullMQ gives its script: after eleven keys and the prefix (bullmq/dist/esm/scripts/moveToActive-11.js). */
const TIME_OF_MOVE_TO_ACTIVE = 12
const JOB_DEFAULTS: JobsOptions = { removeOnComplete: true, attempts: 1, stackTraceLimit: 0 }

/**
 * BullMQ's own backend; it also says when the next delayed job is due, if there was none to be fetched. What is due, and when it will be, goes by our clock, which
 * all processes have in common, and not by that of the machine.
 */
class ShardBackend extends RedisQueueBackend {
  /** Epoch ms; 0 when there is none, or when a job was fetched. */
  nextDueMs = 0
  nowMs: () => number = Date.now

  override async moveToActive(token: string, name?: string): Promise<unknown[]> {
    const reply: unknown[] = await super.moveToActive(token, name)
    this.nextDueMs = Number(reply[3] ?? 0)
    return reply
  }

  override moveToDelayed(...[jobId, , delayMs, token, options]: Parameters<RedisQueueBackend['moveToDelayed']>) {
    return super.moveToDelayed(jobId, Math.trunc(this.nowMs()), delayMs, token, options)
  }

  override execCommand(...[client, command, args]: Parameters<RedisQueueBackend['execCommand']>): unknown {
    const given = command === 'moveToActive' ? args.with(TIME_OF_MOVE_TO_ACTIVE, Math.trunc(this.nowMs())) : args
    return super.execCommand(client, command, given)
  }

  /**
   * Sent as one. Rejects when any of it failed; then the rest of it is done all the same. No transaction: where one was discarded, ioredis believes that Redis has the
   * scripts that were in it, and asks for them by name for ever.
   */
  async addJobsAndRun(jobs: readonly Job[], command: string, args: readonly unknown[]): Promise<AddedAndRun> {
    const client = await this.queue.client
    const pipeline = client.pipeline()
    const added = jobs.map((job) => this.addJobToTransaction(pipeline, job.asJSON(), job.id ?? ''))
    pipeline.runCommand(command, [...args])
    await Promise.all(added)
    const results = (await pipeline.exec()) ?? []
    for (const [error] of results) if (error !== null) throw error
    const replies = results.map(([, reply]) => reply)
    return { areAdded: jobs.every(({ id }, index) => replies[index] === id), reply: replies.at(-1) }
  }
}

export class ShardQueues {
  readonly #connections: Connections
  readonly #nowMs: () => number
  readonly #queues = new Map<string, ShardQueue>()
  readonly #numbered = new Map<string, Promise<unknown>>()
  readonly #bullConnections = new Map<Client, RedisConnection>()

  constructor(connections: Connections, nowMs: () => number) {
    this.#connections = connections
    this.#nowMs = nowMs
  }

  /** Throws StoreUnavailableError when Redis is not connected. */
  queueOf(shard: Shard): ShardQueue {
    const existing = this.#queues.get(shard.id)
    if (existing !== undefined) return existing
    const { commands } = this.#connections
    const queue: ShardQueue = new Queue(
      shard.queueName,
      {
        connection: commands,
        prefix: shard.prefix,
        streams: { events: { maxLen: EVENTS_KEPT } },
        defaultJobOptions: JOB_DEFAULTS,
      },
      this.#backendOn(shard, commands),
    )
    queue.on('error', () => {})
    this.#queues.set(shard.id, queue)
    return queue
  }

  /**
   * Resolves with the id of the job, greater than all before it in any shard of its route. Throws StoreUnavailableError when Redis is not connected.
   */
  async add(shard: Shard, layouts: Layouts, record: JobRecord, options: JobsOptions): Promise<string> {
    await this.#number(shard, layouts)
    const queue = this.queueOf(shard)
    // On the connection on which the job follows, so that nothing comes between.
    const raised = this.#connections.commands.eval(RAISE_IDS, 1, counterKeyOf(shard), this.#leastId)
    const timestamp = Math.trunc(this.#nowMs())
    const [{ id }] = await Promise.all([queue.add(JOB_NAME, record, { ...options, timestamp }), raised])
    if (id === undefined) throw new StoreUnavailableError('Redis gave a job no id')
    return id
  }

  /**
   * Adds jobs with ids of their own, and runs a script behind them, also where this process dies meanwhile. Rejects when any of it failed, be it the script or one of
   * the jobs; the others are there then.
   */
  async addAndRun(
    shard: Shard,
    jobs: readonly NewJob[],
    { name, lua }: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<AddedAndRun> {
    const { commands } = this.#connections
    const queue = this.queueOf(shard)
    if (!(name in commands)) commands.defineCommand(name, { lua })
    const created = jobs.map(
      ({ name: jobName, data, opts }) => new Job(queue, jobName, data, { ...JOB_DEFAULTS, ...opts }, opts?.jobId),
    )
    return queue.getBackend().addJobsAndRun(created, name, [keys.length, ...keys, ...args])
  }

  /**
   * A worker that fetches a job only when asked (https://docs.bullmq.io/patterns/manually-fetching-jobs), never waits for one, and does nothing by itself.
   * Throws StoreUnavailableError when Redis is not connected.
   */
  createWorker(shard: Shard, timings: Timings): ShardWorker {
    const { work } = this.#connections
    const worker: ShardWorker = new Worker(
      shard.queueName,
      null,
      {
        connection: work,
        prefix: shard.prefix,
        autorun: false,
        lockDuration: timings.lockMs,
        // Of several processes one looks for stalled jobs in this time.
        stalledInterval: Math.ceil(timings.lookEveryMs / 2),
        maxStalledCount: Number.MAX_SAFE_INTEGER,
      },
      this.#backendOn(shard, work),
    )
    worker.on('error', () => {})
    return worker
  }

  /** Before this process adds its first job to a shard: ids in the others may be ahead of its clock. */
  async #number(shard: Shard, layouts: Layouts): Promise<void> {
    let numbered = this.#numbered.get(shard.id)
    if (numbered === undefined) {
      numbered = this.#raiseAboveOthers(shard, layouts)
      this.#numbered.set(shard.id, numbered)
      numbered.catch(() => this.#numbered.delete(shard.id))
    }
    await numbered
  }

  async #raiseAboveOthers(shard: Shard, layouts: Layouts): Promise<void> {
    const { memory } = this.#connections
    if (!layouts.isLoaded) await layouts.load()
    const ids = await Promise.all(
      layouts.allShardsOf(shard.route).map((each) => memory.get(counterKeyOf(each)).catch(() => null)),
    )
    await memory.eval(RAISE_IDS, 1, counterKeyOf(shard), Math.max(this.#leastId, ...ids.map(Number)))
  }

  get #leastId(): number {
    return Math.trunc(this.#nowMs() * IDS_PER_MS)
  }

  /** Only on a client that is connected: BullMQ remembers for ever that it could not use one. */
  #backendOn(shard: Shard, client: Client): BackendFactory<ShardBackend> {
    if (!isReady(client)) throw new StoreUnavailableError(NOT_CONNECTED)
    const connection = this.#bullConnectionOn(client)
    const keys = new QueueKeys(shard.prefix)
    const toKey = (type: string): string => keys.toKey(shard.queueName, type)
    return (name, options) => {
      const backend = new ShardBackend(connection, name, keys.getKeys(name), toKey, options, undefined, false)
      backend.nowMs = this.#nowMs
      return backend
    }
  }

  #bullConnectionOn(client: Client): RedisConnection {
    const existing = this.#bullConnections.get(client)
    if (existing !== undefined) return existing
    // The check asks for INFO once, and never again when that fails; health.ts asks again and again.
    const connection = new RedisConnection(client, { shared: true, blocking: false, skipVersionCheck: true })
    connection.on('error', () => {})
    this.#bullConnections.set(client, connection)
    return connection
  }
}

function counterKeyOf({ id }: Shard): string {
  return `${id}:id`
}
