/** Deliveries that were given up: per route a list by time of death, what is known of each, and each sealed. Kept for a time, and up to a number. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Delivery } from '../../core/delivery.ts'
import { isJsonObject } from '../../core/json.ts'
import type { Keyring } from '../../core/keyring.ts'
import {
  DEAD_LETTER_LIFETIME_MS,
  DEAD_LETTERS_PER_APP,
  MAX_BATCH,
  type DeadLetter,
  type DeadLetterFilter,
} from '../contract.ts'
import { sealDeliveries, tryOpenDeliveries } from '../envelope.ts'
import { routesKey, keyName } from './route-queues.ts'
import type { Client } from './connection.ts'
import { replaceField } from './compare-and-set.ts'

export interface NewDeadLetter {
  readonly id: string
  readonly reason: string
  readonly attempts: number
  readonly acceptedAtMs: number
  /** Base64. What cannot be opened stays as it was stored: a whole batch can be one dead letter. */
  readonly sealed: string
}

type Keys = readonly [deaths: string, facts: string, sealed: string]

/** KEYS: deaths, facts, sealed, apps. ARGV: route, now, lifetime, most kept, then id, facts, sealed of each new one. */
const BURY = `
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

  /** Also forgets those whose time is over, or which are too many. Burying one twice is the same as once. */
  async bury(route: string, letters: readonly NewDeadLetter[]): Promise<void> {
    const keys = [...this.#keysOf(route), routesKey(this.#prefix)]
    const diedAtMs = this.#nowMs()
    const entries = letters.flatMap(({ id, sealed, ...facts }) => [id, JSON.stringify({ ...facts, diedAtMs }), sealed])
    const limits = [diedAtMs, DEAD_LETTER_LIFETIME_MS, DEAD_LETTERS_PER_APP]
    await this.#client.eval(BURY, keys.length, ...keys, route, ...limits, ...entries)
  }

  /** Forgets those whose time is over, or which are too many. */
  purge(route: string): Promise<void> {
    return this.bury(route, [])
  }

  /** The latest first. */
  async list(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]> {
    const found: DeadLetter[] = []
    const apps = filter.route === undefined ? await this.#client.smembers(routesKey(this.#prefix)) : [filter.route]
    for (const route of apps) {
      const letters = await this.#matching(route, filter)
      found.push(...letters)
    }
    return found.toSorted((a, b) => b.diedAtMs - a.diedAtMs).slice(0, limit)
  }

  /** Hands them, opened, to `putBack` and forgets them after. Those that cannot be opened stay. Resolves with the number of deliveries. */
  async retry(
    filter: DeadLetterFilter,
    putBack: (deliveries: readonly Delivery[]) => Promise<unknown>,
  ): Promise<number> {
    let count = 0
    for (const [route, letters] of await this.#byRoute(filter))
      for (let start = 0; start < letters.length; start += MAX_BATCH) {
        const opened = await this.#open(route, letters.slice(start, start + MAX_BATCH))
        const deliveries = opened.flatMap((letter) => letter.deliveries)
        await putBack(deliveries)
        await this.#forget(
          route,
          opened.map(({ id }) => id),
        )
        count += deliveries.length
      }
    return count
  }

  async drop(filter: DeadLetterFilter): Promise<number> {
    let count = 0
    for (const [route, letters] of await this.#byRoute(filter)) {
      await this.#forget(
        route,
        letters.map(({ id }) => id),
      )
      count += letters.length
    }
    return count
  }

  /** Removes those of a device. A batch that was buried whole keeps what it holds of others. */
  async forget(route: string, deviceHash: string): Promise<{ removed: readonly Delivery[]; unreadable: number }> {
    await this.purge(route)
    const [, , key] = this.#keysOf(route)
    const removed: Delivery[] = []
    const unreadable = new Set<string>()
    for (let cursor: string | undefined = '0'; cursor !== undefined;) {
      const [next, found]: [string, string[]] = await this.#client.hscan(key, cursor, 'COUNT', MAX_BATCH)
      for (let index = 0; index + 1 < found.length; index += 2) {
        const [id = '', sealed = ''] = found.slice(index, index + 2)
        const deliveries = this.#tryOpen(route, sealed)
        const rest = deliveries?.filter((delivery) => delivery.deviceHash !== deviceHash)
        if (deliveries === undefined || rest === undefined) unreadable.add(id)
        else if (rest.length < deliveries.length) {
          if (rest.length === 0) await this.#forget(route, [id])
          else {
            const after = sealDeliveries(this.#keyring, route, rest).toString('base64')
            await replaceField(this.#client, { key, field: id, before: sealed, after })
          }
          removed.push(...deliveries.filter((delivery) => !rest.includes(delivery)))
        }
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

  async #byRoute(filter: DeadLetterFilter): Promise<ReadonlyMap<string, readonly DeadLetter[]>> {
    return Map.groupBy(await this.list(filter, Number.MAX_SAFE_INTEGER), ({ route }) => route)
  }

  async #matching(route: string, filter: DeadLetterFilter): Promise<readonly DeadLetter[]> {
    await this.purge(route)
    const [, facts] = this.#keysOf(route)
    const all =
      filter.id === undefined
        ? Object.entries(await this.#client.hgetall(facts))
        : [[filter.id, (await this.#client.hget(facts, filter.id)) ?? ''] as const]
    return all
      .map(([id, text]) => readFacts(route, id, text))
      .filter((letter) => letter !== undefined)
      .filter(({ reason }) => filter.reason === undefined || reason === filter.reason)
  }

  async #open(
    route: string,
    letters: readonly DeadLetter[],
  ): Promise<{ id: string; deliveries: readonly Delivery[] }[]> {
    const [, , sealedKey] = this.#keysOf(route)
    const all = await this.#client.hmget(sealedKey, ...letters.map(({ id }) => id))
    return letters.flatMap(({ id }, index) => {
      const deliveries = this.#tryOpen(route, all[index] ?? '')
      return deliveries === undefined ? [] : [{ id, deliveries }]
    })
  }

  #tryOpen(route: string, sealed: string): readonly Delivery[] | undefined {
    return tryOpenDeliveries(this.#keyring, route, Buffer.from(sealed, 'base64'))
  }

  async #forget(route: string, ids: readonly string[]): Promise<void> {
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
    const base = `${this.#prefix}:dead:${keyName(route)}`
    return [`${base}:deaths`, `${base}:facts`, `${base}:sealed`]
  }
}

function readFacts(route: string, id: string, text: string): DeadLetter | undefined {
  const facts: unknown = text === '' ? undefined : JSON.parse(text)
  if (!isJsonObject(facts)) return undefined
  const { reason, attempts, acceptedAtMs, diedAtMs } = facts
  if (typeof reason !== 'string' || typeof attempts !== 'number') return undefined
  if (typeof acceptedAtMs !== 'number' || typeof diedAtMs !== 'number') return undefined
  return { id, route, reason, attempts, acceptedAtMs, diedAtMs }
}
