/**
 * How long the admin port takes to answer while much waits: `node scripts/measure-admin.ts --help`. A store is filled by its own code with deliveries of apps
 * whose push service is away; then a gateway is started on it, and each path asked again and again, with nothing else to do and while another app gets pushes.
 */
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openConfiguredStore } from '../src/commands/open-configured-store.ts'
import { createToken, openKeys } from '../src/config/keys.ts'
import { loadConfig } from '../src/config/load.ts'
import { openRoutes, type OpenRoute } from '../src/config/routes.ts'
import { StoreUnavailableError } from '../src/core/errors.ts'
import { Identities } from '../src/core/identities.ts'
import { createKeyFile } from '../src/core/keyring.ts'
import { Secret } from '../src/core/secret.ts'
import { createLog } from '../src/log.ts'
import { providers } from '../src/providers/index.ts'
import type { Store } from '../src/store/contract.ts'
import { startHelper } from './bench/calls.ts'
import { configuration } from './bench/configuration.ts'
import type { operations } from './bench/paced-load-process.ts'
import { startProgram } from './bench/program.ts'
import { startRedisServer } from './bench/redis-server.ts'
import { devicesOf, writeDevices } from './bench/requests.ts'
import { APP_IDS, startRig } from './bench/rig.ts'
import { median } from './bench/statistics.ts'

const USAGE = `node scripts/measure-admin.ts [options]
  --store NAME       sqlite or redis (default: sqlite)
  --apps N           whose push service is away (default: 200)
  --waiting N        deliveries that wait for them, in equal parts (default: 1000000)
  --dead N           dead letters, in equal parts (default: 10000)
  --rounds N         how often each path is asked (default: 50)
  --per-second N     pushes to another app in the second half (default: 200)
  --program MAIN     the gateway (default: src/main.ts)
`
/** Nobody listens there. */
const AWAY_PORT = 9
/** Of each app; on Redis they become a job. */
const ADDED_AT_ONCE = 10
/** So far apart are two questions, so that none is answered from what was counted for another (store/redis/depth.ts). */
const PAUSE_MS = 300
const PATIENCE_MS = 60_000
/** After a start each app tries some of what waits, and then ever more seldom, until a push service has been away for 100 s. */
const SETTLED_MS = 110_000
const DAY_MS = 24 * 3600_000
const NOTIFY_PATH = '/_matrix/push/v1/notify'

type Settings = ReturnType<typeof readSettings>

function readSettings() {
  const { values } = parseArgs({
    options: {
      store: { type: 'string', default: 'sqlite' },
      apps: { type: 'string', default: '200' },
      waiting: { type: 'string', default: '1000000' },
      dead: { type: 'string', default: '10000' },
      rounds: { type: 'string', default: '50' },
      'per-second': { type: 'string', default: '200' },
      program: { type: 'string', default: join(import.meta.dirname, '../src/main.ts') },
    },
  })
  const { apps, waiting, dead, rounds, 'per-second': perSecond } = values
  const program = resolve(values.program)
  return {
    isRedis: values.store === 'redis',
    apps: Number(apps),
    waiting: Number(waiting),
    dead: Number(dead),
    rounds: Number(rounds),
    perSecond: Number(perSecond),
    program,
  }
}

const appName = (number: number): string => `com.example.away-${number}`
const pushkeyOf = (number: number): string => `Bench${String(number).padStart(37, '0')}0=`

/** Resolves with how long it took, in seconds. */
async function fill(folder: string, { apps, waiting, dead }: Settings): Promise<number> {
  const log = createLog({ level: 'error', format: 'text' }, process.stderr)
  const config = await loadConfig({ path: join(folder, 'hushgate.yaml'), env: {}, kinds: providers })
  const { keyring } = await openKeys(config)
  const { all } = await openRoutes(config.routes, providers)
  const routes = all.filter(({ app }) => app.startsWith('com.example.away-'))
  const startMs = performance.now()
  await using store = await openConfiguredStore(config, keyring, log)
  const identities = new Identities(keyring)
  await addDeliveries(store, identities, routes, dead / apps)
  await Promise.all(routes.map((route) => giveUp(store, route, Math.floor(dead / apps))))
  await addDeliveries(store, identities, routes, waiting / apps)
  return (performance.now() - startMs) / 1000
}

/** On a busy machine a store may take longer than a homeserver waits. Then it is asked again, and may have stored it twice. */
async function patiently<T>(action: () => Promise<T>): Promise<T> {
  for (;;)
    try {
      return await action()
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error
      await sleep(PAUSE_MS)
    }
}

/** As many of each. */
async function addDeliveries(
  { queue }: Store,
  identities: Identities,
  routes: readonly OpenRoute[],
  count: number,
): Promise<void> {
  for (let first = 0; first < Math.floor(count); first += ADDED_AT_ONCE)
    for (let start = 0; start < routes.length; start += 50)
      await Promise.all(
        routes.slice(start, start + 50).map((route) => {
          const many = Math.min(ADDED_AT_ONCE, count - first)
          const deliveries = Array.from({ length: many }, (_, index) => deliveryFor(route, first + index, identities))
          return patiently(() => queue.add(deliveries))
        }),
      )
}

/** As APNs' `event_id_only` has it. */
function deliveryFor(route: OpenRoute, number: number, identities: Identities) {
  const target = route.targetOf(pushkeyOf(number), {})
  const acceptedAtMs = Date.now()
  const body = JSON.stringify({
    aps: { alert: { 'loc-key': 'Notification', 'loc-args': [] }, 'mutable-content': 1 },
    event_id: `$${randomUUID()}`,
    room_id: '!bench000000:example.org',
    unread_count: 2,
  })
  const headers = { 'apns-topic': 'com.example.app', 'apns-priority': '10', 'apns-id': randomUUID() }
  return {
    id: randomUUID(),
    route: route.name,
    priority: 'event' as const,
    target: new Secret(target),
    message: { headers, body },
    deviceHash: identities.device({ appId: route.app, target }),
    acceptedAtMs,
    expiresAtMs: acceptedAtMs + DAY_MS,
  }
}

/** All that waits becomes dead letters. */
async function giveUp({ queue }: Store, { name }: OpenRoute, count: number): Promise<void> {
  const reason = 'BadMessageId'
  const consumer = queue.consume(name, 10, async () => ({ kind: 'dead-letter', reason }))
  const endMs = performance.now() + PATIENCE_MS
  while ((await patiently(() => queue.depth(name))).dead < count) {
    if (performance.now() > endMs) throw new Error(`${name} has too few dead letters`)
    await sleep(PAUSE_MS)
  }
  await consumer.stop(PATIENCE_MS)
}

interface Asked {
  readonly name: string
  readonly path: string
  readonly body?: object
}

/** In an order in which no two that count the same stand beside each other. */
const ASKED: readonly Asked[] = [
  { name: '/metrics', path: '/metrics' },
  { name: 'config', path: '/api/v1/config' },
  { name: 'status', path: '/api/v1/status' },
  { name: 'dead, all apps', path: '/api/v1/dead' },
  { name: 'rejections', path: '/api/v1/rejections' },
  { name: 'dead, one app', path: `/api/v1/dead?app=${appName(0)}` },
  { name: 'failures', path: '/api/v1/failures' },
  { name: 'find, of an app', path: '/api/v1/find', body: { appId: appName(0), pushkey: pushkeyOf(0) } },
  { name: 'unknown-apps', path: '/api/v1/unknown-apps' },
]

interface Answered {
  readonly ms: number
  readonly bytes: number
  /** 503: the store did not answer in time. */
  readonly isRefused: boolean
}

async function ask(admin: string, token: string, { path, body }: Asked): Promise<Answered> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const startMs = performance.now()
  const response = await fetch(
    admin + path,
    body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) },
  )
  const { length } = await response.text()
  const ms = performance.now() - startMs
  return { ms, bytes: length, isRefused: !response.ok }
}

/** Of each path, so many answers. */
async function askAll(admin: string, token: string, rounds: number): Promise<ReadonlyMap<string, readonly Answered[]>> {
  const answers = new Map(ASKED.map(({ name }): [string, Answered[]] => [name, []]))
  for (let round = 0; round < rounds; round += 1)
    for (const asked of ASKED) {
      await sleep(PAUSE_MS)
      answers.get(asked.name)?.push(await ask(admin, token, asked))
    }
  return answers
}

function row(name: string, sets: readonly ReadonlyMap<string, readonly Answered[]>[]): string {
  const cells = sets.flatMap((answers) => {
    const times = (answers.get(name) ?? []).map(({ ms }) => ms)
    return times.length === 1 ? times : [median(times), Math.max(...times)]
  })
  const all = sets.flatMap((answers) => answers.get(name) ?? [])
  const refused = all.filter(({ isRefused }) => isRefused).length
  return `| ${name} | ${cells.map((ms) => ms.toFixed(1)).join(' | ')} | ${((all[0]?.bytes ?? 0) / 1000).toFixed(0)} | ${refused} |`
}

async function measure(settings: Settings): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-admin-'))
  const rig = await startRig(join(folder, 'rig'))
  const redis = settings.isRedis ? await startRedisServer() : undefined
  const load = startHelper<typeof operations>('paced-load-process.ts')
  const token = createToken()
  const apps = Array.from({ length: settings.apps }, (_, number) => ({ name: appName(number), port: AWAY_PORT }))
  const text = configuration(rig, redis?.url ?? 'sqlite:./hushgate.db', apps)
  writeFileSync(join(folder, 'keys'), createKeyFile(), { mode: 0o600 })
  writeFileSync(join(folder, 'token'), token, { mode: 0o600 })
  writeFileSync(
    join(folder, 'hushgate.yaml'),
    text.replace('admin: { port: 0 }', 'admin: { port: 0, token_file: token }'),
  )
  const devicesFile = join(folder, 'devices')
  writeDevices(
    devicesFile,
    devicesOf('apns', 5000, rig.ports, () => APP_IDS.apns),
  )
  process.stderr.write(`filled in ${(await fill(folder, settings)).toFixed(0)} s\n`)
  const gateway = await startProgram(settings.program, folder)
  try {
    await sleep(SETTLED_MS)
    const cold = await askAll(gateway.admin, token, 1)
    const alone = await askAll(gateway.admin, token, settings.rounds)
    await rig.simulator.ask('reset', { delayMs: 50, isRecording: false })
    const seconds = Math.ceil((settings.rounds * ASKED.length * PAUSE_MS * 1.3) / 1000)
    const { perSecond } = settings
    const url = gateway.notify + NOTIFY_PATH
    const pushing = load.ask('run', { url, devicesFile, perSecond, seconds, run: 'admin' })
    const beside = await askAll(gateway.admin, token, settings.rounds)
    const { dueMs, acceptedMs } = await pushing
    console.log(
      `| ms | first | p50 | worst | p50, ${perSecond} pushes/s | worst | kB | refused |\n|${' --- |'.repeat(8)}`,
    )
    for (const { name } of ASKED) console.log(row(name, [cold, alone, beside]))
    console.log(`of ${dueMs.length} pushes ${acceptedMs.filter((atMs) => atMs > 0).length} were accepted`)
  } finally {
    await gateway.kill()
    load.stop()
    rig.simulator.stop()
    await redis?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await measure(readSettings())
