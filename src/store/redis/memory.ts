/** The memory, in plain keys with a lifetime. Operations of one turn travel together: the connection pipelines by itself. */
import type { Memory, Owner } from '../contract.ts'
import type { Client } from './connection.ts'
import { callRedis } from './call-redis.ts'
import type { Layouts } from './layouts.ts'

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

export function createMemory(client: Client, layouts: Layouts): Memory {
  const keyOf = (owner: Owner, key: string): string => layouts.shardOf(owner).memoryKeys + key
  /** Where it may still be from before: written to no more. */
  const formerKeysOf = (owner: Owner, key: string): readonly string[] =>
    layouts.formerShardsOf(owner).map(({ memoryKeys }) => memoryKeys + key)
  const firstOf = async (keys: readonly string[]): Promise<string | undefined> => {
    const values = await Promise.all(keys.map((key) => client.get(key)))
    return values.find((value) => value !== null) ?? undefined
  }
  const call = <T>(operation: () => Promise<T>): Promise<T> =>
    callRedis(client, () => (layouts.isLoaded ? operation() : layouts.load().then(operation)))
  return {
    get: (owner, key) => call(() => firstOf([keyOf(owner, key), ...formerKeysOf(owner, key)])),
    async set(owner, key, value, lifetimeMs) {
      await call(() => client.set(keyOf(owner, key), value, 'PX', milliseconds(lifetimeMs)))
    },
    async setIfAbsent(owner, key, value, lifetimeMs) {
      const stored = await call(async () => {
        const former = formerKeysOf(owner, key)
        // What was there first is taken over, so that from then on there is one place to ask.
        const ours = former.length === 0 ? value : ((await firstOf(former)) ?? value)
        return client.eval(SET_IF_ABSENT, 1, keyOf(owner, key), ours, milliseconds(lifetimeMs))
      })
      return String(stored)
    },
    async raise(owner, key, value, lifetimeMs) {
      // A number that was stored before is an order, and less than all later ones (shard-queues.ts).
      await call(() => client.eval(RAISE, 1, keyOf(owner, key), String(value), milliseconds(lifetimeMs)))
    },
    async delete(owner, key) {
      await call(() => Promise.all([keyOf(owner, key), ...formerKeysOf(owner, key)].map((each) => client.del(each))))
    },
    async addMember(owner, set, member, lifetimeMs) {
      await call(() => {
        const key = keyOf(owner, set)
        return Promise.all([client.pfadd(key, member), client.pexpire(key, milliseconds(lifetimeMs))])
      })
    },
    // Not where they were before: a set lives for minutes, and two of different slots cannot be counted together.
    async countMembers(owner, sets) {
      if (sets.length === 0) return 0
      return call(() => client.pfcount(...sets.map((set) => keyOf(owner, set))))
    },
  }
}

/** Redis takes whole milliseconds, at least one. */
function milliseconds(lifetimeMs: number): number {
  return Math.max(1, Math.round(lifetimeMs))
}
