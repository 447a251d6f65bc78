/** What a BullMQ job holds: deliveries of one route and one priority, sealed as one, and in clear only what the store itself needs of them. */
import type { JobsOptions } from 'bullmq'
import type { Delivery, Priority } from '../../core/delivery.ts'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import type { Keyring } from '../../core/keyring.ts'
import { MAX_BATCH, type HandedOut } from '../contract.ts'
import { sealDeliveries, tryOpenDeliveries } from '../envelope.ts'

const VERSION = 1

/** Names a job that holds a single delivery of a batch: the job it was first stored in, and its place in there. */
interface Origin extends JsonObject {
  readonly root: string
  readonly order: number
}

export interface JobRecord extends JsonObject {
  readonly version: number
  /** The depth is counted by this; in the script of depth.ts it is found by its name. */
  readonly count: number
  readonly attempt: number
  /** The earliest of them. */
  readonly acceptedAtMs: number
  /** The latest of them. */
  readonly expiresAtMs: number
  /** When it could first be handed out, this time. */
  readonly dueAtMs: number
  /** Absent in the job that the delivery was first stored in. */
  readonly origin?: Origin | undefined
  /** The places in the job that its deliveries were first stored at; absent while it is whole. */
  readonly places?: readonly number[] | undefined
  /** Base64: as a JSON string in UTF-8 it is a third smaller than Latin-1. */
  readonly sealed: string
}

/** A delivery with what its next job is named by. */
export interface Item extends HandedOut {
  readonly root: string
}

/** The name says nothing, so that nothing of BullMQ's tools or telemetry does. */
export const JOB_NAME = 'deliveries'

/**
 * BullMQ hands out jobs without a priority first, then the lowest number, each in the order of storing. So a call whose retry falls due
 * passes the events that wait, which `lifo` does not do for it: BullMQ puts what was delayed at the end of its list.
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
  // One that has a time of its own is a batch of its own.
  const dueAtMs = deliveries[0]?.dueAtMs ?? acceptedAtMs
  return { ...createRecord(keyring, route, deliveries), attempt: 1, acceptedAtMs, dueAtMs }
}

/** The batch without those that are not `kept`, which stay what they were: the same ids, the same order. */
export function createRest(
  keyring: Keyring,
  record: JobRecord,
  items: readonly Item[],
  kept: readonly Item[],
): JobRecord {
  const { attempt, dueAtMs, origin } = record
  const [first] = kept
  if (first === undefined) throw new Error('a job holds at least one delivery')
  const deliveries = kept.map(({ delivery }) => delivery)
  return {
    ...createRecord(keyring, first.delivery.route, deliveries),
    attempt,
    acceptedAtMs: Math.min(...deliveries.map(({ acceptedAtMs }) => acceptedAtMs)),
    dueAtMs,
    origin,
    places: items.flatMap((item, index) => (kept.includes(item) ? (record.places?.[index] ?? index) : [])),
  }
}

/** One delivery out of a batch, on its own from here on. */
export function createSingle(keyring: Keyring, item: Item, attempt: number, dueAtMs: number): JobRecord {
  const { delivery, root, order } = item
  const { acceptedAtMs } = delivery
  return {
    ...createRecord(keyring, delivery.route, [delivery]),
    attempt,
    acceptedAtMs,
    dueAtMs,
    origin: { root, order },
  }
}

function createRecord(keyring: Keyring, route: string, deliveries: readonly Delivery[]) {
  return {
    version: VERSION,
    count: deliveries.length,
    expiresAtMs: Math.max(...deliveries.map((delivery) => delivery.expiresAtMs)),
    sealed: sealDeliveries(keyring, route, deliveries).toString('base64'),
  }
}

/** Undefined when a newer Hushgate (or somebody else) wrote it. */
export function readRecord(data: unknown): JobRecord | undefined {
  if (!isJsonObject(data) || data['version'] !== VERSION) return undefined
  const { count, attempt, acceptedAtMs, expiresAtMs, dueAtMs, sealed, origin, places } = data
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
    origin: readOrigin(origin),
    places: readPlaces(places),
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

/** Undefined when it cannot be opened, or holds another number of deliveries than it says. */
export function openRecord(
  keyring: Keyring,
  route: string,
  jobId: string,
  record: JobRecord,
): readonly Item[] | undefined {
  const { attempt, origin, places } = record
  const deliveries = tryOpenDeliveries(keyring, route, Buffer.from(record.sealed, 'base64'))
  if (deliveries?.length !== record.count) return undefined
  return deliveries.map((delivery, index) => {
    const place = places?.[index] ?? index
    return {
      delivery,
      attempt,
      root: origin?.root ?? `${jobId}-${place}`,
      order: origin?.order ?? orderOf(jobId, place),
    }
  })
}

/** Ids of jobs are counted up per route by Redis, so this grows in the order of storing. */
export function orderOf(jobId: string, index: number): number {
  return Number(jobId) * MAX_BATCH + index
}

/** Derived, so that a batch that is run again after a crash stores the same jobs and not more of them. Never a plain integer. */
export function singleId(item: Item, attempt: number): string {
  return `${item.root}-${attempt}`
}
