/** Where what belongs to one route lies, by its layout and by the configuration of this process. Pure. */
import type { Owner } from '../contract.ts'
import { factsLayout, shardCounts, type Layout } from './layout.ts'
import { oldShardOf, shardOf, shardsOf, type Shard } from './shard.ts'

const NONE: readonly Shard[] = []

export interface RouteShards {
  /** Its deliveries, as this process stores them. */
  readonly own: readonly Shard[]
  /** What is about the route itself, however many shards it has. */
  readonly ofRoute: Shard
  /** What is remembered about its devices. */
  readonly facts: readonly Shard[]
  /** Where else that may be: the latest layout first. */
  readonly otherFacts: readonly (readonly Shard[])[]
  /** Where deliveries were before, or are by another configuration: the latest layout first. */
  readonly former: readonly (readonly Shard[])[]
  /** Where all of it was before version 0.2, if something may be left there. */
  readonly old: Shard | undefined
  readonly all: readonly Shard[]
  readonly newest: ReadonlySet<string>
  /** All this may be otherwise from then on, epoch ms. */
  readonly untilMs: number
}

export interface RouteShardsParts {
  readonly prefix: string
  readonly route: string
  /** By the configuration of this process. */
  readonly ownCount: number
  readonly layout: Layout | undefined
  /** Something that a version before 0.2 stored may be left. */
  readonly hasOld: boolean
  /** After so long every process knows a layout. */
  readonly settleMs: number
}

export function routeShards(parts: RouteShardsParts, nowMs: number): RouteShards {
  const { prefix, route, ownCount, layout, hasOld, settleMs } = parts
  const newestCount = layout?.shards ?? ownCount
  const ownFirst = shardCounts(ownCount, layout, nowMs)
  const newestFirst = new Set([...shardCounts(newestCount, layout, nowMs), ownCount])
  const byCount = new Map(ownFirst.map((count) => [count, shardsOf(prefix, route, count)]))
  const shardsBy = (count: number): readonly Shard[] => byCount.get(count) ?? shardsOf(prefix, route, count)
  const facts = layout === undefined ? { shards: ownCount, untilMs: Infinity } : factsLayout(layout, settleMs, nowMs)
  const [ofRoute = oldShardOf(prefix, route)] = shardsOf(prefix, route, 1)
  const old = hasOld ? oldShardOf(prefix, route) : undefined
  return {
    own: shardsBy(ownCount),
    ofRoute,
    facts: shardsBy(facts.shards),
    otherFacts: [...newestFirst].filter((count) => count !== facts.shards).map(shardsBy),
    former: ownFirst.slice(1).map(shardsBy),
    old,
    all: [...ownFirst.flatMap(shardsBy), ...(old === undefined ? [] : [old])],
    newest: new Set(shardsBy(newestCount).map(({ id }) => id)),
    untilMs: facts.untilMs,
  }
}

/** Where else something about the owner may lie: the latest layout first. */
export function elsewhereOf(shards: RouteShards, what: 'former' | 'otherFacts', owner: Owner): readonly Shard[] {
  const { [what]: others, old, ofRoute } = shards
  if (others.length === 0 && old === undefined) return NONE
  const found = owner.deviceHash === undefined ? NONE : others.map((each) => shardOf(each, ofRoute, owner))
  return old === undefined ? found : [...found, old]
}
