/** What a BullMQ job holds: deliveries of one route and one priority, sealed as one, and in clear only what the store itself needs to know of them. */
import type { JobsOptions } from 'bullmq'
import { randomBytes } from 'node:crypto'
import type { Delivery, Priority } from '../../core/delivery.ts'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import type { Keyring } from '../../core/keyring.ts'
import { MAX_BATCH, type HandedOut } from '../contract.ts'
import { openBase64, sealToBase64 } from './base64-envelope.ts'

const VERSION = 1
const NONCE_BYTES = 9

/** Of a delivery that goes on alone: the job that it was first stored in, with its index there, and its order. */
interface Origin extends JsonObject {
  readonly root: string
  readonly order: number
}

export interface JobRecord extends JsonObject {
  readonly version: number
  /** The depth is counted by this. The scripts of counted-shards.ts and inactive-jobs.ts find it by its name. */
  readonly count: number
  /** The script of counted-shards.ts finds it by its name, and the next one. */
  readonly attempt: number
  /** The earliest of its deliveries. */
  readonly acceptedAtMs: number
  /** The latest of its deliveries. The script of sweep.ts finds it by its name. */
  readonly expiresAtMs: number
  /** When the job could first be handed out, at this attempt. The script of counted-shards.ts finds it by its name. */
  readonly dueAtMs: number
  /** Random, of the job that deliveries were first stored in: part of the ids of those that go on alone. Absent where a version before 0.2 stored it. */
  readonly nonce?: string | undefined
  /** Absent in the job that a delivery was first stored in. */
  readonly origin?: Origin | undefined
  /** The deliveries that are left, by the index that each had at first; absent while none was removed. */
  readonly places?: readonly number[] | undefined
  /** After how many stalls it was put aside last; absent while it was not. */
  readonly putAsideAfter?: number | undefined
  /** Base64. The script of inactive-jobs.ts finds it by its name. */
  readonly sealed: string
}

/** A delivery of a job. */
export interface JobItem extends HandedOut {
  /** The ids of the jobs in which it goes on alone begin with this. */
  readonly root: string
}

/** BullMQ's tools and telemetry show the name, so it says nothing. */
export const JOB_NAME = 'deliveries'

/**
 * BullMQ hands out jobs without a priority first, then those with the lowest number, each in the order of storing. So a call that is tried again overtakes
 * the events that wait. With the option `lifo` it would not: BullMQ puts a job that was delayed at the end of its list.
 */
export function jobOptions(priority: Priority): JobsOptions {
  switch (priority) {
    case 'call':
      return {}
    case 'event':
      return { priority: 1 }
    case 'counts':
      return { priority: 2 }
  }
}

export function createBatch(keyring: Keyring, route: string, deliveries: readonly Delivery[]): JobRecord {
  const acceptedAtMs = Math.min(...deliveries.map((delivery) => delivery.acceptedAtMs))
  // A delivery with a time of its own is a batch of its own.
  const dueAtMs = deliveries[0]?.dueAtMs ?? acceptedAtMs
  const nonce = randomBytes(NONCE_BYTES).toString('base64url')
  return { attempt: 1, acceptedAtMs, dueAtMs, ...createRecord(keyring, route, deliveries), nonce }
}

/** What is left of a batch when only `kept` stay. They keep their ids and their order. */
export function createRest(
  keyring: Keyring,
  record: JobRecord,
  items: readonly JobItem[],
  kept: readonly JobItem[],
): JobRecord {
  const { attempt, dueAtMs, nonce, origin } = record
  const [first] = kept
  if (first === undefined) throw new Error('a job holds at least one delivery')
  const deliveries = kept.map(({ delivery }) => delivery)
  return {
    attempt,
    acceptedAtMs: Math.min(...deliveries.map(({ acceptedAtMs }) => acceptedAtMs)),
    dueAtMs,
    ...createRecord(keyring, first.delivery.route, deliveries),
    nonce,
    origin,
    places: items.flatMap((item, index) => (kept.includes(item) ? (record.places?.[index] ?? index) : [])),
  }
}

/** One delivery of a batch, which goes on alone. */
export function createSingle(keyring: Keyring, item: JobItem, attempt: number, dueAtMs: number): JobRecord {
  const { delivery, root, order } = item
  const { acceptedAtMs } = delivery
  return {
    attempt,
    acceptedAtMs,
    dueAtMs,
    ...createRecord(keyring, delivery.route, [delivery]),
    origin: { root, order },
  }
}

/** What scripts look for stands before what is sealed, or they would read through all of that. */
function createRecord(keyring: Keyring, route: string, deliveries: readonly Delivery[]) {
  return {
    version: VERSION,
    count: deliveries.length,
    expiresAtMs: Math.max(...deliveries.map((delivery) => delivery.expiresAtMs)),
    sealed: sealToBase64(keyring, route, deliveries),
  }
}

/** Undefined when a newer Hushgate (or somebody else) wrote it. */
export function readRecord(data: unknown): JobRecord | undefined {
  if (!isJsonObject(data) || data['version'] !== VERSION) return undefined
  const { count, attempt, acceptedAtMs, expiresAtMs, dueAtMs, sealed, nonce, origin, places, putAsideAfter } = data
  if (typeof count !== 'number' || typeof attempt !== 'number' || typeof sealed !== 'string') return undefined
  if (typeof acceptedAtMs !== 'number' || typeof expiresAtMs !== 'number' || typeof dueAtMs !== 'number')
    return undefined
  return {
    version: VERSION,
    count,
    attempt,
    acceptedAtMs,
    expiresAtMs,
    dueAtMs,
    sealed,
    nonce: typeof nonce === 'string' ? nonce : undefined,
    origin: readOrigin(origin),
    places: readPlaces(places),
    putAsideAfter: typeof putAsideAfter === 'number' ? putAsideAfter : undefined,
  }
}

function readPlaces(value: unknown): readonly number[] | undefined {
  return Array.isArray(value) && value.every((place) => typeof place === 'number') ? value : undefined
}

function readOrigin(value: unknown): Origin | undefined {
  if (!isJsonObject(value)) return undefined
  const { root, order } = value
  return typeof root === 'string' && typeof order === 'number' ? { root, order } : undefined
}

/**
 * Undefined when there is no record that can be read or opened, or when it holds another number of deliveries than it says. `kept`: what was sealed in it, where
 * that is known.
 */
export function openRecord(
  keyring: Keyring,
  route: string,
  jobId: string,
  record: JobRecord | undefined,
  kept?: readonly Delivery[],
): readonly JobItem[] | undefined {
  if (record === undefined) return undefined
  const { attempt, nonce, origin, places } = record
  const deliveries = kept ?? openBase64(keyring, route, record.sealed)
  if (deliveries?.length !== record.count) return undefined
  return deliveries.map((delivery, index) => {
    const place = places?.[index] ?? index
    return {
      delivery,
      attempt,
      root: origin?.root ?? [jobId, nonce ?? [], place].flat().join('-'),
      order: origin?.order ?? orderOf(jobId, place),
    }
  })
}

/** Redis counts the ids of a route's jobs, so this grows in the order of storing (shard-queues.ts). */
export function orderOf(jobId: string, index: number): number {
  return Number(jobId) * MAX_BATCH + index
}

/**
 * The id is derived: a batch that is handed out again after a crash stores the same jobs, and not more of them. BullMQ ignores a job whose id it has, so nothing
 * else may ever come to the same id. Never a plain integer.
 */
export function singleId(item: JobItem, attempt: number): string {
  return `${item.root}-${attempt}`
}
