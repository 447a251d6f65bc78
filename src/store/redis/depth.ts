/** How much of a route is stored, counted in deliveries. Cheap enough to be asked on every request. */
import type { QueueDepth } from '../contract.ts'
import { callRedis } from './call-redis.ts'
import type { Client } from './connection.ts'

export interface DepthKeys {
  /** How BullMQ's keys of the route begin: `{hushgate}:app-…:`. */
  readonly queueKeyPrefix: string
  readonly deadKey: string
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

export class Depth {
  readonly #client: Client
  readonly #keys: DepthKeys
  readonly #nowMs: () => number
  #latest: { readonly askedAtMs: number; readonly depth: Promise<QueueDepth> } | undefined

  constructor(client: Client, keys: DepthKeys, nowMs: () => number) {
    this.#client = client
    this.#keys = keys
    this.#nowMs = nowMs
  }

  get(): Promise<QueueDepth> {
    const askedAtMs = performance.now()
    if (this.#latest === undefined || askedAtMs - this.#latest.askedAtMs > FRESH_MS)
      this.#latest = { askedAtMs, depth: this.#count() }
    return this.#latest.depth
  }

  async #count(): Promise<QueueDepth> {
    const { queueKeyPrefix, deadKey } = this.#keys
    const keys = [...['wait', 'prioritized', 'delayed', 'active'].map((state) => queueKeyPrefix + state), deadKey]
    const reply: unknown = await callRedis(this.#client, () =>
      this.#client.eval(COUNT, keys.length, ...keys, queueKeyPrefix, Date.now(), SAMPLES),
    )
    const [waiting = 0, delayed = 0, active = 0, dead = 0, oldestDueAtMs = 0] = Array.isArray(reply)
      ? reply.map(Number)
      : []
    const oldestAgeMs = oldestDueAtMs === 0 ? 0 : Math.max(0, this.#nowMs() - oldestDueAtMs)
    return { waiting, delayed, active, dead, oldestAgeMs }
  }
}
