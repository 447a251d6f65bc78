/** Makes the dispositions of a job's deliveries durable: first what is to follow is stored, then the job is completed, or goes back with what was not attempted. */
import type { Keyring } from '../../core/keyring.ts'
import { noteIn, type Disposition } from '../contract.ts'
import { deadLetterOf, type NewDeadLetter } from './dead-letter.ts'
import type { FetchedJob } from './fetched-job.ts'
import type { OwnedNote } from './notes.ts'
import { createRest, createSingle, JOB_NAME, jobOptions, singleId, type JobItem, type JobRecord } from './job.ts'
import type { NewJob } from './shard-queues.ts'
import type { FormerJob } from './store-once.ts'

export interface DispositionParts {
  readonly keyring: Keyring
  readonly nowMs: () => number
  /**
   * Both store where the job lies that they follow, and resolve when the replicas have it: the job may be completed at one that has just taken over. This one with false where
   * Redis has lost that job.
   */
  readonly addJobs: (jobs: NewJob[], former: FormerJob) => Promise<boolean>
  readonly addDeadLetters: (deadLetters: readonly NewDeadLetter[]) => Promise<unknown>
  /** Whether all of a job is done or goes on in what follows it; resolves when the replicas have that. */
  readonly isFollowed: (jobId: string) => Promise<boolean>
  /** Sent together with the completion of the job. */
  readonly writeNotes: (notes: readonly OwnedNote[]) => Promise<unknown>
  /** A delivery is going to be parked in the job of this id. */
  readonly onParked: (group: string, jobId: string) => void
}

/** What follows a job. */
export interface Successors {
  readonly jobs: NewJob[]
  readonly deadLetters: readonly NewDeadLetter[]
}

/** What was not attempted stays in the job. */
export async function applyDispositions(
  parts: DispositionParts,
  job: FetchedJob,
  items: readonly JobItem[],
  dispositions: readonly Disposition[],
): Promise<void> {
  const [first] = dispositions
  const held = items.filter((_, index) => (dispositions[index]?.kind ?? 'hold') === 'hold')
  if (held.length === items.length) await job.release()
  else if (dispositions.length === 1 && first?.kind === 'park') await parkJob(parts, job, first)
  else {
    const successors = successorsOf(parts, items, dispositions)
    const notes = notesOf(items, dispositions)
    if (held.length === 0 || job.record === undefined) await complete(parts, job, successors, notes)
    else
      await putBack(parts, job, { rest: createRest(parts.keyring, job.record, items, held), held }, successors, notes)
  }
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

/** Every delivery that is neither acknowledged nor held gets a job or a dead letter of its own. */
export function successorsOf(
  parts: Pick<DispositionParts, 'keyring' | 'nowMs'> & Partial<Pick<DispositionParts, 'onParked'>>,
  items: readonly JobItem[],
  dispositions: readonly Disposition[],
): Successors {
  const jobs: NewJob[] = []
  const deadLetters: NewDeadLetter[] = []
  for (const [index, item] of items.entries()) {
    const disposition = dispositions[index]
    if (disposition?.kind === 'requeue') jobs.push(delayedJob(parts, item, item.attempt + 1, disposition.atMs))
    else if (disposition?.kind === 'park') {
      jobs.push(delayedJob(parts, item, item.attempt, disposition.atMs))
      parts.onParked?.(disposition.group, singleId(item, item.attempt))
    } else if (disposition?.kind === 'dead-letter')
      deadLetters.push(deadLetterOf(parts.keyring, item, disposition.reason))
  }
  return { jobs, deadLetters }
}

/** The ids are derived, so after a crash in between the whole is done again, and stores the same. */
async function complete(
  parts: DispositionParts,
  job: FetchedJob,
  { jobs, deadLetters }: Successors,
  notes: readonly OwnedNote[] = [],
): Promise<void> {
  const { addJobs, addDeadLetters } = parts
  if (deadLetters.length > 0) await job.retryUntilStored(() => addDeadLetters(deadLetters))
  if (jobs.length > 0) await job.retryUntilStored(() => addJobs(jobs, job))
  await job.complete(writing(parts, notes))
}

interface Rest {
  readonly rest: JobRecord
  readonly held: readonly JobItem[]
}

/** One of the batch was tried, to see whether things work again, or the rest has to wait. It goes back to where it was, as one; where Redis has lost the job, each alone. */
async function putBack(
  parts: DispositionParts,
  job: FetchedJob,
  { rest, held }: Rest,
  { jobs, deadLetters }: Successors,
  notes: readonly OwnedNote[],
): Promise<void> {
  const { addJobs, addDeadLetters } = parts
  if (deadLetters.length > 0) await job.retryUntilStored(() => addDeadLetters(deadLetters))
  const { id, token } = job
  const isThere = await job.retryUntilStored(() => addJobs(jobs, { id, token, rest }))
  if (isThere === false) {
    const alone = held.map((item) => heldJob(parts, item))
    await job.retryUntilStored(() => addJobs(alone, job))
  }
  await job.release(writing(parts, notes))
}

function writing({ writeNotes }: DispositionParts, notes: readonly OwnedNote[]): (() => Promise<unknown>) | undefined {
  return notes.length === 0 ? undefined : () => writeNotes(notes)
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
