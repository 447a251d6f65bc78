/**
 * What follows a job is stored once: then the job says so, until it is removed. It is removed only when the replicas have confirmed what follows it, which may take
 * a while (docs/decisions.md#all-replicas-that-are-in-step-confirm). By then a retry may have left and be gone: stored again, it would be sent again. Both are in one shard, so a
 * replica that has the mark has what it stands for.
 */
import type { Client } from './connection.ts'

/** KEYS: the job. The mark is written anew, so that a WAIT after it is about all that was written before. */
const RENEW_MARK = `
if redis.call('HEXISTS', KEYS[1], 'followed') == 0 then return 0 end
redis.call('HINCRBY', KEYS[1], 'followed', 1)
return 1
`

/** KEYS: the job, which Redis may have lost. */
const MARK = `
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HSET', KEYS[1], 'followed', 0) end
`

/** `client`: the one on which `store` writes, and which the WAIT is about. `jobKey`: of the job that is followed. */
export async function storeOnce(client: Client, jobKey: string, store: () => Promise<unknown>): Promise<void> {
  if ((await client.eval(RENEW_MARK, 1, jobKey)) === 1) return
  await store()
  await client.eval(MARK, 1, jobKey)
}
