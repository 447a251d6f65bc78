/** The dead letters of each shard: a list by time of death, facts in clear, and the sealed deliveries. Kept up to a lifetime, and up to a number. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import {
  DEAD_LETTER_LIFETIME_MS,
  DEAD_LETTERS_PER_ROUTE,
  MAX_BATCH,
  type DeadLetter,
  type DeadLetterFilter,
} from '../contract.ts'
import type { RemovedPart } from '../forget.ts'
import { askEach, listIn } from './ask-each.ts'
import { CHARACTERS_PER_DELIVERY, mayBeIn, openBase64, sealToBase64, START_CHARACTERS } from './base64-envelope.ts'
import { compareAndSet } from './compare-and-set.ts'
import { masterOf, type Client, type Connections } from './connection.ts'
import { readFacts, writeFacts, type NewDeadLetter } from './dead-letter.ts'
import { latestDeadLetters } from './latest-dead-letters.ts'
import type { Layouts } from './layouts.ts'
import { occupiedShards } from './occupied.ts'
import type { ReplicaWaits } from './replica-waits.ts'
import { deadLetterKeysOf as keysOf, deathsKeyOf, type Shard } from './shard.ts'

/** KEYS: deaths, facts, sealed. ARGV: now, lifetime, most that are kept; then id, facts and sealed of each new one. */
const ADD_AND_PURGE = `
for i = 4, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[1], ARGV[i])
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
end
local function drop(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (ARGV[1] - ARGV[2])))
local excess = redis.call('ZCARD', KEYS[1]) - ARGV[3]
if excess > 0 then drop(redis.call('ZRANGE', KEYS[1], 0, excess - 1)) end
if #ARGV > 3 then for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[2]) end end
`

export interface DeadLettersParts {
  readonly connections: Connections
  readonly waits: ReplicaWaits
  readonly layouts: Layouts
  readonly keyring: Keyring
  readonly nowMs: () => number
}

interface DatedDeadLetter extends NewDeadLetter {
  readonly diedAtMs: number
}

export class DeadLetters {
  readonly #client: Client
  /** That of the waits. */
  readonly #commands: Client
  readonly #memory: Client
  readonly #waits: ReplicaWaits
  readonly #layouts: Layouts
  readonly #keyring: Keyring
  readonly #nowMs: () => number

  constructor({ connections, waits, layouts, keyring, nowMs }: DeadLettersParts) {
    this.#client = connections.work
    this.#commands = connections.commands
    this.#memory = connections.memory
    this.#waits = waits
    this.#layouts = layouts
    this.#keyring = keyring
    this.#nowMs = nowMs
  }

  /**
   * Resolves when the replicas have them, so that what they follow can be removed. Also removes those whose lifetime is over, or which are too many. To add one
   * twice is the same as once.
   */
  async add(shard: Shard, deadLetters: readonly NewDeadLetter[]): Promise<void> {
    await this.#add(this.#commands, shard, deadLetters)
    await this.#waits.confirm(masterOf(this.#commands, shard.slot), shard.id)
  }

  async #add(client: Client, shard: Shard, deadLetters: readonly NewDeadLetter[]): Promise<void> {
    const keys = keysOf(shard)
    const diedAtMs = this.#nowMs()
    const limits = [diedAtMs, DEAD_LETTER_LIFETIME_MS, Math.ceil(DEAD_LETTERS_PER_ROUTE / shard.siblings)]
    const entries = deadLetters.flatMap((each) => [each.id, writeFacts(each, diedAtMs), each.sealed])
    await client.eval(ADD_AND_PURGE, keys.length, ...keys, ...limits, ...entries)
  }

  /** Those of another store, each with the time of its death. To restore one twice is the same as once. */
  async restore(shard: Shard, deadLetters: readonly DatedDeadLetter[]): Promise<void> {
    const [deaths, facts, sealed] = keysOf(shard)
    const transaction = this.#commands.multi()
    for (const each of deadLetters)
      transaction
        .zadd(deaths, each.diedAtMs, each.id)
        .hset(facts, each.id, writeFacts(each, each.diedAtMs))
        .hset(sealed, each.id, each.sealed)
    for (const key of [deaths, facts, sealed]) transaction.pexpire(key, DEAD_LETTER_LIFETIME_MS)
    await transaction.exec()
  }

  /** Removes those whose lifetime is over, or which are too many. */
  purge(shard: Shard): Promise<void> {
    return this.#add(this.#client, shard, [])
  }

  /** The latest first. */
  async list(filter: DeadLetterFilter, limit: number, withDevices: boolean): Promise<readonly DeadLetter[]> {
    const isAny = filter.id === undefined && filter.reason === undefined
    const found = isAny ? await this.#latest(filter.route, limit) : await this.#find(filter)
    const latest = [...found]
      .flatMap(([shard, all]) => all.map((letter) => ({ shard, letter })))
      .toSorted((a, b) => b.letter.diedAtMs - a.letter.diedAtMs)
      .slice(0, limit)
    if (!withDevices) return latest.map(({ letter }) => letter)
    const byShard = Map.groupBy(latest, ({ shard }) => shard)
    const ids = [...byShard].map(([shard, ofShard]) => [shard, ofShard.map(({ letter }) => letter.id)] as const)
    const deliveries = await this.#open(ids)
    return latest.map(({ letter }) => {
      const [first, ...others] = deliveries.get(letter.id) ?? []
      return { ...letter, deviceHash: others.length === 0 ? first?.deviceHash : undefined }
    })
  }

  /** Opens them, gives those that are of use to `requeue`, and then removes them. The others, and those that cannot be opened, stay. Resolves with the number of deliveries. */
  async retry(
    filter: DeadLetterFilter,
    isOfUse: (delivery: Delivery) => boolean,
    requeue: (deliveries: readonly Delivery[]) => Promise<unknown>,
  ): Promise<number> {
    let count = 0
    for (const [shard, found] of await this.#find(filter))
      for (let start = 0; start < found.length; start += MAX_BATCH) {
        const all = await this.#open([[shard, found.slice(start, start + MAX_BATCH).map(({ id }) => id)]])
        const opened = new Map([...all].filter(([, deliveries]) => deliveries.some(isOfUse)))
        const deliveries = [...opened.values()].flat()
        await requeue(deliveries)
        await this.#remove(shard, [...opened.keys()])
        count += deliveries.length
      }
    return count
  }

  async drop(filter: DeadLetterFilter): Promise<number> {
    let count = 0
    for (const [shard, found] of await this.#find(filter)) {
      await this.#remove(
        shard,
        found.map(({ id }) => id),
      )
      count += found.length
    }
    return count
  }

  /** Removes the deliveries of a device. A batch that became one dead letter keeps the others. */
  async forget(shard: Shard, deviceHash: string): Promise<RemovedPart> {
    await this.purge(shard)
    const removed: Delivery[] = []
    const unreadable = new Set<string>()
    for await (const page of this.#pages(shard))
      for (const { id, sealed } of page) {
        const deliveries = await this.#removeDevice(shard, deviceHash, id, sealed)
        if (deliveries === undefined) unreadable.add(id)
        else removed.push(...deliveries)
      }
    return { removed, unreadable: unreadable.size }
  }

  /** Those for devices whose hash begins so. */
  async search(shard: Shard, hashStart: string): Promise<RemovedPart> {
    const found = new Map<string, Delivery>()
    const unreadable = new Set<string>()
    for await (const page of this.#pages(shard)) {
      // Most hold one delivery; the others are opened.
      const starts = page.map(({ sealed }) => sealed.slice(0, START_CHARACTERS + CHARACTERS_PER_DELIVERY))
      const isWanted = mayBeIn(this.#keyring, starts, hashStart)
      for (const { id, sealed } of page.filter((_, index) => isWanted[index])) {
        const deliveries = openBase64(this.#keyring, shard.route, sealed, hashStart)
        if (deliveries === undefined) unreadable.add(id)
        else for (const delivery of deliveries) found.set(delivery.id, delivery)
      }
    }
    return { removed: [...found.values()], unreadable: unreadable.size }
  }

  /** All of the shard, some perhaps twice. Others have a turn between two pages. */
  async *#pages(shard: Shard): AsyncGenerator<readonly { readonly id: string; readonly sealed: string }[]> {
    const [, , key] = keysOf(shard)
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, entries]: [string, string[]] = await this.#client.hscan(key, cursor, 'COUNT', MAX_BATCH)
      yield entries.flatMap((id, index) => (index % 2 === 0 ? [{ id, sealed: entries[index + 1] ?? '' }] : []))
      await nextTurn()
      cursor = next === '0' ? undefined : next
    }
  }

  /** Resolves with the deliveries that were the device's; with undefined when the dead letter cannot be opened. */
  async #removeDevice(
    shard: Shard,
    deviceHash: string,
    id: string,
    sealed: string,
  ): Promise<readonly Delivery[] | undefined> {
    const deliveries = openBase64(this.#keyring, shard.route, sealed)
    const kept = deliveries?.filter((delivery) => delivery.deviceHash !== deviceHash)
    if (deliveries === undefined || kept === undefined) return undefined
    if (kept.length === deliveries.length) return []
    if (kept.length === 0) await this.#remove(shard, [id])
    else {
      const [, , key] = keysOf(shard)
      const after = sealToBase64(this.#keyring, shard.route, kept)
      await compareAndSet(this.#client, { key, field: id, before: sealed, after })
    }
    return deliveries.filter((delivery) => !kept.includes(delivery))
  }

  /** By the shard in which they are. */
  async #find(filter: DeadLetterFilter): Promise<ReadonlyMap<Shard, readonly DeadLetter[]>> {
    const shards = await this.#occupied(filter.route)
    const found = await Promise.all(shards.map((shard) => this.#matching(shard, filter)))
    return new Map(shards.map((shard, index) => [shard, found[index] ?? []]))
  }

  /** Those of a route, or of all. */
  async #shards(route: string | undefined): Promise<readonly Shard[]> {
    if (!this.#layouts.isLoaded) await this.#layouts.load()
    const routes = route === undefined ? this.#layouts.routes : [route]
    return routes.flatMap((each) => this.#layouts.allShardsOf(each))
  }

  /** Those that hold any. */
  async #occupied(route: string | undefined): Promise<readonly Shard[]> {
    return occupiedShards(this.#memory, await this.#shards(route), (each) => [deathsKeyOf(each)])
  }

  async #latest(route: string | undefined, limit: number): Promise<ReadonlyMap<Shard, readonly DeadLetter[]>> {
    const sinceMs = this.#nowMs() - DEAD_LETTER_LIFETIME_MS
    return latestDeadLetters(this.#client, await this.#shards(route), { limit, sinceMs })
  }

  async #matching(shard: Shard, filter: DeadLetterFilter): Promise<readonly DeadLetter[]> {
    await this.purge(shard)
    const [, facts] = keysOf(shard)
    const all =
      filter.id === undefined
        ? Object.entries(await this.#client.hgetall(facts))
        : [[filter.id, (await this.#client.hget(facts, filter.id)) ?? ''] as const]
    return all
      .map(([id, json]) => readFacts(shard.route, id, json))
      .filter((deadLetter) => deadLetter !== undefined)
      .filter(({ reason }) => filter.reason === undefined || reason === filter.reason)
  }

  /** The deliveries by the id of the dead letter, without what cannot be opened. */
  async #open(
    idsOfShards: readonly (readonly [Shard, readonly string[]])[],
  ): Promise<ReadonlyMap<string, readonly Delivery[]>> {
    const replies = await askEach(this.#client, idsOfShards, (pipeline, [shard, ids]) =>
      pipeline.hmget(keysOf(shard)[2], ...ids),
    )
    const opened = new Map<string, readonly Delivery[]>()
    for (const [index, [shard, ids]] of idsOfShards.entries()) {
      const sealed = listIn(replies[index])
      for (const [place, id] of ids.entries()) {
        const deliveries = openBase64(this.#keyring, shard.route, sealed[place] ?? '')
        if (deliveries !== undefined) opened.set(id, deliveries)
      }
    }
    return opened
  }

  async #remove(shard: Shard, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const [deaths, facts, sealed] = keysOf(shard)
    await this.#client
      .multi()
      .zrem(deaths, ...ids)
      .hdel(facts, ...ids)
      .hdel(sealed, ...ids)
      .exec()
  }
}
