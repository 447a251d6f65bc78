/**
 * What follows a job is stored once: then the job says so, until it is removed or goes back. It does so only when the replicas have confirmed what follows it, which may
 * take a while (docs/decisions.md#all-replicas-that-are-in-step-confirm). By then a retry may have left and be gone: stored again, it would be sent again. Both are in one
 * shard, so a replica that has the mark has what it stands for.
 */
import type { Client } from './connection.ts'
import type { JobRecord } from './job.ts'

/** A field of the job. */
interface Mark {
  readonly field: string
  readonly value: string
}

const ALL_FOLLOWED: Mark = { field: 'followed', value: '0' }

/** KEYS: the job. ARGV: field, value. The mark is written anew, so that a WAIT after it is about all that was written before. */
const RENEW_MARK = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
`

/** KEYS: the job, which Redis may have lost. ARGV: field, value. */
const MARK = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) end
`

/**
 * `client`: the one on which `store` writes, and which the WAIT is about. `jobKey`: of the job that is followed. `rest`: what is left of it; that the job holds no
 * more is then the mark.
 */
export async function storeOnce(
  client: Client,
  jobKey: string,
  store: () => Promise<unknown>,
  rest?: JobRecord,
): Promise<void> {
  const { field, value } = rest === undefined ? ALL_FOLLOWED : { field: 'data', value: JSON.stringify(rest) }
  if ((await client.eval(RENEW_MARK, 1, jobKey, field, value)) === 1) return
  await store()
  await client.eval(MARK, 1, jobKey, field, value)
}
