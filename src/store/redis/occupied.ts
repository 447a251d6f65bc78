/** Which of many shards hold anything: asked in few commands, so that a thousand idle apps cost next to nothing. */
import { isCluster, type Client } from './connection.ts'
import { deathsKeyOf, type Shard } from './shard.ts'

/** So many shards are asked for in one command, at first. */
const SHARDS_AT_ONCE = 32

/** The keys of a shard's queue in which jobs are. */
export function jobKeysOf({ id }: Shard): readonly string[] {
  return [`${id}:wait`, `${id}:prioritized`, `${id}:delayed`, `${id}:active`]
}

/** The same, and last the key in which the ids of its dead letters are. */
export function storedKeysOf(shard: Shard): readonly string[] {
  return [...jobKeysOf(shard), deathsKeyOf(shard)]
}

/** In groups that may be asked for together, of `atMost` items. Each by itself in a Cluster, which takes no keys of two slots. */
export function groupsOf<Item>(
  client: Client,
  items: readonly Item[],
  atMost = SHARDS_AT_ONCE,
): readonly (readonly Item[])[] {
  const size = isCluster(client) ? 1 : Math.min(SHARDS_AT_ONCE, Math.max(1, Math.floor(atMost)))
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, index) => items.slice(index * size, (index + 1) * size))
}

/** Whether one of the keys of one of the shards exists. `client` pipelines what is asked in one turn. */
export async function isOccupied(client: Client, shards: readonly Shard[], keysOf: KeysOf): Promise<boolean> {
  return (await client.exists(...shards.flatMap(keysOf))) > 0
}

/** Those of which one of the keys exists. One that cannot be asked, because its master is away, is among them: it must not stand in the way of the others. */
export async function occupiedShards(
  client: Client,
  shards: readonly Shard[],
  keysOf: KeysOf,
): Promise<readonly Shard[]> {
  const groups = await filter(groupsOf(client, shards), (group) => isOccupied(client, group, keysOf))
  return isCluster(client) ? groups.flat() : filter(groups.flat(), (shard) => isOccupied(client, [shard], keysOf))
}

type KeysOf = (shard: Shard) => readonly string[]

/** Asks for all at once. */
async function filter<T>(items: readonly T[], isWanted: (item: T) => Promise<boolean>): Promise<readonly T[]> {
  const areWanted = await Promise.all(items.map((item) => isWanted(item).catch(() => true)))
  return items.filter((_, index) => areWanted[index] === true)
}
