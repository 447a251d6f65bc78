/**
 * Clears away what nobody is handed, route by route, configured or not: deliveries that have expired become what the worker would have made of them, and
 * dead letters go when their time is over. One process does it at a time; that two do is no harm.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Keyring } from '../../core/keyring.ts'
import { OVERDUE_MS } from '../contract.ts'
import { isKeptWhenExpired } from '../../core/delivery.ts'
import type { RouteQueues } from './route-queues.ts'
import type { Client } from './connection.ts'
import type { DeadLetters, NewDeadLetter } from './dead-letters.ts'
import { openRecord } from './job.ts'
import { letterOf, unreadableLetter } from './apply-dispositions.ts'
import { WaitingJobs, type WaitingJob } from './inactive-jobs.ts'

export interface SweepOptions {
  readonly client: Client
  readonly queues: RouteQueues
  readonly deadLetters: DeadLetters
  readonly keyring: Keyring
  readonly prefix: string
  readonly nowMs: () => number
}

const FIRST_AFTER_MS = 1000
const EVERY_MS = 60_000
/** Whoever holds it renews it with each page. */
const LEASE_MS = 10_000
/** Between two pages: Redis has better things to do. */
const PAUSE_MS = 50

/** KEYS: jobs. ARGV: the time before which they expired. The record is that of job.ts; what is long in it does not travel. */
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
    let afterMs = FIRST_AFTER_MS
    while (await this.#pause(afterMs)) {
      // Redis is away, or too busy: there is another time.
      const isDone = await this.#passAlone().catch(() => false)
      afterMs = isDone ? EVERY_MS : LEASE_MS
    }
  }

  /** False when it is stopping. */
  #pause(afterMs: number): Promise<boolean> {
    return sleep(afterMs, true, { signal: this.#stopping.signal, ref: false }).catch(() => false)
  }

  async #passAlone(): Promise<boolean> {
    const { client, queues } = this.#options
    const apps = await queues.registerRoutes()
    if ((await client.set(this.#leaseKey, '', 'PX', LEASE_MS, 'NX')) === null) return false
    for (const route of apps) await this.#passOver(route)
    await client.del(this.#leaseKey)
    return true
  }

  async #passOver(route: string): Promise<void> {
    const { client, queues, deadLetters, nowMs } = this.#options
    await deadLetters.purge(route)
    const jobs = new WaitingJobs(client, queues, route)
    for await (const ids of jobs.ids()) {
      const keys = ids.map((id) => jobs.keyOf(id))
      const overdue: unknown = await client.eval(OVERDUE, keys.length, ...keys, Math.trunc(nowMs() - OVERDUE_MS))
      const places = new Set(Array.isArray(overdue) ? overdue : [])
      await this.#clear(
        route,
        jobs,
        ids.filter((_, index) => places.has(index + 1)),
      )
      await client.pexpire(this.#leaseKey, LEASE_MS)
      if (!(await this.#pause(PAUSE_MS))) return
    }
  }

  /** Buried first, under ids that whoever is handed the job meanwhile would use as well: then a crash in between, or two who do it, are no harm. */
  async #clear(route: string, jobs: WaitingJobs, ids: readonly string[]): Promise<void> {
    const { deadLetters } = this.#options
    for (const job of await jobs.read(ids)) {
      const letters = this.#lettersOf(route, job)
      if (letters === undefined) continue
      if (letters.length > 0) await deadLetters.bury(route, letters)
      await jobs.remove(job)
    }
  }

  /** Undefined for what a newer Hushgate stored. */
  #lettersOf(route: string, { id, record }: WaitingJob): readonly NewDeadLetter[] | undefined {
    const { keyring } = this.#options
    if (record === undefined) return undefined
    const items = openRecord(keyring, route, id, record)
    if (items === undefined) return [unreadableLetter(id, record)]
    const kept = items.filter(({ delivery }) => isKeptWhenExpired(delivery))
    return kept.map((item) => letterOf({ route, keyring }, item, 'expired'))
  }

  get #leaseKey(): string {
    return `${this.#options.prefix}:sweep`
  }
}
