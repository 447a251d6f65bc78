/** A gateway as it ships, in a process of its own, which knows devices since two days ago. */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createHushgateFolder, startHushgate, type HushgateProcess } from '../../test/helpers/hushgate-process.ts'
import { startRedis, type TestRedis } from '../../test/helpers/redis.ts'
import { familyOf } from '../bench/processes.ts'
import { CLOCK_FILE } from '../faults/clock-file.ts'
import { LAUNCH_OPTIONS } from '../launch-options.ts'
import type { StoreKind } from '../bench/subjects.ts'

export interface AttackedGateway extends AsyncDisposable {
  /** For what its configuration names. */
  readonly folder: string
  configure(appsYaml: string, queue: string): Promise<void>
  /** `shiftMs`: of its clock. */
  start(shiftMs: number): Promise<void>
  /** An end as an operator asks for. */
  end(): Promise<void>
  readonly notifyUrl: string
  pids(): readonly number[]
  /** All that it has logged since the last start. */
  log(): string
  /** Pushes that wait or are on their way, and dead letters. */
  queued(): Promise<Readonly<Record<string, number>>>
  /** Kills it; resolves with what is remembered in the store, by kind. */
  remembered(): Promise<Readonly<Record<string, number>>>
}

const CLOCK = join(import.meta.dirname, '../faults/shifted-clock.ts')
const QUEUED = ['waiting', 'delayed', 'active'] as const
/** As small as one that a stranger could fill. */
const REDIS_SETTINGS = { maxmemory: '64mb', appendfsync: 'always' }

export async function createGateway(program: string, store: StoreKind): Promise<AttackedGateway> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await createHushgateFolder())
  const redis = store === 'redis' ? await startRedis({ settings: REDIS_SETTINGS }) : undefined
  if (redis !== undefined) stack.defer(() => redis.stop())
  let child: HushgateProcess | undefined
  let notifyUrl = ''
  let adminUrl = ''
  let shiftedMs = 0
  stack.defer(async () => child?.end('SIGKILL'))
  const owned = stack.move()
  return {
    folder: folder.path,
    configure: (appsYaml, queue) =>
      folder.configure({
        appsYaml,
        queue,
        ...(redis === undefined ? {} : { store: `{ url: "redis://127.0.0.1:${redis.port}" }` }),
      }),
    async start(shiftMs) {
      // With Redis the gateway goes by the clock of Redis, which nobody can shift. So what says since when devices are known is changed there.
      if (redis !== undefined) await knowSince(redis, Math.abs(shiftMs - shiftedMs))
      shiftedMs = shiftMs
      if (shiftMs === 0) await rm(folder.at(CLOCK_FILE), { force: true })
      else await folder.write(CLOCK_FILE, String(shiftMs))
      const { nodeArguments, environment } = LAUNCH_OPTIONS
      child = startHushgate(['serve'], {
        folder: folder.path,
        main: program,
        nodeOptions: [...nodeArguments, '--import', CLOCK],
        under: ['/usr/bin/env', ...Object.entries(environment).map((entry) => entry.join('='))],
      })
      ;({ notify: notifyUrl, admin: adminUrl } = await child.running())
    },
    async end() {
      await child?.end('SIGTERM')
    },
    get notifyUrl() {
      return notifyUrl
    },
    pids: () => (child === undefined ? [] : familyOf(child.pid)),
    log: () => child?.stdout() ?? '',
    async queued() {
      const metrics = await (await fetch(`${adminUrl}/metrics`)).text()
      const inQueue = QUEUED.reduce((sum, state) => sum + depthIn(metrics, state), 0)
      return { 'pushes in the queue': inQueue, 'dead letters': depthIn(metrics, 'dead') }
    },
    async remembered() {
      await child?.end('SIGKILL')
      return redis === undefined ? inFile(folder.at('hushgate.db')) : inRedis(redis)
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** Of all routes. */
function depthIn(metrics: string, state: string): number {
  const counts = [...metrics.matchAll(/^hushgate_queue_deliveries\{.*state="(\w+)".*\} (\d+)$/gm)]
  return counts.reduce((sum, [, each, count]) => (each === state ? sum + Number(count) : sum), 0)
}

function inFile(path: string): Readonly<Record<string, number>> {
  using database = new DatabaseSync(path)
  return byKind(
    database
      .prepare('select key from memory')
      .all()
      .map(({ key }) => String(key)),
  )
}

async function inRedis(redis: TestRedis): Promise<Readonly<Record<string, number>>> {
  const client = await redis.client()
  const keys = await client.keys('*')
  return byKind(keys.flatMap((key) => /:memory:(.*)$/.exec(key)?.[1] ?? []))
}

async function knowSince(redis: TestRedis, earlierByMs: number): Promise<void> {
  const client = await redis.client()
  for (const key of await client.keys('*:memory:known-since:*')) {
    const sinceMs = Number(await client.get(key))
    if (Number.isNaN(sinceMs)) throw new Error('Redis says otherwise than as a number since when devices are known')
    await client.set(key, String(sinceMs - earlierByMs), 'KEEPTTL')
  }
}

/** What each is about is the first word of its key (src/memory). */
function byKind(keys: readonly string[]): Readonly<Record<string, number>> {
  const kinds = [...Map.groupBy(keys, (key) => key.split(':', 1).join())]
  return Object.fromEntries(kinds.map(([kind, ofKind]) => [`marks "${kind}"`, ofKind.length]))
}
