/** The latest dead letters of many shards together, without reading what is known of the others. */
import type { DeadLetter } from '../contract.ts'
import type { Client } from './connection.ts'
import { readFacts } from './dead-letter.ts'
import { deadLetterKeysOf, deathsKeyOf, type Shard } from './shard.ts'

/** Of a shard that has not far more than its part of the latest, so many are enough. */
const LEAST_AT_FIRST = 10

interface Dated {
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
  const first = await Promise.all(shards.map((shard) => datesIn(client, shard, sinceMs, atFirst)))
  // There may be more of a shard that were not asked for, but none before this is among the latest.
  const fromMs = first.flat().toSorted(byDeath)[limit - 1]?.diedAtMs ?? sinceMs
  const dated = await Promise.all(
    shards.map(async (shard, index) => {
      const found = first[index] ?? []
      const isAll = found.length < atFirst || atFirst === limit || (found.at(-1)?.diedAtMs ?? 0) < fromMs
      return (isAll ? found : await datesIn(client, shard, fromMs, limit)).map((each) => ({ ...each, shard }))
    }),
  )
  const latest = dated.flat().toSorted(byDeath).slice(0, limit)
  const read = [...Map.groupBy(latest, ({ shard }) => shard)].map(async ([shard, ofShard]) => {
    const [, facts] = deadLetterKeysOf(shard)
    const all = await client.hmget(facts, ...ofShard.map(({ id }) => id))
    const letters = ofShard.map(({ id }, index) => readFacts(shard.route, id, all[index] ?? ''))
    return [shard, letters.filter((letter) => letter !== undefined)] as const
  })
  return new Map(await Promise.all(read))
}

function byDeath(a: Dated, b: Dated): number {
  return b.diedAtMs - a.diedAtMs
}

/** The latest first. */
async function datesIn(client: Client, shard: Shard, sinceMs: number, limit: number): Promise<readonly Dated[]> {
  const replies = await client.zrevrangebyscore(deathsKeyOf(shard), '+inf', sinceMs, 'WITHSCORES', 'LIMIT', 0, limit)
  return replies.flatMap((id, index) => (index % 2 === 0 ? [{ id, diedAtMs: Number(replies[index + 1]) }] : []))
}
