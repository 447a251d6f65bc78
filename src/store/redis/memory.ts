/** The memory, in plain keys with a lifetime. Operations of one turn travel together: the connection pipelines by itself. */
import type { Memory } from '../contract.ts'
import type { Client } from './connection.ts'
import { callRedis } from './call-redis.ts'

/** `SET … NX GET` came with Redis 7.0; a script does the same from 6.2 on. */
const SET_IF_ABSENT = `
local standing = redis.call('GET', KEYS[1])
if standing then return standing end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]
`
const RAISE = `
local standing = tonumber(redis.call('GET', KEYS[1]))
if not standing or standing <= tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
`

export function createMemory(client: Client, prefix: string): Memory {
  const keyOf = (key: string): string => `${prefix}:memory:${key}`
  return {
    get: (_owner, key) => callRedis(client, async () => (await client.get(keyOf(key))) ?? undefined),
    async set(_owner, key, value, lifetimeMs) {
      await callRedis(client, () => client.set(keyOf(key), value, 'PX', milliseconds(lifetimeMs)))
    },
    async setIfAbsent(_owner, key, value, lifetimeMs) {
      const lifetime = milliseconds(lifetimeMs)
      return String(await callRedis(client, () => client.eval(SET_IF_ABSENT, 1, keyOf(key), value, lifetime)))
    },
    async raise(_owner, key, value, lifetimeMs) {
      await callRedis(client, () => client.eval(RAISE, 1, keyOf(key), String(value), milliseconds(lifetimeMs)))
    },
    async delete(_owner, key) {
      await callRedis(client, () => client.del(keyOf(key)))
    },
    async addMember(_owner, set, member, lifetimeMs) {
      const key = keyOf(set)
      await callRedis(client, () =>
        Promise.all([client.pfadd(key, member), client.pexpire(key, milliseconds(lifetimeMs))]),
      )
    },
    async countMembers(_owner, sets) {
      if (sets.length === 0) return 0
      return callRedis(client, () => client.pfcount(...sets.map(keyOf)))
    },
  }
}

/** Redis takes whole milliseconds, at least one. */
function milliseconds(lifetimeMs: number): number {
  return Math.max(1, Math.round(lifetimeMs))
}
