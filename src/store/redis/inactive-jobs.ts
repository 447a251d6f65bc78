/** The jobs of a shard that no consumer has fetched, a few at a time: to be read, changed and removed while consumers go on. */
import { askEach } from './ask-each.ts'
import { compareAndSet } from './compare-and-set.ts'
import type { Client } from './connection.ts'
import { readRecord, type JobRecord } from './job.ts'
import type { ShardQueues } from './shard-queues.ts'
import type { Shard } from './shard.ts'

/** A job as it was read. */
export interface InactiveJob {
  readonly id: string
  readonly data: string
  /** Undefined when a newer Hushgate (or somebody else) wrote it. */
  readonly record: JobRecord | undefined
}

/** A full job holds 50 deliveries, 75 KB. */
const JOBS_AT_ONCE = 20
const IDS_AT_ONCE = 1000
/** So that neither Redis nor this process waits for the other. */
const PAGES_AHEAD = 3

export class InactiveJobs {
  readonly #client: Client
  readonly #queues: ShardQueues
  readonly #shard: Shard

  constructor(client: Client, queues: ShardQueues, shard: Shard) {
    this.#client = client
    this.#queues = queues
    this.#shard = shard
  }

  /** All jobs that are inactive from the first page to the last, some perhaps twice. While a page is looked at, the next ones are read. */
  async *pages(): AsyncGenerator<readonly InactiveJob[]> {
    const ahead: Promise<readonly InactiveJob[]>[] = []
    for await (const ids of this.ids()) {
      const page = this.read(ids)
      // Who looks at those before may want no more.
      page.catch(() => {})
      if (ahead.push(page) > PAGES_AHEAD) yield (await ahead.shift()) ?? []
    }
    for (const page of ahead) yield await page
  }

  /** Their ids, likewise. A job goes from the first state to the others. */
  async *ids(): AsyncGenerator<string[]> {
    yield* this.#idsIn('delayed')
    yield* chunks(await this.#idsInWait())
    yield* this.#idsIn('prioritized')
  }

  async *#idsIn(state: 'delayed' | 'prioritized'): AsyncGenerator<string[]> {
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, found]: [string, string[]] = await this.#client.zscan(
        this.keyOf(state),
        cursor,
        'COUNT',
        IDS_AT_ONCE,
      )
      yield* chunks(found.filter((_, index) => index % 2 === 0))
      cursor = next === '0' ? undefined : next
    }
  }

  /** Read from the end at which new jobs are pushed: what is pushed meanwhile moves the others to places that are not read yet. */
  async #idsInWait(): Promise<string[]> {
    const ids: string[] = []
    for (let start = 0; ; start += IDS_AT_ONCE) {
      const found = await this.#client.lrange(this.keyOf('wait'), start, start + IDS_AT_ONCE - 1)
      ids.push(...found)
      if (found.length < IDS_AT_ONCE) return ids
    }
  }

  keyOf(id: string): string {
    return `${this.#shard.id}:${id}`
  }

  async read(ids: readonly string[]): Promise<readonly InactiveJob[]> {
    const all = await askEach(this.#client, ids, (pipeline, id) => pipeline.hget(this.keyOf(id), 'data'))
    return ids.flatMap((id, index) => {
      const data = all[index]
      return typeof data === 'string' ? [{ id, data, record: readData(data) }] : []
    })
  }

  /** False when the job has changed since it was read, or was fetched. Who counts the shard is shown that something has changed (counted-shards.ts). */
  async replace({ id, data }: InactiveJob, record: JobRecord): Promise<boolean> {
    const key = this.keyOf(id)
    const lockKey = `${key}:lock`
    const change = { key, lockKey, field: 'data', before: data, after: JSON.stringify(record) }
    const isReplaced = await compareAndSet(this.#client, change)
    if (isReplaced) await this.#client.incr(this.keyOf('id'))
    return isReplaced
  }

  /** False when the job was fetched. */
  async remove({ id }: InactiveJob): Promise<boolean> {
    return (await this.#queues.queueOf(this.#shard).remove(id, { removeChildren: false })) === 1
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
