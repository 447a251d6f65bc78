/**
 * What is stored goes when its time is over (src/core/kept.ts): in SQLite the clock runs past each lifetime and the tables are empty; in Redis each
 * key has a lifetime of its own, or holds what is on its way.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openSqliteStore } from '../src/store/sqlite/open.ts'
import { createKeyring } from './helpers/delivery.ts'
import { metricValue, startGateway, type TestGateway } from './helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from './helpers/push-services.ts'
import { until } from './helpers/received.ts'
import { startRedis } from './helpers/redis.ts'

const IOS = 'com.example.ios'
const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
const COALESCE_MS = 10 * 60_000
/** As src/core/kept.ts has it in words. */
const LIFETIMES_MS: readonly (readonly [key: RegExp, lifetimeMs: number])[] = [
  [/:event:/, DAY_MS],
  [/:latest:/, DAY_MS],
  [/:wake:/, COALESCE_MS],
  [/:memory:dead:/, 30 * DAY_MS],
  [/:breaker:(?:attempted|rejected):/, 6 * 60_000],
  [/:breaker:windows:/, 30 * DAY_MS],
  [/:dead:app-[^:]*:(?:deaths|facts|sealed)$/, 7 * DAY_MS],
]

let services: PushServices
let appsYaml: string
beforeAll(async () => {
  services = await startPushServices()
  appsYaml = services.appsYaml.replace('type: apns', 'type: apns\n    coalesce: 10m')
})
afterAll(() => services[Symbol.asyncDispose]())

/** One of each thing that is kept: sent, given up, dead, a badge, and enough dead ones for the breaker. */
async function busyDay(gateway: TestGateway): Promise<void> {
  const dying = Array.from({ length: 21 }, () => newPushkey('rUnregistered'))
  const pushkeys = [newPushkey(), newPushkey('s400.rBadMessageId'), ...dying].map(({ apns }) => apns)
  for (const [index, pushkey] of pushkeys.entries())
    await gateway.notify({ event_id: `$${index}`, devices: [{ app_id: IOS, pushkey }] })
  await gateway.notify({ counts: { unread: 1 }, devices: [{ app_id: IOS, pushkey: newPushkey().apns }] })
  await until('everything is settled', async () => {
    const metrics = await gateway.metrics()
    const outcome = (name: string) => metricValue(metrics, 'hushgate_outcomes_total', { app: IOS, outcome: name })
    return outcome('delivered') === 2 && outcome('failed') === 1 && outcome('rejected') === dying.length
  })
}

describe('what is kept', () => {
  it('is gone from SQLite when its time is over, and not before', { timeout: 60_000 }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hushgate-retention-'))
    const path = join(folder, 'hushgate.db')
    {
      await using gateway = await startGateway({ folder, appsYaml })
      await busyDay(gateway)
    }
    const daily = ['breaker', 'dead', 'dead letter', 'event', 'latest']
    const all = [...daily, 'wake']
    expect(kindsIn(path)).toEqual(all)
    for (const [days, expected] of [
      [(0.9 * COALESCE_MS) / DAY_MS, all],
      [(1.1 * COALESCE_MS) / DAY_MS, daily],
      [0.95, daily],
      [1.05, ['breaker', 'dead', 'dead letter']],
      [6.95, ['breaker', 'dead', 'dead letter']],
      [7.05, ['breaker', 'dead']],
      [29.95, ['breaker', 'dead']],
      [30.05, []],
    ] as const) {
      await clearAway(path, days * DAY_MS)
      expect([days, kindsIn(path)]).toEqual([days, expected])
    }
    await rm(folder, { recursive: true })
  })

  it('has, in Redis, a lifetime at each key that outlasts a delivery', { timeout: 60_000 }, async () => {
    const redis = await startRedis()
    const client = new Redis(redis.port, '127.0.0.1')
    try {
      await using gateway = await startGateway({
        store: `{ url: "redis://127.0.0.1:${redis.port}" }`,
        appsYaml,
      })
      await busyDay(gateway)
      const keys = await client.keys('*')
      const ruled = keys.flatMap((key) => {
        const rule = LIFETIMES_MS.find(([pattern]) => pattern.test(key))
        return rule === undefined ? [] : [{ key, rule }]
      })
      expect(new Set(ruled.map(({ rule }) => rule)).size).toBe(LIFETIMES_MS.length)
      for (const { key, rule } of ruled) {
        const [, lifetimeMs] = rule
        const leftMs = await client.pttl(key)
        expect([key, leftMs > lifetimeMs - 60_000 && leftMs <= lifetimeMs]).toEqual([key, true])
      }
      const others = keys.filter((key) => !ruled.some((each) => each.key === key))
      // BullMQ's own: counters, a marker, settings, the last events of the queue by job id; and the names of apps.
      const harmless = /:(?:id|meta|events|marker|pc|stalled-check|stalled)$|:apps$|:probe$/
      expect(others.filter((key) => !harmless.test(key))).toEqual([])
    } finally {
      client.disconnect()
      await redis.stop()
    }
  })
})

/** Opens the store after so much time, until it has cleared away: it does so by itself, and its file is locked meanwhile. */
async function clearAway(path: string, passedMs: number): Promise<void> {
  let asked = 0
  const nowMs = () => {
    asked += 1
    return Date.now() + passedMs
  }
  await using _store = await openSqliteStore({ path, keyring: createKeyring(), nowMs, onError: () => {} })
  // The time is asked for once per step; the second step begins when the first is done.
  await until('the store has cleared away', () => asked >= 2)
}

/** What is in the file, by the first word of its key. */
function kindsIn(path: string): string[] {
  using database = new DatabaseSync(path)
  const words = (sql: string) =>
    database
      .prepare(sql)
      .all()
      .map(({ word }) => String(word))
  return [
    ...new Set([
      ...words('select key as word from memory').map((key) => key.split(':')[0] ?? ''),
      ...words("select 'dead letter' as word from dead_letter"),
      ...words("select 'delivery' as word from delivery"),
    ]),
  ].toSorted()
}
