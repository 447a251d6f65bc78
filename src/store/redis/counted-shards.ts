/** How much is in each shard. Jobs are looked at only where something has changed since the last time: an app whose push service is away costs next to nothing. */
import type { QueueDepth } from '../contract.ts'
import type { Client } from './connection.ts'
import { groupsOf, isOccupied, storedKeysOf } from './occupied.ts'
import type { Shard } from './shard.ts'

export interface CountedShardsOptions {
  /** Pipelines what is asked in one turn. */
  readonly client: Client
  readonly nowMs: () => number
}

/** In deliveries. The times are 0 when there is none. */
export interface Counted extends Omit<QueueDepth, 'oldestAgeMs' | 'overdueMs'> {
  readonly firstDueAtMs: number
  readonly firstAcceptedAtMs: number
}

export const EMPTY: Counted = { waiting: 0, delayed: 0, active: 0, dead: 0, firstDueAtMs: 0, firstAcceptedAtMs: 0 }

/** Of each shard: wait, prioritized, delayed, active, deaths, and BullMQ's counters of jobs and of jobs with a priority. */
const KEYS_OF_A_SHARD = 7

/** What a shard has, as a text: another one once anything was added, removed, handed out or has come due; inactive-jobs.ts counts as well. `due`: delayed jobs that are. */
const STATE_OF = `
local function stateOf(i, due)
  return table.concat({
    redis.call('LLEN', KEYS[i]), redis.call('ZCARD', KEYS[i + 1]), redis.call('ZCARD', KEYS[i + 2]), redis.call('LLEN', KEYS[i + 3]), redis.call('ZCARD', KEYS[i + 4]),
    due, redis.call('GET', KEYS[i + 5]) or '', redis.call('GET', KEYS[i + 6]) or '',
    redis.call('LINDEX', KEYS[i + 3], 0) or '', redis.call('LINDEX', KEYS[i + 3], -1) or '',
  }, ' ')
end
local function dueIn(delayed)
  return redis.call('ZCARD', delayed) > 0 and redis.call('ZCOUNT', delayed, '-inf', ARGV[1]) or 0
end
`

/** ARGV: the greatest score of a delayed job that is due. Answers with the text of each shard. */
const STATES = `${STATE_OF}
local states = {}
for i = 1, #KEYS, ${KEYS_OF_A_SHARD} do states[#states + 1] = stateOf(i, dueIn(KEYS[i + 2])) end
return states
`
const NOTHING_STORED = '0 0 0 0 0 '

/** Jobs hold different numbers of deliveries. Up to so many jobs of a state are all looked at; of more, so many, evenly spaced, are taken for all. */
const MOST_SAMPLES = 32
/** Who asks for many shards at once, as a scrape does, gets fewer of each, or Redis would be busy with it for a tenth of a second. */
const SAMPLES_OF_ALL = 400
const LEAST_SAMPLES = 8
/** In so many looks in a row, and while the number of jobs has changed by no more than this part of it, a job is taken to hold as many deliveries as it did on average. */
const KNOWN_LOOKS = 8
const KNOWN_CHANGE = 0.2
/** Then but one of each state is read, for the times: of what was accepted first. A record may be long, and Redis takes 20 µs to hand 13 KB to a script. */
const OLDEST = 1
/** What is looked for in a record stands before what is sealed, which may be long; versions before this one wrote some of it behind that. */
const HEAD_CHARACTERS = 300
const TAIL_CHARACTERS = 600

/**
 * ARGV: as before, then of each shard the prefix of a job's key and the samples. Answers, for each shard, with the text, the number of its dead letters, the times, and of
 * each of five states how many jobs there are, how many were read, and how many deliveries these hold. It reads the record of a job (job.ts): what is due, is active or was
 * attempted before has an age.
 */
const COUNT = `${STATE_OF}
local function earlier(one, other)
  if other and (one == '0' or tonumber(other) < tonumber(one)) then return other end
  return one
end
local function count(i, prefix, most)
  local wait, prioritized, delayed, active, deaths = KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3], KEYS[i + 4]
  local later = redis.call('ZCARD', delayed)
  local due = dueIn(delayed)
  local waiting, running = redis.call('LLEN', wait), redis.call('LLEN', active)
  -- Where its jobs are, and where probably the oldest is: of what is tried later, that with the longest pause.
  local states = {
    {wait, 'LRANGE', 0, waiting - 1, waiting - 1},
    {prioritized, 'ZRANGE', 0, redis.call('ZCARD', prioritized) - 1, 0},
    {delayed, 'ZRANGE', 0, due - 1, 0},
    {delayed, 'ZRANGE', due, later - 1, later - 1},
    {active, 'LRANGE', 0, running - 1, running - 1},
  }
  local found = {}
  local firstDue = '0'
  local firstAccepted = '0'
  for s, state in ipairs(states) do
    local jobs = state[4] - state[3] + 1
    local samples = math.min(jobs, jobs <= ${LEAST_SAMPLES} and jobs or most)
    local sum = 0
    local all = jobs == samples and redis.call(state[2], state[1], state[3], state[4])
    for n = 0, samples - 1 do
      local at = samples == 1 and state[5] or state[3] + math.floor(n * (jobs - 1) / (samples - 1))
      local id = all and all[n + 1] or redis.call(state[2], state[1], at, at)[1]
      local record = redis.call('HGET', prefix .. id, 'data') or ''
      local data = string.sub(record, 1, ${HEAD_CHARACTERS}) .. string.sub(record, -${TAIL_CHARACTERS})
      sum = sum + (tonumber(string.match(data, '"count":(%d+)')) or 1)
      local dueAt = string.match(data, '"dueAtMs":(%d+)')
      if s <= 3 then firstDue = earlier(firstDue, dueAt) end
      local tried = (tonumber(string.match(data, '"attempt":(%d+)')) or 1) > 1
      if s ~= 4 or tried then firstAccepted = earlier(firstAccepted, string.match(data, '"acceptedAtMs":(%d+)') or dueAt) end
    end
    for _, number in ipairs({jobs, samples, sum}) do found[#found + 1] = number end
  end
  return {stateOf(i, due), redis.call('ZCARD', deaths), firstDue, firstAccepted, unpack(found)}
end
local all = {}
for s = 1, #KEYS / ${KEYS_OF_A_SHARD} do all[s] = count((s - 1) * ${KEYS_OF_A_SHARD} + 1, ARGV[2 * s], tonumber(ARGV[2 * s + 1])) end
return all
`

/** How many deliveries a job of a state holds on average, as seen while there were so many jobs. */
interface Average {
  readonly ofJob: number
  readonly jobs: number
}

/** State and figures are of one moment. */
interface Last {
  readonly state: string
  readonly counted: Counted
  /** Of each state that COUNT looks at. */
  readonly averages: readonly Average[]
  /** Or else but the oldest was read of some state. */
  readonly isClose: boolean
  /** Since it was looked at closely. */
  looks: number
}

interface ChangedShard {
  readonly shard: Shard
  /** Undefined where it has to be looked at more closely. */
  readonly known: Last | undefined
}

export class CountedShards {
  readonly #options: CountedShardsOptions
  /** By the id of the shard; none where nothing was stored. */
  readonly #last = new Map<string, Last>()

  constructor(options: CountedShardsOptions) {
    this.#options = options
  }

  /** By its id, each by itself: a master that is away concerns only its own. */
  count(shards: readonly Shard[]): ReadonlyMap<string, Promise<Counted>> {
    const groups = groupsOf(this.#options.client, shards)
    return new Map(groups.flatMap((group) => this.#promiseEach(group, (SAMPLES_OF_ALL * group.length) / shards.length)))
  }

  #promiseEach(shards: readonly Shard[], samples: number): readonly (readonly [string, Promise<Counted>])[] {
    const counted = this.#countGroup(shards, samples)
    return shards.map(({ id }, index) => {
      const ofShard = counted.then((all) => all[index] ?? EMPTY)
      // Who asked may have gone.
      ofShard.catch(() => {})
      return [id, ofShard]
    })
  }

  async #countGroup(shards: readonly Shard[], samples: number): Promise<readonly Counted[]> {
    const { client } = this.#options
    if (!shards.some(({ id }) => this.#last.has(id)) && !(await isOccupied(client, shards, storedKeysOf))) return []
    const states = await this.#statesOf(shards)
    const changed: ChangedShard[] = []
    for (const [index, shard] of shards.entries()) {
      const state = states[index] ?? NOTHING_STORED
      const last = this.#last.get(shard.id)
      if (last !== undefined) last.looks += 1
      if (state.startsWith(NOTHING_STORED)) this.#last.delete(shard.id)
      else if (last?.state !== state || isOutdated(last))
        changed.push({ shard, known: isKnown(last, state) ? last : undefined })
    }
    await this.#countJobs(
      changed,
      Math.min(MOST_SAMPLES, Math.max(LEAST_SAMPLES, Math.floor(samples / changed.length))),
    )
    return shards.map(({ id }) => this.#last.get(id)?.counted ?? EMPTY)
  }

  async #statesOf(shards: readonly Shard[]): Promise<readonly string[]> {
    const { client } = this.#options
    const keys = shards.flatMap(keysOf)
    const states: unknown = await client.eval(STATES, keys.length, ...keys, this.#latestDueScore)
    return Array.isArray(states) ? states.map(String) : []
  }

  async #countJobs(changed: readonly ChangedShard[], most: number): Promise<void> {
    if (changed.length === 0) return
    const keys = changed.flatMap(({ shard }) => keysOf(shard))
    const ofEach = changed.flatMap(({ shard, known }) => [`${shard.id}:`, known === undefined ? most : OLDEST])
    const { client } = this.#options
    const replies: unknown = await client.eval(COUNT, keys.length, ...keys, this.#latestDueScore, ...ofEach)
    if (!Array.isArray(replies)) return
    for (const [index, { shard, known }] of changed.entries()) {
      // Not all have to be looked at more closely in the same look.
      const looks = known?.looks ?? index % KNOWN_LOOKS
      this.#last.set(shard.id, { ...readReply(replies[index], known), isClose: known === undefined, looks })
    }
  }

  /** BullMQ's score is the time in ms × 4096 (getDelayedScore.lua). */
  get #latestDueScore(): number {
    return (Math.trunc(this.#options.nowMs()) + 1) * 4096 - 1
  }
}

function keysOf(shard: Shard): readonly string[] {
  return [...storedKeysOf(shard), `${shard.id}:id`, `${shard.id}:pc`]
}

/** Also where nothing changes any more, its figures become those of a closer look. */
function isOutdated({ isClose, looks }: Last): boolean {
  return !isClose && looks >= KNOWN_LOOKS
}

/** Whether what a job holds on average can be taken from the last time. A state of a few jobs is looked at whole anyway. */
function isKnown(last: Last | undefined, state: string): last is Last {
  if (last === undefined || last.looks >= KNOWN_LOOKS) return false
  const [wait = 0, prioritized = 0, delayed = 0, active = 0, , due = 0] = state.split(' ').map(Number)
  return [wait, prioritized, due, delayed - due, active].every((jobs, index) => {
    const before = last.averages[index]?.jobs ?? 0
    return jobs <= LEAST_SAMPLES || Math.abs(jobs - before) <= KNOWN_CHANGE * before
  })
}

/** `known`: whose averages are used where but the oldest of a state was read. */
function readReply(reply: unknown, known: Last | undefined): Omit<Last, 'isClose' | 'looks'> {
  const [state, ...numbers]: readonly unknown[] = Array.isArray(reply) ? reply : []
  const [dead = 0, firstDueAtMs = 0, firstAcceptedAtMs = 0, ...found] = numbers.map(Number)
  const averages: Average[] = []
  const counts = [0, 1, 2, 3, 4].map((index) => {
    const [jobs = 0, samples = 0, deliveries = 0] = found.slice(3 * index)
    const before = known?.averages[index]
    const isOldest = samples < jobs && before !== undefined && before.jobs > 0
    const average = isOldest ? before : { jobs, ofJob: samples === 0 ? 0 : deliveries / samples }
    averages.push(average)
    return Math.round(jobs * average.ofJob)
  })
  const [wait = 0, prioritized = 0, due = 0, delayed = 0, active = 0] = counts
  const counted = { waiting: wait + prioritized + due, delayed, active, dead, firstDueAtMs, firstAcceptedAtMs }
  return { state: String(state), counted, averages }
}
