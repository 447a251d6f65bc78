/** Removes what is stored for one device: opens all of its route, a few jobs at a time, for the device is sealed like the rest. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Removed } from '../contract.ts'
import type { RouteQueues } from './route-queues.ts'
import type { Client } from './connection.ts'
import type { DeadLetters } from './dead-letters.ts'
import { createRest, openRecord, type Item } from './job.ts'
import { WaitingJobs, type WaitingJob } from './inactive-jobs.ts'

export interface ForgetPorts {
  readonly client: Client
  readonly queues: RouteQueues
  readonly deadLetters: DeadLetters
  readonly keyring: Keyring
}

export async function forgetDevice(ports: ForgetPorts, route: string, deviceHash: string): Promise<Removed> {
  // In this order: what is given up meanwhile is found where it has gone.
  const waiting = await forgetWaiting(ports, route, deviceHash)
  const dead = await ports.deadLetters.forget(route, deviceHash)
  return {
    deliveries: waiting.removed,
    deadLetters: dead.removed,
    unreadable: waiting.unreadable + dead.unreadable,
  }
}

interface Search {
  readonly jobs: WaitingJobs
  readonly keyring: Keyring
  readonly route: string
  readonly deviceHash: string
}

async function forgetWaiting({ client, queues, keyring }: ForgetPorts, route: string, deviceHash: string) {
  const jobs = new WaitingJobs(client, queues, route)
  const removed: Delivery[] = []
  const unreadable = new Map<string, number>()
  for await (const ids of jobs.ids()) {
    for (const job of await jobs.read(ids)) {
      const items = openJob(keyring, route, job)
      if (items === undefined) unreadable.set(job.id, job.record?.count ?? 1)
      else removed.push(...(await removeFrom({ jobs, keyring, route, deviceHash }, job, items)))
    }
    await nextTurn()
  }
  return { removed, unreadable: [...unreadable.values()].reduce((sum, count) => sum + count, 0) }
}

/** In one step, so there is nothing that a crash could leave half done: the job is gone, or holds the others as before. */
async function removeFrom(search: Search, job: WaitingJob, items: readonly Item[]): Promise<readonly Delivery[]> {
  const { jobs, keyring, route, deviceHash } = search
  const kept = items.filter(({ delivery }) => delivery.deviceHash !== deviceHash)
  const chosen = items.map(({ delivery }) => delivery).filter((delivery) => delivery.deviceHash === deviceHash)
  if (job.record === undefined || chosen.length === 0) return []
  if (kept.length === 0) return (await jobs.remove(job)) ? chosen : []
  if (await jobs.replace(job, createRest(keyring, job.record, items, kept))) return chosen
  const [changed] = await jobs.read([job.id])
  // Gone, or somebody works on it.
  if (changed === undefined || changed.data === job.data) return []
  // Another device of the same job was forgotten meanwhile.
  const left = openJob(keyring, route, changed)
  return left === undefined ? [] : removeFrom(search, changed, left)
}

function openJob(keyring: Keyring, route: string, { id, record }: WaitingJob): readonly Item[] | undefined {
  return record === undefined ? undefined : openRecord(keyring, route, id, record)
}
