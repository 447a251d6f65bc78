/** What is remembered of a route: the number of its shards, and those it had before. Pure. */
import { isJsonObject } from '../../core/json.ts'

/**
 * A tombstone lives for so long, and no delivery is kept longer: after it nothing of a former layout is left, but revocations of endpoints, which count for nothing
 * from then on (docs/decisions.md#web-push-that-is-relayed).
 */
export const FORMER_LIFETIME_MS = 30 * 24 * 3600_000

export interface Layout {
  readonly shards: number
  readonly sinceMs: number
  readonly former: readonly FormerLayout[]
}

interface FormerLayout {
  readonly shards: number
  readonly untilMs: number
}

/** The layout after its number of shards has become another; undefined when it has not. */
export function withShards(layout: Layout | undefined, shards: number, nowMs: number): Layout | undefined {
  if (layout === undefined) return { shards, sinceMs: nowMs, former: [] }
  if (layout.shards === shards) return undefined
  const kept = layout.former.filter((each) => each.shards !== shards && isKept(each, nowMs))
  return { shards, sinceMs: nowMs, former: [{ shards: layout.shards, untilMs: nowMs }, ...kept] }
}

/** All numbers of shards under which something may lie: those of `own` first, then from the latest to the oldest. */
export function shardCounts(own: number, layout: Layout | undefined, nowMs: number): readonly number[] {
  const former = layout?.former.filter((each) => isKept(each, nowMs)) ?? []
  return [...new Set([own, layout?.shards ?? own, ...former.map(({ shards }) => shards)])]
}

/** In how many shards the facts about a route's devices lie, until something may change of that (epoch ms). */
interface FactsLayout {
  readonly shards: number
  readonly untilMs: number
}

/**
 * The latest layout that every process knows by now: `settleMs` after it was registered; until then, the one before it. It is the same in all processes, whatever
 * they are configured with. So two that are handed the same event ask in the same place whether it is known.
 */
export function factsLayout({ shards, sinceMs, former }: Layout, settleMs: number, nowMs: number): FactsLayout {
  const all = [
    { shards, sinceMs },
    ...former.map((each, index) => ({ shards: each.shards, sinceMs: former[index + 1]?.untilMs ?? -Infinity })),
  ]
  let untilMs = Infinity
  for (const each of all) {
    if (each.sinceMs + settleMs <= nowMs) return { shards: each.shards, untilMs }
    untilMs = each.sinceMs + settleMs
  }
  // There was none before it.
  return { shards, untilMs: Infinity }
}

/** Whether what is stored under this number of shards is found by all. */
export function isRemembered(layout: Layout | undefined, shards: number, nowMs: number): boolean {
  if (layout === undefined) return false
  return layout.shards === shards || layout.former.some((each) => each.shards === shards && isKept(each, nowMs))
}

function isKept({ untilMs }: FormerLayout, nowMs: number): boolean {
  return nowMs < untilMs + FORMER_LIFETIME_MS
}

export function writeLayout(layout: Layout): string {
  return JSON.stringify(layout)
}

/** Undefined when it cannot be read. */
export function readLayout(json: string): Layout | undefined {
  const value = parse(json)
  if (!isJsonObject(value)) return undefined
  const { shards, sinceMs, former } = value
  if (!isCount(shards) || typeof sinceMs !== 'number' || !Array.isArray(former)) return undefined
  return { shards, sinceMs, former: former.filter(isFormer) }
}

function isFormer(value: unknown): value is FormerLayout {
  return isJsonObject(value) && isCount(value['shards']) && typeof value['untilMs'] === 'number'
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}
