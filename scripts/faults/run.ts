/** One schedule, run to its end: a load, faults under it, and an account of every notification. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startRedis, type TestRedis } from '../../test/helpers/redis.ts'
import { account, isRight, type Account } from './accounting.ts'
import { startGateways, type Gateways } from './gateways.ts'
import { startLoad, type Load } from './load.ts'
import { noticesOf, type Notice } from './notices.ts'
import { startPushServices, type PushServices } from './push-services.ts'
import { LOAD_MS, type Schedule } from './schedule.ts'
import { strike } from './strike.ts'

export interface Result {
  readonly accounts: readonly Account[]
  readonly acknowledged: number
  /** Requests that were not answered 200. */
  readonly refused: number
  /** What went wrong beside the notifications. */
  readonly mishaps: readonly string[]
  /** The ends of the logs. */
  readonly logs: string
  readonly seconds: number
}

/** The faults are over: so long it may take until the last is accounted for, with all waits of a push that was refused. */
const SETTLE_MS = 90_000
const LOOK_MS = 250

export async function runSchedule(schedule: Schedule): Promise<Result> {
  const startedAtMs = Date.now()
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-faults-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const services = stack.use(await startPushServices(folder))
  const redis = schedule.topology === 'sqlite' ? undefined : await startDurableRedis(stack)
  const { topology, timing } = schedule
  const redisUrl = redis === undefined ? undefined : `redis://127.0.0.1:${redis.port}`
  const gateways = stack.use(await startGateways(topology, services.appsYaml(timing, 'good'), redisUrl))

  const notices = noticesOf(schedule)
  const giveUp = new AbortController()
  const load = startLoad(notices, gateways.urls, LOAD_MS, giveUp.signal)
  stack.defer(async () => {
    giveUp.abort()
    await load.done
  })
  const victims = { gateways, services, redis, timing }
  const faults = schedule.faults.map(async (fault) => {
    await sleep(fault.atMs)
    await strike(fault, victims)
  })
  // All of them, also where one cannot be ended: what is struck must still be there.
  const ends = await Promise.allSettled([...faults, sleep(LOAD_MS)])
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  const accounts = await settle(notices, { gateways, services, load })
  giveUp.abort()
  await load.done
  const [queued, deadLetters] = [await gateways.queued(), await gateways.deadLetters()]
  const expectedDead = accounts.filter(({ verdict }) => verdict === 'dead-lettered').length
  return {
    accounts,
    acknowledged: [...load.posted.values()].filter(({ acknowledgedAtMs }) => acknowledgedAtMs !== undefined).length,
    refused: load.refused,
    mishaps: [
      ...gateways.unasked,
      ...(queued === 0 ? [] : [`${queued} pushes are still in the queues`]),
      ...(deadLetters === expectedDead ? [] : [`${deadLetters} dead letters, and ${expectedDead} should be there`]),
    ],
    logs: gateways.logs(),
    seconds: (Date.now() - startedAtMs) / 1000,
  }
}

/** What it acknowledges survives its death. */
async function startDurableRedis(stack: AsyncDisposableStack): Promise<TestRedis> {
  const redis = await startRedis({ settings: { appendfsync: 'always' } })
  stack.defer(() => redis.stop())
  return redis
}

interface Seen {
  readonly gateways: Gateways
  readonly services: PushServices
  readonly load: Load
}

/** Until each is right and nothing is queued, or the time is over. */
async function settle(notices: readonly Notice[], { gateways, services, load }: Seen): Promise<readonly Account[]> {
  const deadlineMs = Date.now() + SETTLE_MS
  for (;;) {
    const deadLetters = await gateways.deadLetters()
    const accounts = account(notices, { arrivals: services.arrivals, posted: load.posted, deadLetters })
    if (Date.now() > deadlineMs || (accounts.every(isRight) && (await gateways.queued()) === 0)) return accounts
    await sleep(LOOK_MS)
  }
}
