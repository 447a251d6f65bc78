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

/** KEYS: the job, which Redis may have lost; then those that follow it, which Redis may have refused, or handed out already. ARGV: field, value. */
const MARK: Script = {
  name: 'hushgateMarkFollowed',
  lua: `
for _, key in ipairs(KEYS) do if redis.call('EXISTS', key) == 0 then return end end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
`,
}

/** `client`: the one on which the queues write, and which the WAIT is about. Of a job of which something is left, that it holds no more is the mark. */
export async function storeOnce(
  { client, queues, shard }: { readonly client: Client; readonly queues: ShardQueues; readonly shard: Shard },
  jobs: readonly NewJob[],
  { id, rest }: FormerJob,
): Promise<void> {
  const mark = rest === undefined ? ALL_FOLLOWED : { field: 'data', value: JSON.stringify(rest) }
  if (await renew(client, shard, id, mark)) return
  const keys = [id, ...jobs.map(({ opts }) => opts?.jobId ?? '')].map((jobId) => keyOf(shard, jobId))
  await queues.addAndRun(shard, jobs, MARK, keys, [mark.field, mark.value])
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
