/**
 * Finds, or removes, what is stored for a device in the shards where it may be, a few jobs and dead letters at a time. Its name is sealed. A search reads how each begins, and opens few. A removal
 * opens all.
 */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Held, Removed } from '../contract.ts'
import { forgetInOrder, type RemovedPart } from '../forget.ts'
import type { Client } from './connection.ts'
import { mayBeIn, openBase64 } from './base64-envelope.ts'
import type { DeadLetters } from './dead-letters.ts'
import { InactiveJobs, type InactiveJob } from './inactive-jobs.ts'
import { createRest, openRecord, type JobItem } from './job.ts'
import type { ShardQueues } from './shard-queues.ts'
import type { Shard } from './shard.ts'

export interface ForgetParts {
  readonly client: Client
  readonly queues: ShardQueues
  readonly deadLetters: DeadLetters
  readonly keyring: Keyring
}

export async function forgetDevice(parts: ForgetParts, shards: readonly Shard[], deviceHash: string): Promise<Removed> {
  const { client, queues, deadLetters, keyring } = parts
  return forgetInOrder(
    () =>
      inEach(shards, (shard) => {
        const jobs = new InactiveJobs(client, queues, shard)
        return removeFromJobs({ jobs, keyring, route: shard.route, deviceHash })
      }),
    () => inEach(shards, (shard) => deadLetters.forget(shard, deviceHash)),
  )
}

/** Without what is being sent at this moment. */
export function searchDevices(
  { client, queues, deadLetters, keyring }: ForgetParts,
  shards: readonly Shard[],
  hashStart: string,
): Promise<Held> {
  return forgetInOrder(
    () =>
      inEach(shards, (shard) => searchJobs(new InactiveJobs(client, queues, shard), keyring, shard.route, hashStart)),
    () => inEach(shards, (shard) => deadLetters.search(shard, hashStart)),
  )
}

/** Opens those that may hold deliveries for the devices. */
async function searchJobs(
  jobs: InactiveJobs,
  keyring: Keyring,
  route: string,
  hashStart: string,
): Promise<RemovedPart> {
  // A job may be met twice, when it goes from one state to another.
  const found = new Map<string, Delivery>()
  const unreadable = new Map<string, number>()
  for await (const page of jobs.sealedStarts()) {
    const starts = page.map(({ start }) => start)
    const isWanted = mayBeIn(keyring, starts, hashStart)
    const wanted = page.filter((_, index) => isWanted[index]).map(({ id }) => id)
    for (const { id, record } of wanted.length > 0 ? await jobs.read(wanted) : []) {
      const deliveries = record && openBase64(keyring, route, record.sealed, hashStart)
      if (deliveries === undefined) unreadable.set(id, record?.count ?? 1)
      else for (const delivery of deliveries) found.set(delivery.id, delivery)
    }
    await nextTurn()
  }
  return { removed: [...found.values()], unreadable: [...unreadable.values()].reduce((sum, count) => sum + count, 0) }
}

/** One after the other. */
async function inEach(shards: readonly Shard[], remove: (shard: Shard) => Promise<RemovedPart>): Promise<RemovedPart> {
  const removed: Delivery[] = []
  let unreadable = 0
  for (const shard of shards) {
    const part = await remove(shard)
    removed.push(...part.removed)
    unreadable += part.unreadable
  }
  return { removed, unreadable }
}

interface Search {
  readonly jobs: InactiveJobs
  readonly keyring: Keyring
  readonly route: string
  readonly deviceHash: string
}

async function removeFromJobs(search: Search): Promise<RemovedPart> {
  const { jobs, keyring, route } = search
  const removed: Delivery[] = []
  const unreadable = new Map<string, number>()
  for await (const page of jobs.pages()) {
    for (const job of page) {
      const items = openRecord(keyring, route, job.id, job.record)
      if (items === undefined) unreadable.set(job.id, job.record?.count ?? 1)
      else removed.push(...(await removeFromJob(search, job, items)))
    }
    await nextTurn()
  }
  return { removed, unreadable: [...unreadable.values()].reduce((sum, count) => sum + count, 0) }
}

/** In one step, so that a crash leaves nothing half done: afterwards the job is gone, or holds the other deliveries as before. */
async function removeFromJob(
  search: Search,
  job: InactiveJob,
  items: readonly JobItem[],
): Promise<readonly Delivery[]> {
  const { jobs, keyring, route, deviceHash } = search
  const kept = items.filter(({ delivery }) => delivery.deviceHash !== deviceHash)
  const found = items.map(({ delivery }) => delivery).filter((delivery) => delivery.deviceHash === deviceHash)
  if (job.record === undefined || found.length === 0) return []
  if (kept.length === 0) return (await jobs.remove(job)) ? found : []
  if (await jobs.replace(job, createRest(keyring, job.record, items, kept))) return found
  const [changed] = await jobs.read([job.id])
  // It is gone, or was fetched.
  if (changed === undefined || changed.data === job.data) return []
  // Another device of the same job was forgotten meanwhile.
  const left = openRecord(keyring, route, changed.id, changed.record)
  return left === undefined ? [] : removeFromJob(search, changed, left)
}
