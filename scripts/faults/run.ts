/** One schedule, run to its end: a load, faults under it, and an account of every notification. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { account, isRight, type Account } from './accounting.ts'
import { startGateways, type Gateways } from './gateways.ts'
import { startLoad, type Load } from './load.ts'
import { noticesOf, type Notice } from './notices.ts'
import { startPushServices, type PushServices } from './push-services.ts'
import type { Schedule } from './schedule.ts'
import { startStore } from './stores.ts'
import { strike, type Victims } from './strike.ts'

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

/**
 * The faults are over: so long it may take until the last is accounted for. What waits for a host of Web Push that failed, and is told of nothing by a process
 * that is dead, comes back after four pauses of up to a minute (`src/providers/shared/endpoints/host-pauses.ts`).
 */
const SETTLE_MS = 300_000
const LOOK_MS = 500

/** `formerProgram`: the version that all processes begin with. */
export async function runSchedule(schedule: Schedule, formerProgram?: string): Promise<Result> {
  const startedAtMs = performance.now()
  await using stack = new AsyncDisposableStack()
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-faults-'))
  stack.defer(() => rm(folder, { recursive: true, force: true }))
  const services = stack.use(await startPushServices(folder))
  const store = stack.use(await startStore(schedule))
  const { topology, timing, loadMs } = schedule
  const appsYaml = services.appsYaml(timing, 'good')
  const gateways = stack.use(await startGateways({ topology, appsYaml, store: store.section, formerProgram }))

  const notices = noticesOf(schedule)
  const giveUp = new AbortController()
  const { signal } = giveUp
  const load = startLoad(notices, { urls: gateways.urls, bodyOf: (notice) => services.bodyOf(notice), loadMs, signal })
  stack.defer(async () => {
    giveUp.abort()
    await load.done
  })
  const accounts = await strikeAndSettle(schedule, notices, { gateways, services, store, timing, load })
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
      ...gateways.warnings(),
      ...(queued === 0 ? [] : [`${queued} pushes are still in the queues`]),
      ...(deadLetters === expectedDead ? [] : [`${deadLetters} dead letters, and ${expectedDead} should be there`]),
    ],
    logs: gateways.logs(),
    seconds: (performance.now() - startedAtMs) / 1000,
  }
}

/** Rejects with what the processes said. */
async function strikeAndSettle(
  schedule: Schedule,
  notices: readonly Notice[],
  victims: Victims & Seen,
): Promise<readonly Account[]> {
  try {
    await strikeAll(schedule, victims)
    return await settle(notices, victims)
  } catch (error) {
    const { gateways } = victims
    throw new Error(`the run broke off\n${gateways.unasked.join('\n')}\n${gateways.logs()}`, { cause: error })
  }
}

/** Resolves when the last fault is over and the last notification was sent. */
async function strikeAll({ faults, loadMs }: Schedule, victims: Victims): Promise<void> {
  const startedAtMs = performance.now()
  // One after the other where they have the same victim: a failover takes as long as it takes.
  const byVictim = Map.groupBy(faults, ({ kind, victim }) => (kind === 'clock' ? `clock ${victim}` : victim))
  const struck = [...byVictim.values()].map(async (ofOne) => {
    for (const fault of ofOne) {
      await sleep(Math.max(0, startedAtMs + fault.atMs - performance.now()))
      await strike(fault, victims)
    }
  })
  // All of them, also where one cannot be ended: what is struck must still be there.
  const ends = await Promise.allSettled([...struck, sleep(loadMs)])
  for (const end of ends) if (end.status === 'rejected') throw end.reason
}

interface Seen {
  readonly gateways: Gateways
  readonly services: PushServices
  readonly load: Load
}

/** Until each is right and nothing is queued, or the time is over. */
async function settle(notices: readonly Notice[], { gateways, services, load }: Seen): Promise<readonly Account[]> {
  const deadlineMs = performance.now() + SETTLE_MS
  for (;;) {
    const deadLetters = await gateways.deadLetters()
    const accounts = account(notices, { arrivals: services.arrivals, posted: load.posted, deadLetters })
    const isOver = performance.now() > deadlineMs
    if (isOver || (accounts.every(isRight) && (await gateways.queued()) === 0)) return accounts
    await sleep(LOOK_MS)
  }
}
