/**
 * What follows a job is stored once, together with a mark on the job that says so, until the job is removed or goes back. That is only when the replicas have confirmed
 * what follows it, which may take a while (docs/decisions.md#all-replicas-that-are-in-step-confirm), or never happens, because the process dies before. By then a
 * retry may have left and be gone: stored again, it would be sent again, and so would what the job itself holds. Both are in one shard, so a replica that has the
 * mark has what it stands for.
 */
import type { Client } from './connection.ts'
import type { JobRecord } from './job.ts'
import type { NewJob, Script, ShardQueues } from './shard-queues.ts'
import type { Shard } from './shard.ts'

/** A field of the job. */
interface Mark {
  readonly field: string
  readonly value: string
}

/** A job that others follow. */
export interface FormerJob {
  readonly id: string
  /** Of the lock that this process has on it. */
  readonly token: string
  /** What is left of it; absent where all of it is done or goes on in what follows. */
  readonly rest?: JobRecord | undefined
}

/** The `progress` of a job, as BullMQ reads it: all of it is done, or goes on in what follows. */
export const FOLLOWED = 1
const ALL_FOLLOWED: Mark = { field: 'progress', value: String(FOLLOWED) }

/** KEYS: the job. ARGV: field, value. The mark is written anew, so that a WAIT after it is about all that was written before. */
const RENEW_MARK = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
`

/**
 * KEYS: the job, its lock, then those that follow it. ARGV: field, value, token of the lock. Where Redis has lost its latest writes, the job may be gone, or hold more again than
 * this process knows of; then the lock is not there, and the job stays as it is. One that follows may not be there: Redis has refused it, or it was handed out and is done.
 */
const MARK: Script = {
  name: 'hushgateMarkFollowed',
  lua: `
if redis.call('EXISTS', KEYS[1]) == 0 then return 'gone' end
if redis.call('GET', KEYS[2]) ~= ARGV[3] then return 'not ours' end
for i = 3, #KEYS do if redis.call('EXISTS', KEYS[i]) == 0 then return 'incomplete' end end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 'marked'
`,
}

/**
 * `client`: the one on which the queues write, and which the WAIT is about. Of a job of which something is left, that it holds no more is the mark. Resolves with false where
 * Redis has lost the job.
 */
export async function storeOnce(
  { client, queues, shard }: { readonly client: Client; readonly queues: ShardQueues; readonly shard: Shard },
  jobs: readonly NewJob[],
  { id, token, rest }: FormerJob,
): Promise<boolean> {
  const mark = rest === undefined ? ALL_FOLLOWED : { field: 'data', value: JSON.stringify(rest) }
  if (await renew(client, shard, id, mark)) return true
  const own = [keyOf(shard, id), `${keyOf(shard, id)}:lock`]
  const followers = jobs.map(({ opts }) => keyOf(shard, opts?.jobId ?? ''))
  const args = [mark.field, mark.value, token]
  const { areAdded, reply } = await queues.addAndRun(shard, jobs, MARK, [...own, ...followers], args)
  // Redis has taken all, but did not run the scripts in their order, or one of them is done already.
  const isToMark = reply === 'incomplete' && areAdded
  const answer = isToMark ? await client.eval(MARK.lua, own.length, ...own, ...args) : reply
  return answer !== 'gone'
}

/** Whether the mark says that all of a job is done or goes on in what follows; a WAIT after it is about all of that. */
export function renewMark(client: Client, shard: Shard, jobId: string): Promise<boolean> {
  return renew(client, shard, jobId, ALL_FOLLOWED)
}

async function renew(client: Client, shard: Shard, jobId: string, { field, value }: Mark): Promise<boolean> {
  return (await client.eval(RENEW_MARK, 1, keyOf(shard, jobId), field, value)) === 1
}

function keyOf({ id }: Shard, jobId: string): string {
  return `${id}:${jobId}`
}
