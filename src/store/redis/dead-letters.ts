/** The dead letters of each route: a list by time of death, facts in clear, and the sealed deliveries. Kept up to a lifetime, and up to a number. */
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
import { openBase64, sealToBase64 } from './base64-envelope.ts'
import { compareAndSet } from './compare-and-set.ts'
import type { Client } from './connection.ts'
import { readFacts, writeFacts, type NewDeadLetter } from './dead-letter.ts'
import { queueName, routesKey } from './route-queues.ts'

type Keys = readonly [deaths: string, facts: string, sealed: string]

/** KEYS: deaths, facts, sealed, routes. ARGV: route, now, lifetime, most that are kept; then id, facts and sealed of each new one. */
const ADD_AND_PURGE = `
for i = 5, #ARGV, 3 do
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[i])
  redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 2])
end
if #ARGV > 4 then redis.call('SADD', KEYS[4], ARGV[1]) end
local function drop(ids)
  for _, id in ipairs(ids) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
  end
end
drop(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. (ARGV[2] - ARGV[3])))
local excess = redis.call('ZCARD', KEYS[1]) - ARGV[4]
if excess > 0 then drop(redis.call('ZRANGE', KEYS[1], 0, excess - 1)) end
if #ARGV > 4 then for i = 1, 3 do redis.call('PEXPIRE', KEYS[i], ARGV[3]) end end
`

export class DeadLetters {
  readonly #client: Client
  readonly #prefix: string
  readonly #keyring: Keyring
  readonly #nowMs: () => number

  constructor(client: Client, prefix: string, keyring: Keyring, nowMs: () => number) {
    this.#client = client
    this.#prefix = prefix
    this.#keyring = keyring
    this.#nowMs = nowMs
  }

  /** Also removes those whose lifetime is over, or which are too many. To add one twice is the same as once. */
  async add(route: string, deadLetters: readonly NewDeadLetter[]): Promise<void> {
    const keys = [...this.#keysOf(route), routesKey(this.#prefix)]
    const diedAtMs = this.#nowMs()
    const limits = [diedAtMs, DEAD_LETTER_LIFETIME_MS, DEAD_LETTERS_PER_ROUTE]
    const entries = deadLetters.flatMap((each) => [each.id, writeFacts(each, diedAtMs), each.sealed])
    await this.#client.eval(ADD_AND_PURGE, keys.length, ...keys, route, ...limits, ...entries)
  }

  /** Removes those whose lifetime is over, or which are too many. */
  purge(route: string): Promise<void> {
    return this.add(route, [])
  }

  /** The latest first. */
  async list(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]> {
    const found: DeadLetter[] = []
    const routes = filter.route === undefined ? await this.#client.smembers(routesKey(this.#prefix)) : [filter.route]
    for (const route of routes) {
      const deadLetters = await this.#matching(route, filter)
      found.push(...deadLetters)
    }
    return found.toSorted((a, b) => b.diedAtMs - a.diedAtMs).slice(0, limit)
  }

  /** Opens them, gives them to `requeue`, and then removes them. Those that cannot be opened stay. Resolves with the number of deliveries. */
  async retry(
    filter: DeadLetterFilter,
    requeue: (deliveries: readonly Delivery[]) => Promise<unknown>,
  ): Promise<number> {
    let count = 0
    for (const [route, ids] of await this.#idsByRoute(filter))
      for (let start = 0; start < ids.length; start += MAX_BATCH) {
        const opened = await this.#open(route, ids.slice(start, start + MAX_BATCH))
        const deliveries = [...opened.values()].flat()
        await requeue(deliveries)
        await this.#remove(route, [...opened.keys()])
        count += deliveries.length
      }
    return count
  }

  async drop(filter: DeadLetterFilter): Promise<number> {
    let count = 0
    for (const [route, ids] of await this.#idsByRoute(filter)) {
      await this.#remove(route, ids)
      count += ids.length
    }
    return count
  }

  /** Removes the deliveries of a device. A batch that became one dead letter keeps the others. */
  async forget(route: string, deviceHash: string): Promise<RemovedPart> {
    await this.purge(route)
    const [, , key] = this.#keysOf(route)
    const removed: Delivery[] = []
    const unreadable = new Set<string>()
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, found]: [string, string[]] = await this.#client.hscan(key, cursor, 'COUNT', MAX_BATCH)
      for (let index = 0; index + 1 < found.length; index += 2) {
        const [id = '', sealed = ''] = found.slice(index, index + 2)
        const deliveries = await this.#removeDevice(route, deviceHash, id, sealed)
        if (deliveries === undefined) unreadable.add(id)
        else removed.push(...deliveries)
      }
      await nextTurn()
      cursor = next === '0' ? undefined : next
    }
    return { removed, unreadable: unreadable.size }
  }

  /** The key whose cardinality is the number of a route's dead letters. */
  countKeyOf(route: string): string {
    return this.#keysOf(route)[0]
  }

  /** Resolves with the deliveries that were the device's; with undefined when the dead letter cannot be opened. */
  async #removeDevice(
    route: string,
    deviceHash: string,
    id: string,
    sealed: string,
  ): Promise<readonly Delivery[] | undefined> {
    const deliveries = openBase64(this.#keyring, route, sealed)
    const kept = deliveries?.filter((delivery) => delivery.deviceHash !== deviceHash)
    if (deliveries === undefined || kept === undefined) return undefined
    if (kept.length === deliveries.length) return []
    if (kept.length === 0) await this.#remove(route, [id])
    else {
      const [, , key] = this.#keysOf(route)
      const after = sealToBase64(this.#keyring, route, kept)
      await compareAndSet(this.#client, { key, field: id, before: sealed, after })
    }
    return deliveries.filter((delivery) => !kept.includes(delivery))
  }

  async #idsByRoute(filter: DeadLetterFilter): Promise<ReadonlyMap<string, readonly string[]>> {
    const all = await this.list(filter, Number.MAX_SAFE_INTEGER)
    const byRoute = Map.groupBy(all, ({ route }) => route)
    return new Map([...byRoute].map(([route, deadLetters]) => [route, deadLetters.map(({ id }) => id)]))
  }

  async #matching(route: string, filter: DeadLetterFilter): Promise<readonly DeadLetter[]> {
    await this.purge(route)
    const [, facts] = this.#keysOf(route)
    const all =
      filter.id === undefined
        ? Object.entries(await this.#client.hgetall(facts))
        : [[filter.id, (await this.#client.hget(facts, filter.id)) ?? ''] as const]
    return all
      .map(([id, json]) => readFacts(route, id, json))
      .filter((deadLetter) => deadLetter !== undefined)
      .filter(({ reason }) => filter.reason === undefined || reason === filter.reason)
  }

  /** The deliveries by the id of the dead letter, without what cannot be opened. */
  async #open(route: string, ids: readonly string[]): Promise<ReadonlyMap<string, readonly Delivery[]>> {
    const [, , key] = this.#keysOf(route)
    const all = await this.#client.hmget(key, ...ids)
    return new Map(
      ids.flatMap((id, index) => {
        const deliveries = openBase64(this.#keyring, route, all[index] ?? '')
        return deliveries === undefined ? [] : [[id, deliveries] as const]
      }),
    )
  }

  async #remove(route: string, ids: readonly string[]): Promise<void> {
    if (ids.length === 0) return
    const [deaths, facts, sealed] = this.#keysOf(route)
    await this.#client
      .multi()
      .zrem(deaths, ...ids)
      .hdel(facts, ...ids)
      .hdel(sealed, ...ids)
      .exec()
  }

  #keysOf(route: string): Keys {
    const base = `${this.#prefix}:dead:${queueName(route)}`
    return [`${base}:deaths`, `${base}:facts`, `${base}:sealed`]
  }
}
