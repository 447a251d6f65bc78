/** How much of each route is stored, counted in deliveries. Cheap enough to be asked on every request, and for all routes at once. */
import type { QueueDepth } from '../contract.ts'
import { callRedis } from './call-redis.ts'
import type { Client } from './connection.ts'
import type { Layouts } from './layouts.ts'
import { occupiedShards, storedKeysOf } from './occupied.ts'
import type { Shard } from './shard.ts'

export interface DepthsOptions {
  /** Pipelines what is asked in one turn. */
  readonly client: Client
  readonly layouts: Layouts
  readonly nowMs: () => number
}

/** A count is used again for so long. */
const FRESH_MS = 250
/** Jobs hold different numbers of deliveries. Up to so many jobs of a state are all looked at; of more, so many, evenly spaced, are taken for all. */
const SAMPLES = 32

/**
 * KEYS: wait, prioritized, delayed, active, deaths. ARGV: prefix of a job's key, now, samples. It reads the record of each job (job.ts).
 * Delayed jobs that are due count as waiting; BullMQ's score is the time in ms × 4096 (getDelayedScore.lua).
 */
const COUNT = `
local due = redis.call('ZCOUNT', KEYS[3], '-inf', (ARGV[2] + 1) * 4096 - 1)
local states = {
  {KEYS[1], 'LRANGE', 0, redis.call('LLEN', KEYS[1]) - 1},
  {KEYS[2], 'ZRANGE', 0, redis.call('ZCARD', KEYS[2]) - 1},
  {KEYS[3], 'ZRANGE', 0, due - 1},
  {KEYS[3], 'ZRANGE', due, redis.call('ZCARD', KEYS[3]) - 1},
  {KEYS[4], 'LRANGE', 0, redis.call('LLEN', KEYS[4]) - 1},
}
local counts = {}
local oldest = '0'
for s, state in ipairs(states) do
  local jobs = state[4] - state[3] + 1
  local samples = math.min(jobs, tonumber(ARGV[3]))
  local sum = 0
  for i = 0, samples - 1 do
    local at = samples == 1 and state[4] or state[3] + math.floor(i * (jobs - 1) / (samples - 1))
    local id = redis.call(state[2], state[1], at, at)[1]
    local data = redis.call('HGET', ARGV[1] .. id, 'data') or ''
    sum = sum + (tonumber(string.match(data, '"count":(%d+)')) or 1)
    local dueAt = string.match(data, '"dueAtMs":(%d+)')
    if s <= 3 and dueAt and (oldest == '0' or tonumber(dueAt) < tonumber(oldest)) then oldest = dueAt end
  end
  counts[s] = samples == 0 and 0 or math.floor(sum * jobs / samples + 0.5)
end
return {counts[1] + counts[2] + counts[3], counts[4], counts[5], redis.call('ZCARD', KEYS[5]), oldest}
`

interface Counted extends Omit<QueueDepth, 'oldestAgeMs'> {
  /** 0 when there is none. */
  readonly oldestDueAtMs: number
}

type Counts = ReadonlyMap<string, Counted>

const EMPTY: Counted = { waiting: 0, delayed: 0, active: 0, dead: 0, oldestDueAtMs: 0 }

export class Depths {
  readonly #options: DepthsOptions
  readonly #latest = new Map<string, { readonly askedAtMs: number; readonly depth: Promise<QueueDepth> }>()
  /** What is asked in this turn. */
  readonly #asked = new Set<string>()
  #counting: Promise<Counts> | undefined

  constructor(options: DepthsOptions) {
    this.#options = options
  }

  get(route: string): Promise<QueueDepth> {
    const askedAtMs = performance.now()
    let latest = this.#latest.get(route)
    if (latest === undefined || askedAtMs - latest.askedAtMs > FRESH_MS) {
      latest = { askedAtMs, depth: this.#count(route) }
      this.#latest.set(route, latest)
    }
    return latest.depth
  }

  async #count(route: string): Promise<QueueDepth> {
    this.#asked.add(route)
    this.#counting ??= new Promise<void>((resolve) => {
      setImmediate(resolve)
    }).then(() => this.#countAll())
    const counts = await this.#counting
    const ofRoute = this.#options.layouts.allShardsOf(route).map(({ id }) => counts.get(id) ?? EMPTY)
    const sum = (field: keyof Counted): number => ofRoute.reduce((total, counted) => total + counted[field], 0)
    const oldest = ofRoute.map(({ oldestDueAtMs }) => oldestDueAtMs).filter((dueAtMs) => dueAtMs > 0)
    return {
      waiting: sum('waiting'),
      delayed: sum('delayed'),
      active: sum('active'),
      dead: sum('dead'),
      oldestAgeMs: oldest.length === 0 ? 0 : Math.max(0, this.#options.nowMs() - Math.min(...oldest)),
    }
  }

  /** Resolves with what is in each shard, by its id; an empty one is left out. */
  #countAll(): Promise<Counts> {
    const { client, layouts } = this.#options
    const routes = [...this.#asked]
    this.#asked.clear()
    this.#counting = undefined
    return callRedis(client, async () => {
      if (!layouts.isLoaded) await layouts.load()
      const shards = routes.flatMap((route) => layouts.allShardsOf(route))
      const occupied = await occupiedShards(client, shards, storedKeysOf)
      return new Map(
        await Promise.all(occupied.map(async (shard) => [shard.id, await this.#countShard(shard)] as const)),
      )
    })
  }

  async #countShard(shard: Shard): Promise<Counted> {
    const keys = storedKeysOf(shard)
    const reply: unknown = await this.#options.client.eval(
      COUNT,
      keys.length,
      ...keys,
      `${shard.id}:`,
      Date.now(),
      SAMPLES,
    )
    const [waiting = 0, delayed = 0, active = 0, dead = 0, oldestDueAtMs = 0] = Array.isArray(reply)
      ? reply.map(Number)
      : []
    return { waiting, delayed, active, dead, oldestDueAtMs }
  }
}
