/** Changes a field of a hash, unless somebody has changed it since it was read, or holds its lock. */
import type { Client } from './connection.ts'

/** KEYS: the hash, perhaps its lock. ARGV: field, what was read, what is to be there. */
const REPLACE = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`

export interface Change {
  readonly key: string
  readonly lockKey?: string
  readonly field: string
  readonly before: string
  readonly after: string
}

export async function replaceField(client: Client, { key, lockKey, field, before, after }: Change): Promise<boolean> {
  const keys = lockKey === undefined ? [key] : [key, lockKey]
  return (await client.eval(REPLACE, keys.length, ...keys, field, before, after)) === 1
}
