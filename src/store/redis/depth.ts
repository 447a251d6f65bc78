/** How much of each route is stored, counted in deliveries. Cheap enough to be asked on every request, and for all routes at once. */
import type { QueueDepth } from '../contract.ts'
import { callRedis } from './call-redis.ts'
import type { Client } from './connection.ts'
import type { Layouts } from './layouts.ts'
import { groupsOf, isOccupied, storedKeysOf } from './occupied.ts'
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
const MOST_SAMPLES = 32
/** Who asks for many shards at once, as a scrape does, gets fewer of each, or Redis would be busy with it for a tenth of a second. */
const SAMPLES_OF_ALL = 1600
const LEAST_SAMPLES = 8
/** What is looked for in a record stands before what is sealed, which may be long; versions before this one wrote some of it behind that. */
const HEAD_CHARACTERS = 300
const TAIL_CHARACTERS = 600

/**
 * Of each shard, KEYS: wait, prioritized, delayed, active, deaths; ARGV: now, samples, then of each shard the prefix of a job's key. It reads the record of
 * each job (job.ts): what is due, is active or was attempted before has an age. Delayed jobs that are due count as waiting; BullMQ's score is the time in ms × 4096 (getDelayedScore.lua).
 */
const COUNT = `
local function earlier(one, other)
  if other and (one == '0' or tonumber(other) < tonumber(one)) then return other end
  return one
end
local function count(wait, prioritized, delayed, active, deaths, prefix)
  local later = redis.call('ZCARD', delayed)
  local due = later > 0 and redis.call('ZCOUNT', delayed, '-inf', (ARGV[1] + 1) * 4096 - 1) or 0
  local states = {
    {wait, 'LRANGE', 0, redis.call('LLEN', wait) - 1},
    {prioritized, 'ZRANGE', 0, redis.call('ZCARD', prioritized) - 1},
    {delayed, 'ZRANGE', 0, due - 1},
    {delayed, 'ZRANGE', due, later - 1},
    {active, 'LRANGE', 0, redis.call('LLEN', active) - 1},
  }
  local counts = {}
  local firstDue = '0'
  local firstAccepted = '0'
  for s, state in ipairs(states) do
    local jobs = state[4] - state[3] + 1
    local samples = math.min(jobs, tonumber(ARGV[2]))
    local sum = 0
    local all = jobs == samples and redis.call(state[2], state[1], state[3], state[4])
    for i = 0, samples - 1 do
      local at = samples == 1 and state[4] or state[3] + math.floor(i * (jobs - 1) / (samples - 1))
      local id = all and all[i + 1] or redis.call(state[2], state[1], at, at)[1]
      local record = redis.call('HGET', prefix .. id, 'data') or ''
      local data = string.sub(record, 1, ${HEAD_CHARACTERS}) .. string.sub(record, -${TAIL_CHARACTERS})
      sum = sum + (tonumber(string.match(data, '"count":(%d+)')) or 1)
      local dueAt = string.match(data, '"dueAtMs":(%d+)')
      if s <= 3 then firstDue = earlier(firstDue, dueAt) end
      local tried = (tonumber(string.match(data, '"attempt":(%d+)')) or 1) > 1
      if s ~= 4 or tried then firstAccepted = earlier(firstAccepted, string.match(data, '"acceptedAtMs":(%d+)') or dueAt) end
    end
    counts[s] = samples == 0 and 0 or math.floor(sum * jobs / samples + 0.5)
  end
  return {counts[1] + counts[2] + counts[3], counts[4], counts[5], redis.call('ZCARD', deaths), firstDue, firstAccepted}
end
local all = {}
for i = 1, #KEYS / 5 do
  local k = (i - 1) * 5
  all[i] = count(KEYS[k + 1], KEYS[k + 2], KEYS[k + 3], KEYS[k + 4], KEYS[k + 5], ARGV[i + 2])
end
return all
`

/** The times are 0 when there is none. */
interface Counted extends Omit<QueueDepth, 'oldestAgeMs' | 'overdueMs'> {
  readonly firstDueAtMs: number
  readonly firstAcceptedAtMs: number
}

type Counts = ReadonlyMap<string, Promise<Counted>>

const EMPTY: Counted = { waiting: 0, delayed: 0, active: 0, dead: 0, firstDueAtMs: 0, firstAcceptedAtMs: 0 }
const NOTHING = Promise.resolve(EMPTY)

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

  #count(route: string): Promise<QueueDepth> {
    const { client, layouts, nowMs } = this.#options
    return callRedis(client, async () => {
      const counts = await this.#countTogether(route)
      const ofRoute = await Promise.all(layouts.allShardsOf(route).map(({ id }) => counts.get(id) ?? NOTHING))
      const sum = (field: keyof Counted): number => ofRoute.reduce((total, counted) => total + counted[field], 0)
      const since = (field: 'firstDueAtMs' | 'firstAcceptedAtMs'): number => {
        const times = ofRoute.map((counted) => counted[field]).filter((time) => time > 0)
        return times.length === 0 ? 0 : Math.max(0, nowMs() - Math.min(...times))
      }
      return {
        waiting: sum('waiting'),
        delayed: sum('delayed'),
        active: sum('active'),
        dead: sum('dead'),
        oldestAgeMs: since('firstAcceptedAtMs'),
        overdueMs: since('firstDueAtMs'),
      }
    })
  }

  /** What is asked in one turn is counted by one command for each master. */
  #countTogether(route: string): Promise<Counts> {
    this.#asked.add(route)
    this.#counting ??= new Promise<void>((resolve) => {
      setImmediate(resolve)
    }).then(() => this.#countAll())
    return this.#counting
  }

  /** What is in each shard, by its id: each by itself, so that a master that is away concerns only its own. */
  async #countAll(): Promise<Counts> {
    const { client, layouts } = this.#options
    const routes = [...this.#asked]
    this.#asked.clear()
    this.#counting = undefined
    if (!layouts.isLoaded) await layouts.load()
    const shards = routes.flatMap((route) => layouts.allShardsOf(route))
    const samples = Math.min(MOST_SAMPLES, Math.max(LEAST_SAMPLES, Math.floor(SAMPLES_OF_ALL / shards.length)))
    return new Map(groupsOf(client, shards).flatMap((group) => this.#countGroup(group, samples)))
  }

  #countGroup(shards: readonly Shard[], samples: number): readonly (readonly [string, Promise<Counted>])[] {
    const counted = this.#askGroup(shards, samples)
    return shards.map(({ id }, index) => {
      const ofShard = counted.then((all) => all[index] ?? EMPTY)
      // Who asked may have gone.
      ofShard.catch(() => {})
      return [id, ofShard]
    })
  }

  async #askGroup(shards: readonly Shard[], samples: number): Promise<readonly Counted[]> {
    const { client, nowMs } = this.#options
    if (!(await isOccupied(client, shards, storedKeysOf))) return []
    const keys = shards.flatMap(storedKeysOf)
    const prefixes = shards.map(({ id }) => `${id}:`)
    const replies: unknown = await client.eval(COUNT, keys.length, ...keys, Math.trunc(nowMs()), samples, ...prefixes)
    return Array.isArray(replies) ? replies.map(countedIn) : []
  }
}

function countedIn(reply: unknown): Counted {
  const numbers = Array.isArray(reply) ? reply.map(Number) : []
  const [waiting = 0, delayed = 0, active = 0, dead = 0, firstDueAtMs = 0, firstAcceptedAtMs = 0] = numbers
  return { waiting, delayed, active, dead, firstDueAtMs, firstAcceptedAtMs }
}
