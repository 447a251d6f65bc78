/** The memory, in plain keys with a lifetime. What most pushes ask is asked together for all of a turn of the event loop; all else, the connection pipelines. */
import type { Memory, OwnedKey, Owner } from '../contract.ts'
import { isCluster, mastersOf, type Client } from './connection.ts'
import { callRedis } from './call-redis.ts'
import type { Layouts } from './layouts.ts'
import type { Shard } from './shard.ts'
import { Together } from './together.ts'

/** `SET … NX GET` came with Redis 7.0; a script does the same from 6.2 on. KEYS; ARGV: value and lifetime of each. Answers with what stands there then. */
const SET_IF_ABSENT = `
local standing = {}
for index, key in ipairs(KEYS) do
  local value = redis.call('GET', key)
  if not value then
    value = ARGV[2 * index - 1]
    redis.call('SET', key, value, 'PX', ARGV[2 * index])
  end
  standing[index] = value
end
return standing
`
/** KEYS; ARGV: value, lifetime. */
const SET_MANY = `
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
`
/** Redis serves nobody else meanwhile. */
const MANY = 200
/** For an operator. */
const SCANNED_AT_ONCE = 2000
const OPERATOR_TIMEOUT_MS = 30_000
const MOST_KEYS = 1000
/** What is under another key from before is an order, and less than all later ones (shard-queues.ts). KEYS; ARGV: number, lifetime. */
const RAISE = `
local standing = tonumber(redis.call('GET', KEYS[1]))
if not standing or standing <= tonumber(ARGV[1]) then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
`

interface NewEntry {
  readonly key: string
  readonly value: string
  readonly lifetimeMs: number
}

export function createMemory(client: Client, layouts: Layouts): Memory {
  const gets = new Together((keys: readonly string[]) => callRedis(client, () => client.mget(...keys)))
  const claims = new Together((entries: readonly NewEntry[]) => callRedis(client, () => setIfAbsent(client, entries)))
  const keyOf = (owner: Owner, key: string): string => layouts.factShardOf(owner).memoryKeys + key
  /** Where it may still be from before: written to no more. */
  const formerKeysOf = (owner: Owner, key: string): readonly string[] =>
    layouts.otherFactShardsOf(owner).map(({ memoryKeys }) => memoryKeys + key)
  const valueIn = async ({ memoryKeys }: Shard, key: string): Promise<string | undefined> =>
    (await gets.add(groupOf(client, memoryKeys), memoryKeys + key)) ?? undefined
  /** A master that is away must not stand in the way of what lies on another by now. */
  const formerOf = async (owner: Owner, key: string): Promise<string | undefined> => {
    const former = layouts.otherFactShardsOf(owner)
    if (former.length === 0) return undefined
    const values = await Promise.all(former.map((shard) => valueIn(shard, key).catch(() => undefined)))
    return values.find((value) => value !== undefined)
  }
  const loaded = async <T>(operation: () => Promise<T>): Promise<T> => {
    if (!layouts.isLoaded) await callRedis(client, () => layouts.load())
    return operation()
  }
  const call = <T>(operation: () => Promise<T>): Promise<T> => loaded(() => callRedis(client, operation))
  return {
    get: (owner, key) =>
      loaded(async () => {
        const [value, former] = await Promise.all([valueIn(layouts.factShardOf(owner), key), formerOf(owner, key)])
        return value ?? former
      }),
    async set(owner, key, value, lifetimeMs) {
      await call(() => client.set(keyOf(owner, key), value, 'PX', milliseconds(lifetimeMs)))
    },
    setMany: (entries, value, lifetimeMs) => loaded(() => setMany(client, layouts, entries, [value, lifetimeMs])),
    setIfAbsent: (owner, key, value, lifetimeMs) =>
      loaded(async () => {
        // All processes must mean the same place.
        if (!layouts.isKnown(owner.route)) await callRedis(client, () => layouts.register(owner.route))
        // What was there first is taken over, so that from then on there is one place to ask.
        const ours = (await formerOf(owner, key)) ?? value
        const { memoryKeys } = layouts.factShardOf(owner)
        return claims.add(memoryKeys, { key: memoryKeys + key, value: ours, lifetimeMs })
      }),
    async raise(owner, key, value, lifetimeMs) {
      await call(() => client.eval(RAISE, 1, keyOf(owner, key), String(value), milliseconds(lifetimeMs)))
    },
    async delete(owner, key) {
      await call(() => Promise.all([keyOf(owner, key), ...formerKeysOf(owner, key)].map((each) => client.del(each))))
    },
    keysOf: (route, prefix) => loaded(() => keysOf(client, layouts, route, prefix)),
    async addMembers(owner, set, members, lifetimeMs) {
      await call(() => {
        const key = keyOf(owner, set)
        return Promise.all([client.pfadd(key, ...members), client.pexpire(key, milliseconds(lifetimeMs))])
      })
    },
    // Not where they were before: a set lives for minutes, and two of different slots cannot be counted together.
    async countMembers(owner, sets) {
      if (sets.length === 0) return 0
      return call(() => client.pfcount(...sets.map((set) => keyOf(owner, set))))
    },
  }
}

/** A Cluster takes no keys of two slots in one command. */
function groupOf(client: Client, memoryKeys: string): string {
  return isCluster(client) ? memoryKeys : ''
}

async function setMany(
  client: Client,
  layouts: Layouts,
  entries: readonly OwnedKey[],
  [value, lifetimeMs]: readonly [value: string, lifetimeMs: number],
): Promise<void> {
  // Those of one shard are in one slot.
  for (const [prefix, ofShard] of Map.groupBy(entries, ({ owner }) => layouts.shardOf(owner).memoryKeys))
    for (let start = 0; start < ofShard.length; start += MANY) {
      const keys = ofShard.slice(start, start + MANY).map(({ key }) => prefix + key)
      await callRedis(client, () => client.eval(SET_MANY, keys.length, ...keys, value, milliseconds(lifetimeMs)))
    }
}

async function setIfAbsent(client: Client, entries: readonly NewEntry[]): Promise<readonly string[]> {
  const keys = entries.map(({ key }) => key)
  const values = entries.flatMap(({ value, lifetimeMs }) => [value, milliseconds(lifetimeMs)])
  const standing: unknown = await client.eval(SET_IF_ABSENT, keys.length, ...keys, ...values)
  if (!Array.isArray(standing)) throw new TypeError('the script answers with a list')
  return standing.map(String)
}

async function keysOf(client: Client, layouts: Layouts, route: string, prefix: string): Promise<readonly string[]> {
  const places = layouts.allShardsOf(route).map(({ memoryKeys }) => memoryKeys)
  const found = await Promise.all(
    places.map(async (place) => {
      const keys = await callRedis(client, () => keysLike(client, place + prefix), OPERATOR_TIMEOUT_MS)
      return keys.map((key) => key.slice(place.length))
    }),
  )
  return [...new Set(found.flat())].slice(0, MOST_KEYS)
}

/** Redis walks through all that it has, some thousand keys at a time. */
async function keysLike(client: Client, start: string): Promise<readonly string[]> {
  const pattern = `${start.replaceAll(/[[\]?*\\^-]/g, String.raw`\$&`)}*`
  const found: string[] = []
  for (const node of mastersOf(client).values())
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, keys]: [string, string[]] = await node.scan(cursor, 'MATCH', pattern, 'COUNT', SCANNED_AT_ONCE)
      found.push(...keys)
      cursor = next === '0' ? undefined : next
    }
  return found
}

/** Redis takes whole milliseconds, at least one. */
function milliseconds(lifetimeMs: number): number {
  return Math.max(1, Math.round(lifetimeMs))
}
