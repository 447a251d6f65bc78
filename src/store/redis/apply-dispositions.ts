/** Makes the dispositions of a job's deliveries durable: first what is to follow is stored, then the job is completed. */
import type { Keyring } from '../../core/keyring.ts'
import { noteIn, type Disposition } from '../contract.ts'
import { deadLetterOf, type NewDeadLetter } from './dead-letter.ts'
import type { FetchedJob } from './fetched-job.ts'
import type { OwnedNote } from './notes.ts'
import { createSingle, JOB_NAME, jobOptions, singleId, type JobItem } from './job.ts'
import type { ShardQueue } from './shard-queues.ts'

export interface DispositionParts {
  readonly keyring: Keyring
  readonly nowMs: () => number
  /** Both store where the job lies that they follow (`formerId`), and resolve when the replicas have it: the job may be completed at one that has just taken over. */
  readonly addJobs: (jobs: NewJob[], formerId: string) => Promise<unknown>
  readonly addDeadLetters: (deadLetters: readonly NewDeadLetter[]) => Promise<unknown>
  /** Sent together with the completion of the job. */
  readonly writeNotes: (notes: readonly OwnedNote[]) => Promise<unknown>
  /** A delivery is going to be parked in the job of this id. */
  readonly onParked: (group: string, jobId: string) => void
}

export type NewJob = Parameters<ShardQueue['addBulk']>[0][number]

/** What follows a job. */
export interface Successors {
  readonly jobs: NewJob[]
  readonly deadLetters: readonly NewDeadLetter[]
}

/** If nothing at all was attempted, the job is released as it is. */
export async function applyDispositions(
  parts: DispositionParts,
  job: FetchedJob,
  items: readonly JobItem[],
  dispositions: readonly Disposition[],
): Promise<void> {
  const [first] = dispositions
  if (dispositions.every(({ kind }) => kind === 'hold')) await job.release()
  else if (dispositions.length === 1 && first?.kind === 'park') await parkJob(parts, job, first)
  else await complete(parts, job, successorsOf(parts, items, dispositions), notesOf(items, dispositions))
}

function notesOf(items: readonly JobItem[], dispositions: readonly Disposition[]): readonly OwnedNote[] {
  return items.flatMap(({ delivery }, index) => {
    const disposition = dispositions[index]
    const note = disposition === undefined ? undefined : noteIn(disposition)
    return note === undefined ? [] : [{ owner: delivery, note }]
  })
}

/** Its only delivery was not attempted, so the job is only delayed. */
async function parkJob(
  { nowMs, onParked }: DispositionParts,
  job: FetchedJob,
  { group, atMs }: Disposition & { readonly kind: 'park' },
): Promise<void> {
  onParked(group, job.id)
  await job.delay(Math.max(0, Math.ceil(atMs - nowMs())))
}

/** One delivery of the batch may be why processes died with it, so each goes on alone. */
export function splitJob(parts: DispositionParts, job: FetchedJob, items: readonly JobItem[]): Promise<void> {
  return complete(parts, job, { jobs: items.map((item) => heldJob(parts, item)), deadLetters: [] })
}

export function moveToDeadLetters(parts: DispositionParts, job: FetchedJob, deadLetter: NewDeadLetter): Promise<void> {
  return complete(parts, job, { jobs: [], deadLetters: [deadLetter] })
}

/** Every delivery that is not acknowledged gets a job or a dead letter of its own. */
export function successorsOf(
  parts: Pick<DispositionParts, 'keyring' | 'nowMs'> & Partial<Pick<DispositionParts, 'onParked'>>,
  items: readonly JobItem[],
  dispositions: readonly Disposition[],
): Successors {
  const jobs: NewJob[] = []
  const deadLetters: NewDeadLetter[] = []
  for (const [index, item] of items.entries()) {
    const disposition = dispositions[index] ?? { kind: 'hold' }
    if (disposition.kind === 'requeue') jobs.push(delayedJob(parts, item, item.attempt + 1, disposition.atMs))
    else if (disposition.kind === 'park') {
      jobs.push(delayedJob(parts, item, item.attempt, disposition.atMs))
      parts.onParked?.(disposition.group, singleId(item, item.attempt))
    } else if (disposition.kind === 'hold') jobs.push(heldJob(parts, item))
    else if (disposition.kind === 'dead-letter') deadLetters.push(deadLetterOf(parts.keyring, item, disposition.reason))
  }
  return { jobs, deadLetters }
}

/** The ids are derived, so after a crash in between the whole is done again, and stores the same. */
async function complete(
  { addJobs, addDeadLetters, writeNotes }: DispositionParts,
  job: FetchedJob,
  successors: Successors,
  notes: readonly OwnedNote[] = [],
): Promise<void> {
  if (successors.deadLetters.length > 0) await job.retryUntilStored(() => addDeadLetters(successors.deadLetters))
  if (successors.jobs.length > 0) await job.retryUntilStored(() => addJobs(successors.jobs, job.id))
  await job.complete(notes.length === 0 ? undefined : () => writeNotes(notes))
}

function delayedJob(
  { keyring, nowMs }: Pick<DispositionParts, 'keyring' | 'nowMs'>,
  item: JobItem,
  attempt: number,
  atMs: number,
): NewJob {
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

function heldJob({ keyring }: Pick<DispositionParts, 'keyring'>, item: JobItem): NewJob {
  return {
    name: JOB_NAME,
    data: createSingle(keyring, item, item.attempt, item.delivery.acceptedAtMs),
    opts: { ...jobOptions(item.delivery.priority), jobId: singleId(item, item.attempt) },
  }
}
