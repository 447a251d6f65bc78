/** The jobs of a route that nobody works on, a few at a time: to be read, changed and removed beside those who do. */
import type { RouteQueues } from './route-queues.ts'
import type { Client } from './connection.ts'
import { readRecord, type JobRecord } from './job.ts'
import { replaceField } from './compare-and-set.ts'

/** A job as it was read. */
export interface WaitingJob {
  readonly id: string
  readonly data: string
  /** Undefined when a newer Hushgate (or somebody else) wrote it. */
  readonly record: JobRecord | undefined
}

/** A full one holds 50 deliveries, 75 KB. */
const JOBS_AT_ONCE = 20
const IDS_AT_ONCE = 1000

export class WaitingJobs {
  readonly #client: Client
  readonly #queues: RouteQueues
  readonly #route: string
  readonly #keyPrefix: string

  constructor(client: Client, queues: RouteQueues, route: string) {
    this.#client = client
    this.#queues = queues
    this.#route = route
    this.#keyPrefix = queues.keyPrefixOf(route)
  }

  /** The ids of all that are there from the first page to the last, some perhaps twice. Jobs go from the first state to the others. */
  async *ids(): AsyncGenerator<string[]> {
    yield* this.#idsIn('delayed')
    yield* chunks(await this.#idsInWait())
    yield* this.#idsIn('prioritized')
  }

  async *#idsIn(state: 'delayed' | 'prioritized'): AsyncGenerator<string[]> {
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, found]: [string, string[]] = await this.#client.zscan(
        this.#keyPrefix + state,
        cursor,
        'COUNT',
        JOBS_AT_ONCE,
      )
      yield* chunks(found.filter((_, index) => index % 2 === 0))
      cursor = next === '0' ? undefined : next
    }
  }

  /** From the end at which new ones come: what is pushed meanwhile moves the rest to where it is yet to be read. */
  async #idsInWait(): Promise<string[]> {
    const ids: string[] = []
    for (let start = 0; ; start += IDS_AT_ONCE) {
      const found = await this.#client.lrange(`${this.#keyPrefix}wait`, start, start + IDS_AT_ONCE - 1)
      ids.push(...found)
      if (found.length < IDS_AT_ONCE) return ids
    }
  }

  keyOf(id: string): string {
    return this.#keyPrefix + id
  }

  async read(ids: readonly string[]): Promise<readonly WaitingJob[]> {
    const all = await Promise.all(ids.map((id) => this.#client.hget(this.keyOf(id), 'data')))
    return ids.flatMap((id, index) => {
      const data = all[index]
      return typeof data === 'string' ? [{ id, data, record: readData(data) }] : []
    })
  }

  /** False when it is not any more what was read, or somebody works on it. */
  replace({ id, data }: WaitingJob, record: JobRecord): Promise<boolean> {
    const key = this.keyOf(id)
    const lockKey = `${key}:lock`
    return replaceField(this.#client, { key, lockKey, field: 'data', before: data, after: JSON.stringify(record) })
  }

  /** False when somebody works on it. */
  async remove({ id }: WaitingJob): Promise<boolean> {
    return (await this.#queues.queueOf(this.#route).remove(id, { removeChildren: false })) === 1
  }
}

function readData(data: string): JobRecord | undefined {
  try {
    return readRecord(JSON.parse(data))
  } catch {
    return undefined
  }
}

function* chunks(ids: readonly string[]): Generator<string[]> {
  for (let start = 0; start < ids.length; start += JOBS_AT_ONCE) yield ids.slice(start, start + JOBS_AT_ONCE)
}
