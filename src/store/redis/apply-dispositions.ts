/** Makes durable what became of the deliveries of a job: first what is still to happen to them, then that the job is over. */
import type { Job } from 'bullmq'
import type { Keyring } from '../../core/keyring.ts'
import type { Disposition } from '../contract.ts'
import { sealDeliveries } from '../envelope.ts'
import type { RouteQueue } from './route-queues.ts'
import type { DeadLetters, NewDeadLetter } from './dead-letters.ts'
import { createSingle, JOB_NAME, jobOptions, singleId, type Item, type JobRecord } from './job.ts'
import type { HeldJob } from './job-locks.ts'

export interface SettleOptions {
  readonly route: string
  readonly queue: RouteQueue
  readonly keyring: Keyring
  readonly deadLetters: DeadLetters
  readonly nowMs: () => number
}

export type StoredJob = Job<JobRecord, null>

type NewJob = Parameters<RouteQueue['addBulk']>[0][number]

const FIRST_PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1000

/** Whatever is not done gets a job or a dead letter of its own, unless nothing at all was attempted: then the job goes back as it is. */
export async function settle(
  options: SettleOptions,
  job: StoredJob,
  held: HeldJob,
  items: readonly Item[],
  dispositions: readonly Disposition[],
): Promise<void> {
  if (dispositions.every(({ kind }) => kind === 'hold')) return giveBack(job, held)
  const jobs: NewJob[] = []
  const letters: NewDeadLetter[] = []
  for (const [index, item] of items.entries()) {
    const disposition = dispositions[index] ?? { kind: 'hold' }
    if (disposition.kind === 'requeue') jobs.push(retryOf(options, item, disposition.atMs))
    else if (disposition.kind === 'hold') jobs.push(singleOf(options, item))
    else if (disposition.kind === 'dead-letter') letters.push(letterOf(options, item, disposition.reason))
  }
  await complete(options, job, held, jobs, letters)
}

/** A batch that its workers did not survive: one of its deliveries may be why, so each goes on alone. */
export function split(options: SettleOptions, job: StoredJob, held: HeldJob, items: readonly Item[]): Promise<void> {
  const jobs = items.map((item) => singleOf(options, item))
  return complete(options, job, held, jobs, [])
}

/** The whole job is one dead letter, sealed as it is. */
export function buryWhole(options: SettleOptions, job: StoredJob, held: HeldJob, letter: NewDeadLetter): Promise<void> {
  return complete(options, job, held, [], [letter])
}

/** Nothing happened to it: the next to ask gets it. */
export async function giveBack(job: StoredJob, held: HeldJob): Promise<void> {
  await insist(held, () => job.moveToWait(held.token))
  held.release()
}

export async function putOff(job: StoredJob, held: HeldJob, delayMs: number): Promise<void> {
  await insist(held, () => job.moveToDelayed(Date.now() + delayMs, held.token))
  held.release()
}

async function complete(
  { route, queue, deadLetters }: SettleOptions,
  job: StoredJob,
  held: HeldJob,
  jobs: NewJob[],
  letters: readonly NewDeadLetter[],
): Promise<void> {
  if (letters.length > 0) await insist(held, () => deadLetters.bury(route, letters))
  if (jobs.length > 0) await insist(held, () => queue.addBulk(jobs))
  await insist(held, () => job.moveToCompleted(null, held.token, false))
  held.release()
}

/** Until it is written, or the job is no longer ours: then whoever gets it next does all of it again. */
async function insist(held: HeldJob, write: () => Promise<unknown>): Promise<void> {
  for (let pauseMs = FIRST_PAUSE_MS; held.isOurs(); pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      await write()
      return
    } catch (error) {
      if (isNotOurs(error)) return
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
}

/** BullMQ's scripts answer a negative code when the job is gone, or its lock is not the one shown (bullmq/dist/esm/enums/error-code.js). */
function isNotOurs(error: unknown): boolean {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code < 0
}

function retryOf({ keyring, nowMs }: SettleOptions, item: Item, atMs: number): NewJob {
  const attempt = item.attempt + 1
  return {
    name: JOB_NAME,
    data: createSingle(keyring, item, attempt, Math.round(Math.max(atMs, nowMs()))),
    opts: {
      ...jobOptions(item.delivery.priority),
      jobId: singleId(item, attempt),
      delay: Math.max(0, Math.ceil(atMs - nowMs())),
    },
  }
}

function singleOf({ keyring }: SettleOptions, item: Item): NewJob {
  const data = createSingle(keyring, item, item.attempt, item.delivery.acceptedAtMs)
  return {
    name: JOB_NAME,
    data,
    opts: { ...jobOptions(item.delivery.priority), jobId: singleId(item, item.attempt) },
  }
}

export function letterOf(
  { route, keyring }: Pick<SettleOptions, 'route' | 'keyring'>,
  item: Item,
  reason: string,
): NewDeadLetter {
  const { delivery, attempt: attempts } = item
  const sealed = sealDeliveries(keyring, route, [delivery]).toString('base64')
  return { id: delivery.id, reason, attempts, acceptedAtMs: delivery.acceptedAtMs, sealed }
}

/** The whole job as it is. */
export function unreadableLetter(jobId: string, { attempt, acceptedAtMs, sealed }: JobRecord): NewDeadLetter {
  return { id: jobId, reason: 'unreadable', attempts: attempt, acceptedAtMs, sealed }
}
