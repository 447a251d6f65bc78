/**
 * What is stored goes when its time is over (src/privacy/retention.ts), and not before. A gateway stores one of each thing that is kept; then only the store is
 * open, for which no app is configured any more, beside a worker of a blocked app, while the clock runs past each lifetime.
 *
 * SQLite asks our clock for everything. Of Redis, the deliveries and dead letters do; what has a lifetime of its own there (PX) goes by Redis' clock, which no
 * test can move: each such key is shown to have the lifetime that is declared, and is then brought nearer to its end by the time that passes.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { OVERDUE_MS, type Store } from '../../src/store/contract.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { Received, until } from '../helpers/received.ts'
import { RelayedApp, RELAY_ORIGIN, WebPushHomeserver } from '../helpers/relayed-device.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
const COALESCE_MS = 10 * 60_000

const CANARY = `canary: [{ app: ${ANDROID}, pushkey_file: canary, every: 5m }]`

/** As src/privacy/retention.ts has it in words. */
const LIFETIMES_MS: readonly (readonly [key: RegExp, lifetimeMs: number, slackMs?: number])[] = [
  [/:event:/, DAY_MS],
  [/:latest:/, DAY_MS],
  [/:wake:/, COALESCE_MS],
  // They end with an hour.
  [/:memory:receipt:/, DAY_MS, HOUR_MS + 60_000],
  // Nothing was ever delivered to them.
  [/:memory:dead:/, HOUR_MS],
  [/:memory:revoked:/, 365 * DAY_MS],
  [/:memory:known:/, restOfDay() + 29 * DAY_MS],
  [/:memory:known-since:/, 30 * DAY_MS],
  [/:breaker:(?:attempted|rejected):/, 6 * 60_000],
  [/:breaker:windows:/, 30 * DAY_MS],
  [/:memory:canary:/, 10 * 60_000, 5 * 60_000],
  [/:memory:canary-arrived:/, DAY_MS],
  [/:memory:paused$/, 365 * DAY_MS],
  [/\}:dead:(?:deaths|facts|sealed)$/, 7 * DAY_MS],
]

/** A receipt goes at a full hour, in the last hour of its day. */
const UNSURE_OF_RECEIPTS = 0.99

const ALL = [
  'breaker',
  'canary',
  'canary-arrived',
  'dead',
  'dead letter',
  'delivery',
  'event',
  'known',
  'known-since',
  'latest',
  'paused',
  'receipt',
  'revoked',
  'wake',
]
const WITHOUT_WAKE = ALL.filter((word) => word !== 'wake' && word !== 'canary')
const OF_DEVICES = ['breaker', 'known', 'known-since', 'paused', 'revoked']
/** After so many days this is left. What waits is given up when it has expired, and that is 7 days more. */
const STAGES: readonly (readonly [days: number, left: readonly string[]])[] = [
  [0, ALL],
  [0.02, WITHOUT_WAKE],
  [0.05, WITHOUT_WAKE.filter((word) => word !== 'dead')],
  [0.95, WITHOUT_WAKE.filter((word) => word !== 'dead')],
  [UNSURE_OF_RECEIPTS, WITHOUT_WAKE.filter((word) => word !== 'dead')],
  [1.01, ['breaker', 'dead letter', 'known', 'known-since', 'paused', 'revoked']],
  [7.99, ['breaker', 'dead letter', 'known', 'known-since', 'paused', 'revoked']],
  [8.03, OF_DEVICES],
  [28.99, OF_DEVICES],
  // They end with a day: perhaps not yet.
  [29.99, restOfDay() > 0.99 * DAY_MS ? OF_DEVICES : ['breaker', 'known-since', 'paused', 'revoked']],
  [30.01, ['paused', 'revoked']],
  [364.99, ['paused', 'revoked']],
  [365.01, []],
]

function restOfDay(): number {
  return DAY_MS - (Date.now() % DAY_MS)
}

/** What stays in Redis as long as it: the names of apps, and of each app BullMQ's counters, settings, and the ids of its last jobs. */
const OF_APPS = /^\{hushgate(?:\}:(?:routes|routes-version)|:[^}]*\}:queue:(?:id|meta|pc|marker|events))$/

let services: PushServices
let appsYaml: string
let folder: string
beforeAll(async () => {
  services = await startPushServices()
  appsYaml = services.appsYaml.replace(
    'type: apns',
    `type: apns\n    coalesce: 10m\n    webpush_relay: ${RELAY_ORIGIN}`,
  )
})
afterAll(() => services[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-retention-'))
  await writeFile(join(folder, 'canary'), newPushkey().fcm)
})
afterEach(() => rm(folder, { recursive: true }))

/** Sent, given up, dead, a badge, an endpoint that is revoked, enough dead ones for the breaker, an app that is paused; and of two apps what waits: the one is blocked, the other asked to come back later. */
async function busyDay(gateway: TestGateway): Promise<void> {
  await until('the canary push has arrived', async () =>
    JSON.stringify((await gateway.admin('/api/v1/status')).json).includes('"state":"arrives"'),
  )
  const dying = Array.from({ length: 21 }, () => newPushkey('rUnregistered'))
  const pushkeys = [newPushkey(), newPushkey('s400.rBadMessageId'), ...dying].map(({ apns }) => apns)
  const settled = (count: Readonly<Record<string, number>>) =>
    until('everything is settled', async () => {
      const metrics = await gateway.metrics()
      return Object.entries(count).every(
        ([outcome, most]) => metricValue(metrics, 'hushgate_outcomes_total', { app: IOS, outcome }) === most,
      )
    })
  for (const [index, pushkey] of pushkeys.entries())
    await gateway.notify({ event_id: `$${index}`, devices: [{ app_id: IOS, pushkey }] })
  await gateway.notify({ counts: { unread: 1 }, devices: [{ app_id: IOS, pushkey: newPushkey().apns }] })
  await settled({ delivered: 2, failed: 1, rejected: dying.length })
  const app = new RelayedApp()
  const endpoint = await app.trade(gateway.url, IOS, pushkeys[0] ?? '', new WebPushHomeserver().vapid)
  expect((await app.revoke(endpoint, pushkeys[0] ?? '')).status).toBe(204)

  for (const [app_id, pushkey] of [
    [IOS, newPushkey('s403.rInvalidProviderToken').apns],
    [ANDROID, newPushkey('s503.a3600').fcm],
  ] as const) {
    await gateway.notify({ event_id: `$waits of ${app_id}`, devices: [{ app_id, pushkey }] })
    await gateway.notify({ counts: { unread: 2 }, devices: [{ app_id, pushkey }] })
  }
  await until('one app is blocked, and the other is asked to wait', async () => {
    const metrics = await gateway.metrics()
    const retries =
      metricValue(metrics, 'hushgate_push_service_refusals_total', { app: ANDROID, outcome: 'retry' }) ?? 0
    return metricValue(metrics, 'hushgate_app_blocked', { app: IOS }) === 1 && retries > 0
  })
  expect((await gateway.admin('/api/v1/pause', { app: IOS })).status).toBe(200)
}

/** The store alone, beside the worker of an app that is blocked; closed when `isSwept` says that it has cleared away. */
async function clearAway(store: Store, isSwept: () => boolean): Promise<void> {
  await using opened = store
  const none = new Received()
  opened.queue.consume(IOS, 10, none.handler).setGate('closed')
  await until('the store has cleared away', isSwept)
  expect(none.all).toEqual([])
}

async function keyringOf(): Promise<Keyring> {
  const keyring = parseKeyFile(await readFile(join(folder, 'keys'), 'utf8'))
  if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))
  return keyring
}

const failOn = (message: string): void => {
  throw new Error(message)
}

describe('what is kept', () => {
  it('is gone from SQLite when its time is over, and not before', async () => {
    const path = join(folder, 'hushgate.db')
    {
      await using gateway = await startGateway({ folder, appsYaml, settings: CANARY })
      await busyDay(gateway)
    }
    const keyring = await keyringOf()
    for (const [days, expected] of STAGES) {
      let asked = 0
      const nowMs = () => {
        asked += 1
        return Date.now() + days * DAY_MS + OVERDUE_MS
      }
      // The time is asked for twice per step; the second step begins when the first is done.
      await clearAway(await openSqliteStore({ path, keyring, nowMs, onError: failOn }), () => asked >= 3)
      expect([days, sureOf(days, kindsIn(path))]).toEqual([days, sureOf(days, expected)])
    }
  })

  describe('in Redis', () => {
    let redis: TestRedis
    let client: Redis
    beforeEach(async () => {
      redis = await startRedis()
      client = await redis.client()
    })
    afterEach(() => redis.stop())

    it('is gone when its time is over, and not before', async () => {
      {
        const store = `{ url: "redis://127.0.0.1:${redis.port}" }`
        await using gateway = await startGateway({ folder, store, appsYaml, settings: CANARY })
        await busyDay(gateway)
        // Some of it is noted after the push is settled.
        await until('one of each is stored', async () => {
          const keys = await client.keys('*')
          return LIFETIMES_MS.every(([pattern]) => keys.some((key) => pattern.test(key)))
        })
        await expectLifetimes(client)
      }
      const keyring = await keyringOf()
      const monitor = await client.monitor()
      let passedDays = 0
      for (const [days, expected] of STAGES) {
        await letPass(client, (days - passedDays) * DAY_MS)
        passedDays = days
        let sweeps = 0
        const count = (_time: string, [command, key]: readonly string[]): void => {
          if (command === 'del' && key === '{hushgate}:sweep') sweeps += 1
        }
        monitor.on('monitor', count)
        const nowMs = () => Date.now() + days * DAY_MS + OVERDUE_MS
        const { topology } = redis
        await clearAway(await openRedisStore({ topology, keyring, nowMs, onError: failOn }), () => sweeps === 1)
        monitor.off('monitor', count)
        expect([days, sureOf(days, wordsOf(await client.keys('*')))]).toEqual([days, sureOf(days, expected)])
      }
      monitor.disconnect()
    })
  })
})

function sureOf(days: number, words: readonly string[]): readonly string[] {
  return days === UNSURE_OF_RECEIPTS ? words.filter((word) => word !== 'receipt') : words
}

/** Each key that has a lifetime of its own has the one that is declared. */
async function expectLifetimes(client: Redis): Promise<void> {
  const keys = await client.keys('*')
  const seen = new Set<RegExp>()
  for (const key of keys)
    for (const [pattern, lifetimeMs, slackMs = 60_000] of LIFETIMES_MS.filter(([each]) => each.test(key))) {
      seen.add(pattern)
      const leftMs = await client.pttl(key)
      expect([key, leftMs > lifetimeMs - slackMs && leftMs <= lifetimeMs]).toEqual([key, true])
    }
  expect(seen.size).toBe(LIFETIMES_MS.length)
}

/** What has a lifetime has so much less of it. */
async function letPass(client: Redis, passedMs: number): Promise<void> {
  for (const key of await client.keys('*')) {
    const leftMs = await client.pttl(key)
    if (leftMs >= 0) await client.pexpire(key, Math.floor(leftMs - passedMs))
  }
}

/** What keys are about, by the words of the other store; an unknown key is its own word. */
function wordsOf(keys: readonly string[]): string[] {
  const words = keys
    .filter((key) => !OF_APPS.test(key) && !/:(?:probe|stalled-check)$/.test(key))
    .map((key) => {
      const [, name = key] = /^\{hushgate:[^}]+\}:(.*)$/.exec(key) ?? []
      if (name.startsWith('memory:')) return name.split(':')[1] ?? ''
      if (name.startsWith('dead:')) return 'dead letter'
      return /^queue:(?:\d[\w-]*|wait|prioritized|delayed)$/.test(name) ? 'delivery' : key
    })
  return [...new Set(words)].toSorted()
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
