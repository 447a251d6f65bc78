/** The latest dead letters of many shards together, without reading what is known of the others. */
import type { DeadLetter } from '../contract.ts'
import type { Client } from './connection.ts'
import { readFacts } from './dead-letter.ts'
import { deadLetterKeysOf, deathsKeyOf, type Shard } from './shard.ts'

/** Asks all shards at once, first for the times. `sinceMs`: those that died before have had their time (epoch). */
export async function latestDeadLetters(
  client: Client,
  shards: readonly Shard[],
  { limit, sinceMs }: { readonly limit: number; readonly sinceMs: number },
): Promise<ReadonlyMap<Shard, readonly DeadLetter[]>> {
  const dated = await Promise.all(
    shards.map(async (shard) => {
      const replies = await client.zrevrangebyscore(
        deathsKeyOf(shard),
        '+inf',
        sinceMs,
        'WITHSCORES',
        'LIMIT',
        0,
        limit,
      )
      return replies.flatMap((id, index) =>
        index % 2 === 0 ? [{ shard, id, diedAtMs: Number(replies[index + 1]) }] : [],
      )
    }),
  )
  const latest = dated
    .flat()
    .toSorted((a, b) => b.diedAtMs - a.diedAtMs)
    .slice(0, limit)
  const read = [...Map.groupBy(latest, ({ shard }) => shard)].map(async ([shard, ofShard]) => {
    const [, facts] = deadLetterKeysOf(shard)
    const all = await client.hmget(facts, ...ofShard.map(({ id }) => id))
    const letters = ofShard.map(({ id }, index) => readFacts(shard.route, id, all[index] ?? ''))
    return [shard, letters.filter((letter) => letter !== undefined)] as const
  })
  return new Map(await Promise.all(read))
}
