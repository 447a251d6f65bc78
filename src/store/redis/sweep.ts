/**
 * The sweep of all routes, configured or not: deliveries that are overdue, because nobody is handed them, become what the worker would make of them, and dead
 * letters are removed when their lifetime is over. One process does it at a time; if two do, no harm is done.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Keyring } from '../../core/keyring.ts'
import { OVERDUE_MS } from '../contract.ts'
import { dispositionOfExpired, dispositionOfUnreadable } from '../expiry.ts'
import { successorsOf } from './apply-dispositions.ts'
import type { Client, Connections } from './connection.ts'
import { deadLetterOfJob, type NewDeadLetter } from './dead-letter.ts'
import type { DeadLetters } from './dead-letters.ts'
import { InactiveJobs, type InactiveJob } from './inactive-jobs.ts'
import { openRecord } from './job.ts'
import type { Layouts } from './layouts.ts'
import { occupiedShards, storedKeysOf } from './occupied.ts'
import { gatewayKey, type Shard } from './shard.ts'
import type { ShardQueues } from './shard-queues.ts'

export interface SweepOptions {
  readonly connections: Connections
  readonly queues: ShardQueues
  readonly layouts: Layouts
  readonly deadLetters: DeadLetters
  readonly keyring: Keyring
  readonly prefix: string
  readonly nowMs: () => number
}

const FIRST_AFTER_MS = 1000
const EVERY_MS = 60_000
/** The process that sweeps renews its lease with each page. */
const LEASE_MS = 10_000
/** Between two pages, so that others are served. */
const PAUSE_MS = 50

/** KEYS: jobs. ARGV: the time before which they expired. It reads the record of each job (job.ts); the sealed part is long and does not travel. */
const OVERDUE = `
local overdue = {}
for i, key in ipairs(KEYS) do
  local expiresAt = string.match(redis.call('HGET', key, 'data') or '', '"expiresAtMs":(%d+)')
  if expiresAt and tonumber(expiresAt) < tonumber(ARGV[1]) then overdue[#overdue + 1] = i end
end
return overdue
`

export class Sweep {
  readonly #options: SweepOptions
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>

  constructor(options: SweepOptions) {
    this.#options = options
    this.#running = this.#run()
  }

  stop(): void {
    this.#stopping.abort()
  }

  /** Resolves when it has stopped: at once when its connection is closed. */
  get ended(): Promise<void> {
    return this.#running
  }

  async #run(): Promise<void> {
    let delayMs = FIRST_AFTER_MS
    while (await this.#pause(delayMs)) {
      // Redis is away, or too busy: the sweep is tried again.
      const isDone = await this.#sweepWithLease().catch(() => false)
      delayMs = isDone ? EVERY_MS : LEASE_MS
    }
  }

  /** False when it is stopping. */
  #pause(durationMs: number): Promise<boolean> {
    return sleep(durationMs, true, { signal: this.#stopping.signal, ref: false }).catch(() => false)
  }

  /** False when another process has the lease, or not all was swept. */
  async #sweepWithLease(): Promise<boolean> {
    const { connections, layouts } = this.#options
    if (!layouts.isLoaded) await layouts.load()
    if ((await this.#client.set(this.#leaseKey, '', 'PX', LEASE_MS, 'NX')) === null) return false
    const shards = layouts.routes.flatMap((route) => layouts.allShardsOf(route))
    let isAll = true
    for (const shard of await occupiedShards(connections.memory, shards, storedKeysOf))
      // Its master is away, or busy: the others are swept all the same.
      await this.#sweepShard(shard).catch(() => (isAll = false))
    await this.#client.del(this.#leaseKey)
    return isAll
  }

  async #sweepShard(shard: Shard): Promise<void> {
    const { queues, deadLetters } = this.#options
    await deadLetters.purge(shard)
    const jobs = new InactiveJobs(this.#client, queues, shard)
    for await (const ids of jobs.ids()) {
      for (const job of await jobs.read(await this.#overdue(jobs, ids))) await this.#giveUp(shard, jobs, job)
      await this.#client.pexpire(this.#leaseKey, LEASE_MS)
      if (!(await this.#pause(PAUSE_MS))) return
    }
  }

  get #client(): Client {
    return this.#options.connections.work
  }

  async #overdue(jobs: InactiveJobs, ids: readonly string[]): Promise<readonly string[]> {
    const { nowMs } = this.#options
    const keys = ids.map((id) => jobs.keyOf(id))
    const overdue: unknown = await this.#client.eval(OVERDUE, keys.length, ...keys, Math.trunc(nowMs() - OVERDUE_MS))
    const places = new Set(Array.isArray(overdue) ? overdue : [])
    return ids.filter((_, index) => places.has(index + 1))
  }

  /**
   * The dead letters are added first, and have the ids that a consumer which fetches the job meanwhile gives them. So neither a crash in between nor two who
   * do the same does harm.
   */
  async #giveUp(shard: Shard, jobs: InactiveJobs, job: InactiveJob): Promise<void> {
    const deadLetters = this.#deadLettersOf(shard.route, job)
    if (deadLetters === undefined) return
    if (deadLetters.length > 0) await this.#options.deadLetters.add(shard, deadLetters)
    await jobs.remove(job)
  }

  /** Undefined when the job is to stay: a newer Hushgate stored it. */
  #deadLettersOf(route: string, { id, record }: InactiveJob): readonly NewDeadLetter[] | undefined {
    const { keyring, nowMs } = this.#options
    if (record === undefined) return undefined
    const items = openRecord(keyring, route, id, record)
    if (items !== undefined) {
      const dispositions = items.map(({ delivery }) => dispositionOfExpired(delivery))
      return successorsOf({ keyring, nowMs }, items, dispositions).deadLetters
    }
    const disposition = dispositionOfUnreadable(record.expiresAtMs, nowMs())
    return disposition.kind === 'dead-letter' ? [deadLetterOfJob(id, record, disposition.reason)] : undefined
  }

  get #leaseKey(): string {
    return gatewayKey(this.#options.prefix, 'sweep')
  }
}
