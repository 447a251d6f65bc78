/** Which of many shards hold anything: asked in few commands, so that a thousand idle apps cost next to nothing. */
import { isCluster, type Client } from './connection.ts'
import { deathsKeyOf, type Shard } from './shard.ts'

/** So many shards are asked for in one command, at first. A Cluster takes no keys of two slots. */
const SHARDS_AT_ONCE = 32

/** The keys of a shard's queue in which jobs are. */
export function jobKeysOf({ id }: Shard): readonly string[] {
  return [`${id}:wait`, `${id}:prioritized`, `${id}:delayed`, `${id}:active`]
}

/** The same, and last the key in which the ids of its dead letters are. */
export function storedKeysOf(shard: Shard): readonly string[] {
  return [...jobKeysOf(shard), deathsKeyOf(shard)]
}

/** Those of which one of the keys exists. `client` pipelines what is asked in one turn. */
export async function occupiedShards(
  client: Client,
  shards: readonly Shard[],
  keysOf: KeysOf,
): Promise<readonly Shard[]> {
  const groups = await occupiedGroups(client, shards, keysOf)
  if (isCluster(client)) return groups.flat()
  return filter(groups.flat(), async (shard) => (await client.exists(...keysOf(shard))) > 0)
}

/** The same in groups that one command may be about, with others of each group that hold nothing. */
export function occupiedGroups(
  client: Client,
  shards: readonly Shard[],
  keysOf: KeysOf,
): Promise<readonly (readonly Shard[])[]> {
  const groups = chunks(shards, isCluster(client) ? 1 : SHARDS_AT_ONCE)
  return filter(groups, async (group) => (await client.exists(...group.flatMap(keysOf))) > 0)
}

type KeysOf = (shard: Shard) => readonly string[]

/** Asks for all at once. */
async function filter<T>(items: readonly T[], isWanted: (item: T) => Promise<boolean>): Promise<readonly T[]> {
  const areWanted = await Promise.all(items.map(isWanted))
  return items.filter((_, index) => areWanted[index] === true)
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}
