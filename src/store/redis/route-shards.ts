/** Where what belongs to one route lies, by its layout and by the configuration of this process. Pure. */
import { shardCounts, type Layout } from './layout.ts'
import { oldShardOf, shardsOf, type Shard } from './shard.ts'

export interface RouteShards {
  /** Its deliveries and what is about its devices, now. */
  readonly own: readonly Shard[]
  /** What is about the route itself, however many shards it has. */
  readonly ofRoute: Shard
  /** Where they were before, or are by another configuration: the latest layout first. */
  readonly former: readonly (readonly Shard[])[]
  /** Where all of it was before version 0.2, if something may be left there. */
  readonly old: Shard | undefined
  readonly all: readonly Shard[]
  readonly newest: ReadonlySet<string>
}

export interface RouteShardsParts {
  readonly prefix: string
  readonly route: string
  /** By the configuration of this process. */
  readonly ownCount: number
  readonly layout: Layout | undefined
  /** Something that a version before 0.2 stored may be left. */
  readonly hasOld: boolean
}

const NONE: readonly Shard[] = []

export function routeShards(parts: RouteShardsParts, nowMs: number): RouteShards {
  const { prefix, route, ownCount, layout, hasOld } = parts
  const [own = NONE, ...former] = shardCounts(ownCount, layout, nowMs).map((count) => shardsOf(prefix, route, count))
  const newest = shardsOf(prefix, route, layout?.shards ?? ownCount)
  const [ofRoute = oldShardOf(prefix, route)] = shardsOf(prefix, route, 1)
  const old = hasOld ? oldShardOf(prefix, route) : undefined
  return {
    own,
    ofRoute,
    former,
    old,
    all: [...own, ...former.flat(), ...(old === undefined ? [] : [old])],
    newest: new Set(newest.map(({ id }) => id)),
  }
}
