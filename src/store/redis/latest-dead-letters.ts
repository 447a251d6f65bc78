/** The latest dead letters of many shards together, without reading what is known of the others. */
import type { DeadLetter } from '../contract.ts'
import { askEach, listIn } from './ask-each.ts'
import type { Client } from './connection.ts'
import { readFacts } from './dead-letter.ts'
import { groupsOf } from './occupied.ts'
import { deadLetterKeysOf, deathsKeyOf, type Shard } from './shard.ts'

/** So many are asked for in one script at most, where that is not about one shard: Redis serves nobody else meanwhile. */
const MOST_AT_ONCE = 1000
/** Of a shard that has not far more than its part of the latest, so many are enough. */
const LEAST_AT_FIRST = 10

interface Dated {
  readonly shard: Shard
  readonly id: string
  readonly diedAtMs: number
}

/** Asks all shards at once, first for the times. `sinceMs`: those that died before have had their time (epoch). */
export async function latestDeadLetters(
  client: Client,
  shards: readonly Shard[],
  { limit, sinceMs }: { readonly limit: number; readonly sinceMs: number },
): Promise<ReadonlyMap<Shard, readonly DeadLetter[]>> {
  const atFirst = Math.min(limit, Math.max(LEAST_AT_FIRST, Math.ceil((2 * limit) / shards.length)))
  const first = await datesIn(client, shards, sinceMs, atFirst)
  // There may be more of a shard that were not asked for, but none before this is among the latest.
  const fromMs = first.flat().toSorted(byDeath)[limit - 1]?.diedAtMs ?? sinceMs
  const isAll = (found: readonly Dated[]): boolean =>
    found.length < atFirst || atFirst === limit || (found.at(-1)?.diedAtMs ?? 0) < fromMs
  const open = shards.filter((_, index) => !isAll(first[index] ?? []))
  const others = await datesIn(client, open, fromMs, limit)
  const latest = [...first.filter(isAll), ...others].flat().toSorted(byDeath).slice(0, limit)
  const byShard = [...Map.groupBy(latest, ({ shard }) => shard)]
  const facts = await askEach(client, byShard, (pipeline, [shard, ofShard]) =>
    pipeline.hmget(deadLetterKeysOf(shard)[1], ...ofShard.map(({ id }) => id)),
  )
  return new Map(
    byShard.map(([shard, ofShard], index) => {
      const known = listIn(facts[index])
      const letters = ofShard.map(({ id }, place) => readFacts(shard.route, id, known[place] ?? ''))
      return [shard, letters.filter((letter) => letter !== undefined)] as const
    }),
  )
}

function byDeath(a: Dated, b: Dated): number {
  return b.diedAtMs - a.diedAtMs
}

/** KEYS: deaths of each shard. ARGV: the earliest time, how many at most. */
const LATEST = `
local found = {}
for i, key in ipairs(KEYS) do
  found[i] = redis.call('ZREVRANGEBYSCORE', key, '+inf', ARGV[1], 'WITHSCORES', 'LIMIT', 0, ARGV[2])
end
return found
`

/** Of each shard, the latest first. */
async function datesIn(
  client: Client,
  shards: readonly Shard[],
  sinceMs: number,
  limit: number,
): Promise<readonly (readonly Dated[])[]> {
  const asked = groupsOf(client, shards, MOST_AT_ONCE / limit).map(async (group): Promise<readonly unknown[]> => {
    const replies: unknown = await client.eval(LATEST, group.length, ...group.map(deathsKeyOf), sinceMs, limit)
    return Array.isArray(replies) ? replies : []
  })
  const replies = (await Promise.all(asked)).flat(1)
  return shards.map((shard, index) => {
    const found = listIn(replies[index])
    return found.flatMap((id, place) => (place % 2 === 0 ? [{ shard, id, diedAtMs: Number(found[place + 1]) }] : []))
  })
}
