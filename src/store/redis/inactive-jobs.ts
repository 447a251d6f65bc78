/** The jobs of a shard that no consumer has fetched, a few at a time: to be read, changed and removed while consumers go on. */
import { askEach, listIn } from './ask-each.ts'
import { CHARACTERS_PER_DELIVERY, START_CHARACTERS } from './base64-envelope.ts'
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

export interface SealedStart {
  readonly id: string
  /** Base64. */
  readonly start: string
}

/** KEYS: jobs. ARGV: how many characters, and how many more for each delivery. It reads the record of each job (job.ts); what is sealed is long, and most of it does not travel. */
const SEALED_STARTS = `
local starts = {}
for i, key in ipairs(KEYS) do
  local data = redis.call('HGET', key, 'data') or ''
  local _, last = string.find(data, '"sealed":"', 1, true)
  local count = tonumber(string.match(data, '"count":(%d+)') or 0)
  starts[i] = last and string.sub(data, last + 1, last + ARGV[1] + count * ARGV[2]) or ''
end
return starts
`

/** A full job holds 50 deliveries, 75 KB. */
const JOBS_AT_ONCE = 20
/** Redis takes about a millisecond for them. */
const STARTS_AT_ONCE = 100
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

  /** All jobs that are inactive from the first page to the last, some perhaps twice. */
  pages(): AsyncGenerator<readonly InactiveJob[]> {
    return readAhead(this.ids(), (ids) => this.read(ids))
  }

  /** The same jobs, each with as much of what is sealed in it as `mayBeIn` needs; with none where there is no such job any more. */
  sealedStarts(): AsyncGenerator<readonly SealedStart[]> {
    return readAhead(this.ids(STARTS_AT_ONCE), async (ids) => {
      const keys = ids.map((id) => this.keyOf(id))
      const starts = listIn(
        await this.#client.eval(SEALED_STARTS, keys.length, ...keys, START_CHARACTERS, CHARACTERS_PER_DELIVERY),
      )
      return ids.map((id, index) => ({ id, start: starts[index] ?? '' }))
    })
  }

  /** Their ids, likewise. A job goes from the first state to the others. */
  async *ids(atOnce = JOBS_AT_ONCE): AsyncGenerator<string[]> {
    yield* this.#idsIn('delayed', atOnce)
    yield* chunks(await this.#idsInWait(), atOnce)
    yield* this.#idsIn('prioritized', atOnce)
  }

  async *#idsIn(state: 'delayed' | 'prioritized', atOnce: number): AsyncGenerator<string[]> {
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, found]: [string, string[]] = await this.#client.zscan(
        this.keyOf(state),
        cursor,
        'COUNT',
        IDS_AT_ONCE,
      )
      yield* chunks(
        found.filter((_, index) => index % 2 === 0),
        atOnce,
      )
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

function* chunks(ids: readonly string[], atOnce: number): Generator<string[]> {
  for (let start = 0; start < ids.length; start += atOnce) yield ids.slice(start, start + atOnce)
}

/** While a page is looked at, the next ones are read. */
async function* readAhead<Page>(
  all: AsyncIterable<readonly string[]>,
  read: (ids: readonly string[]) => Promise<Page>,
): AsyncGenerator<Page> {
  const ahead: Promise<Page>[] = []
  for await (const ids of all) {
    const page = read(ids)
    // Who looks at those before may want no more.
    page.catch(() => {})
    const next = ahead.push(page) > PAGES_AHEAD ? ahead.shift() : undefined
    if (next !== undefined) yield await next
  }
  for (const page of ahead) yield await page
}
