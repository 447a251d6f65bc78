/**
 * Where in Redis the queue, the dead letters and the facts of a route lie, and how their keys are named. What lies in one shard has one hash tag, and so is
 * in one slot of a Redis Cluster, as BullMQ's scripts and our transactions need. Pure.
 */
import type { Owner } from '../contract.ts'
import { slotOf } from './slot.ts'

export interface Shard {
  readonly route: string
  /** Names it among all shards: what the keys of its queue begin with, without the last colon. */
  readonly id: string
  /** BullMQ's prefix of keys and name of a queue. */
  readonly prefix: string
  readonly queueName: string
  /** What the keys begin with, with the last colon. */
  readonly deadLetterKeys: string
  readonly memoryKeys: string
  /** In a Redis Cluster. */
  readonly slot: number
  /** Of so many shards that share what is stored, it is one. */
  readonly siblings: number
}

/** A key that belongs to the gateway and to no route. */
export function gatewayKey(prefix: string, name: string): string {
  return `${hashTagged(prefix)}:${name}`
}

/** A key that nothing depends on, named like those of a route: so that a Redis which does not allow these is noticed before there is a push. */
export function probeKeyOf(prefix: string): string {
  return hashTagged(prefix).replace('}', ':probe}:probe')
}

/** The shards of a route that has so many: of one, its tag is `{PREFIX:ROUTE}`, of several `{PREFIX:ROUTE:1/4}` and so on. */
export function shardsOf(prefix: string, route: string, count: number): readonly Shard[] {
  if (count === 1) return [createShard(prefix, route, encoded(route), 1)]
  return Array.from({ length: count }, (_, index) =>
    createShard(prefix, route, `${encoded(route)}:${index + 1}/${count}`, count),
  )
}

/** Where a route lay before version 0.2: all routes under the gateway's own tag. */
export function oldShardOf(prefix: string, route: string): Shard {
  const tagged = hashTagged(prefix)
  const queueName = `app-${encoded(route)}`
  return {
    route,
    id: `${tagged}:${queueName}`,
    prefix: tagged,
    queueName,
    deadLetterKeys: `${tagged}:dead:${queueName}:`,
    memoryKeys: `${tagged}:memory:`,
    slot: slotOf(tagged),
    siblings: 1,
  }
}

/** The dead letters of a shard, by the time of their death. */
export function deathsKeyOf({ deadLetterKeys }: Shard): string {
  return `${deadLetterKeys}deaths`
}

/** The same, what is known of each, and their deliveries. */
export function deadLetterKeysOf(shard: Shard): readonly [deaths: string, facts: string, sealed: string] {
  return [deathsKeyOf(shard), `${shard.deadLetterKeys}facts`, `${shard.deadLetterKeys}sealed`]
}

/** The shard of an owner among those of its route. What is about the route itself is in the first of `ofRoute`, which stays the same whatever their number. */
export function shardOf(shards: readonly Shard[], ofRoute: Shard, { deviceHash }: Owner): Shard {
  if (deviceHash === undefined) return ofRoute
  return shards[shards.length === 1 ? 0 : fnv1a(deviceHash) % shards.length] ?? ofRoute
}

function createShard(prefix: string, route: string, tag: string, siblings: number): Shard {
  const tagged = hashTagged(prefix).replace('}', `:${tag}}`)
  return {
    route,
    id: `${tagged}:queue`,
    prefix: tagged,
    queueName: 'queue',
    deadLetterKeys: `${tagged}:dead:`,
    memoryKeys: `${tagged}:memory:`,
    slot: slotOf(tagged),
    siblings,
  }
}

/** With a hash tag, the first text in braces: Redis Cluster finds the slot of a key by it alone. */
function hashTagged(prefix: string): string {
  return /\{[^}]+\}/.test(prefix) ? prefix : `{${prefix}}`
}

/** Without colons, which BullMQ refuses, slashes, and braces, which would end the tag. */
function encoded(route: string): string {
  return encodeURIComponent(route.toWellFormed()).replaceAll('*', '%2A')
}

/** FNV-1a, 32 bits: spreads any text. Processes of all versions must come to the same. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193) >>> 0
  return hash
}
