/** Changes a field of a hash, unless it was changed since it was read, or the hash is locked. */
import type { Client } from './connection.ts'

/** KEYS: the hash; its lock, if it may have one. ARGV: field, value that was read, new value. */
const COMPARE_AND_SET = `
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if KEYS[2] and redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`

export interface FieldChange {
  readonly key: string
  readonly lockKey?: string
  readonly field: string
  readonly before: string
  readonly after: string
}

/** Resolves with whether it was changed. */
export async function compareAndSet(
  client: Client,
  { key, lockKey, field, before, after }: FieldChange,
): Promise<boolean> {
  const keys = lockKey === undefined ? [key] : [key, lockKey]
  return (await client.eval(COMPARE_AND_SET, keys.length, ...keys, field, before, after)) === 1
}
