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

const NOTHING_STORED = '0 0 0 0 0 '

/** Jobs hold different numbers of deliveries. Up to so many jobs of a state are all read; of more, so many, evenly spaced, are taken for all. */
const MOST_SAMPLES = 32
/** Who asks for many shards at once, as a scrape does, gets fewer of each, or Redis would be busy with it for a tenth of a second. */
const SAMPLES_OF_ALL = 400
const LEAST_SAMPLES = 8
/** In so many looks in a row, and while the number of jobs has changed by no more than this part of it, a job is taken to hold as many deliveries as it did on average. */
const KNOWN_LOOKS = 12
const KNOWN_CHANGE = 0.5
/** What is looked for in a record stands before what is sealed, which may be long; versions before this one wrote some of it behind that. */
const HEAD_CHARACTERS = 300
const TAIL_CHARACTERS = 600

/**
 * ARGV: the greatest score of a delayed job that is due, samples; then of each shard the prefix of a job's key, its text of the last time, and the numbers of jobs for which
 * averages are known, if they are. The text is what a shard has: another one once anything was added, removed, handed out or has come due; inactive-jobs.ts counts as well.
 *
 * Answers with nothing for a shard whose text is the same; else with the text, 0 where only the oldest job of some state was read (else 1), the number of dead letters, the times,
 * and of each of five states how many jobs there are, how many were read, and how many deliveries these hold. It reads the record of a job (job.ts), which may be long: Redis
 * takes 20 µs to hand 13 KB to a script. What is due, is active or was attempted before has an age.
 */
const LOOK = `
local function earlier(one, other)
  if other and (one == '0' or tonumber(other) < tonumber(one)) then return other end
  return one
end
local function isKnown(states, known)
  local s = 0
  for before in string.gmatch(known, '%d+') do
    s = s + 1
    local jobs = states[s][4] - states[s][3] + 1
    if jobs > ${LEAST_SAMPLES} and math.abs(jobs - before) > ${KNOWN_CHANGE} * before then return false end
  end
  return s > 0
end
local function look(i, prefix, textBefore, known)
  local wait, prioritized, delayed, active = KEYS[i], KEYS[i + 1], KEYS[i + 2], KEYS[i + 3]
  local waiting, later, running = redis.call('LLEN', wait), redis.call('ZCARD', delayed), redis.call('LLEN', active)
  local withPriority, dead = redis.call('ZCARD', prioritized), redis.call('ZCARD', KEYS[i + 4])
  local due = later > 0 and redis.call('ZCOUNT', delayed, '-inf', ARGV[1]) or 0
  local text = table.concat({
    waiting, withPriority, later, running, dead, due, redis.call('GET', KEYS[i + 5]) or '', redis.call('GET', KEYS[i + 6]) or '',
    running > 0 and redis.call('LINDEX', active, 0) or '', running > 1 and redis.call('LINDEX', active, -1) or '',
  }, ' ')
  if text == textBefore then return false end
  -- Where its jobs are, and where probably the oldest is: of what is tried later, that with the longest pause.
  local states = {
    {wait, 'LRANGE', 0, waiting - 1, waiting - 1},
    {prioritized, 'ZRANGE', 0, withPriority - 1, 0},
    {delayed, 'ZRANGE', 0, due - 1, 0},
    {delayed, 'ZRANGE', due, later - 1, later - 1},
    {active, 'LRANGE', 0, running - 1, running - 1},
  }
  local most = isKnown(states, known) and 1 or tonumber(ARGV[2])
  local isClose = 1
  local found = {}
  local firstDue = '0'
  local firstAccepted = '0'
  for s, state in ipairs(states) do
    local jobs = state[4] - state[3] + 1
    local samples = math.min(jobs, jobs <= ${LEAST_SAMPLES} and jobs or most)
    if samples < jobs and most == 1 then isClose = 0 end
    local sum = 0
    local all = jobs > 0 and jobs == samples and redis.call(state[2], state[1], state[3], state[4])
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
  return {text, isClose, dead, firstDue, firstAccepted, unpack(found)}
end
local all = {}
for s = 1, #KEYS / ${KEYS_OF_A_SHARD} do all[s] = look((s - 1) * ${KEYS_OF_A_SHARD} + 1, ARGV[3 * s], ARGV[3 * s + 1], ARGV[3 * s + 2]) end
return all
`

/** How many deliveries a job of a state holds on average, as seen while there were so many jobs. */
interface Average {
  readonly ofJob: number
  readonly jobs: number
}

/** Text and figures are of one moment. */
interface Last {
  readonly text: string
  readonly counted: Counted
  /** Of each state that LOOK reads. */
  readonly averages: readonly Average[]
  /** False where only the oldest was read of some state. */
  readonly isClose: boolean
  /** Since it was looked at closely. */
  looks: number
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
    const samples = Math.min(MOST_SAMPLES, Math.max(LEAST_SAMPLES, Math.floor(SAMPLES_OF_ALL / shards.length)))
    return new Map(groups.flatMap((group) => this.#promiseEach(group, samples)))
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
    const keys = shards.flatMap(keysOf)
    const ofEach = shards.flatMap(({ id }) => [`${id}:`, ...knownOf(this.#last.get(id))])
    const replies: unknown = await client.eval(LOOK, keys.length, ...keys, this.#latestDueScore, samples, ...ofEach)
    for (const [index, { id }] of shards.entries())
      this.#read(id, Array.isArray(replies) ? replies[index] : null, index)
    return shards.map(({ id }) => this.#last.get(id)?.counted ?? EMPTY)
  }

  #read(id: string, reply: unknown, index: number): void {
    const known = this.#last.get(id)
    if (known !== undefined) known.looks += 1
    if (!Array.isArray(reply)) return
    const last = readReply(reply, known)
    if (last.text.startsWith(NOTHING_STORED)) this.#last.delete(id)
    // Those that were first looked at together are not looked at closely together ever after.
    else
      this.#last.set(id, { ...last, looks: known === undefined ? index % KNOWN_LOOKS : last.isClose ? 0 : known.looks })
  }

  /** BullMQ's score is the time in ms × 4096 (getDelayedScore.lua). */
  get #latestDueScore(): number {
    return (Math.trunc(this.#options.nowMs()) + 1) * 4096 - 1
  }
}

function keysOf(shard: Shard): readonly string[] {
  return [...storedKeysOf(shard), `${shard.id}:id`, `${shard.id}:pc`]
}

/** Its text, and the numbers of jobs. Also where nothing changes any more, its figures become those of a close look. */
function knownOf(last: Last | undefined): readonly [text: string, jobs: string] {
  if (last === undefined) return ['', '']
  if (last.looks < KNOWN_LOOKS) return [last.text, last.averages.map(({ jobs }) => jobs).join(' ')]
  return [last.isClose ? last.text : '', '']
}

/** `known`: whose averages are used where only the oldest of a state was read. */
function readReply(reply: readonly unknown[], known: Last | undefined): Omit<Last, 'looks'> {
  const [text, isClose, ...numbers] = reply
  const [dead = 0, firstDueAtMs = 0, firstAcceptedAtMs = 0, ...found] = numbers.map(Number)
  const averages: Average[] = []
  const counts = [0, 1, 2, 3, 4].map((index) => {
    const [jobs = 0, samples = 0, deliveries = 0] = found.slice(3 * index)
    const before = known?.averages[index]
    const isOldest = isClose === 0 && samples < jobs && before !== undefined && before.jobs > 0
    const average = isOldest ? before : { jobs, ofJob: samples === 0 ? 0 : deliveries / samples }
    averages.push(average)
    return Math.round(jobs * average.ofJob)
  })
  const [wait = 0, prioritized = 0, due = 0, delayed = 0, active = 0] = counts
  const counted = { waiting: wait + prioritized + due, delayed, active, dead, firstDueAtMs, firstAcceptedAtMs }
  return { text: String(text), counted, averages, isClose: isClose === 1 }
}
