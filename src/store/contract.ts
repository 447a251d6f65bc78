/**
 * The two things a store does, kept small so that SQLite and Redis can do them alike: hand out deliveries, and remember keyed facts for a time.
 * Decisions (retry, delay, expiry, dead letter, pause) are not made here but in src/delivery, once for both.
 */
import type { Delivery } from '../core/delivery.ts'

/** A delivery handed out to be sent. */
export interface HandedOut {
  readonly delivery: Delivery
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Grows in the order in which a route's deliveries were stored. */
  readonly order: number
}

/** What the store is to do with a delivery that was handed out. */
export type Disposition =
  | { readonly kind: 'acknowledge' }
  /** Hand it out again at this time, one attempt older. */
  | { readonly kind: 'requeue'; readonly atMs: number }
  /** Nothing was attempted: keep it as it is until the route is handed out again. */
  | { readonly kind: 'hold' }
  /** Keep it, sealed, for the operator. */
  | { readonly kind: 'dead-letter'; readonly reason: string }

/**
 * Sends a batch and says what becomes of each, in the same order; the store then makes that durable in one step. Must not reject.
 * `signal` aborts when the store lost the right to these deliveries (its lock), or stops for good.
 */
export type Handler = (batch: readonly HandedOut[], signal: AbortSignal) => Promise<readonly Disposition[]>

/** How much a route is handed out: everything, nothing, or one single delivery to see whether things work again (then nothing until told). */
export type GateState = 'open' | 'closed' | 'one'

/** The running hand-out of one route in this process. */
export interface Consumption {
  setGate(state: GateState): void
  /** Stops handing out, waits until everything handed out is settled; after `graceMs` the rest is given back, nothing is lost. */
  stop(graceMs: number): Promise<void>
}

/** Counted over the whole store, for one route. */
export interface QueueDepth {
  readonly waiting: number
  readonly delayed: number
  readonly active: number
  readonly dead: number
  /** Age in ms of the oldest that could be handed out now; 0 when there is none. */
  readonly oldestAgeMs: number
}

/** A delivery that was given up; what it holds stays sealed. */
export interface DeadLetter {
  readonly id: string
  readonly route: string
  readonly reason: string
  readonly attempts: number
  readonly acceptedAtMs: number
  readonly diedAtMs: number
}

export interface DeadLetterFilter {
  readonly route?: string | undefined
  readonly id?: string | undefined
  readonly reason?: string | undefined
}

/** What was stored for a device, and is not any more. */
export interface Removed {
  readonly deliveries: readonly Delivery[]
  readonly deadLetters: readonly Delivery[]
  /** So many of the route's could not be opened, and stay: they are the device's, or not. */
  readonly unreadable: number
}

export interface DeliveryQueue {
  /**
   * Resolves when all are durable, with the order of each; rejects with StoreUnavailableError. Deliveries of one event-loop turn are stored together.
   * One that was refused by time-out may still be stored later.
   */
  add(deliveries: readonly Delivery[]): Promise<readonly number[]>
  /** At most one consumption per route and process. `concurrency`: deliveries in flight at once. */
  consume(route: string, concurrency: number, handler: Handler): Consumption
  depth(route: string): Promise<QueueDepth>
  listDead(filter: DeadLetterFilter, limit: number): Promise<readonly DeadLetter[]>
  /** Puts them back as fresh deliveries that expire at `expiresAtMs`; resolves with their number. */
  retryDead(filter: DeadLetterFilter, expiresAtMs: number): Promise<number>
  dropDead(filter: DeadLetterFilter): Promise<number>
  /** Removes what is stored for a device; what is handed out at this moment may stay. On a big store it takes its time, and holds nobody up. */
  forget(route: string, deviceHash: string): Promise<Removed>
}

/** Keyed facts with a lifetime. Keys are keyed hashes or configured names, values hold no data of users. Operations of one turn travel together. */
export interface Memory {
  get(key: string): Promise<string | undefined>
  set(key: string, value: string, lifetimeMs: number): Promise<void>
  /** Resolves with the value that stands afterwards: ours, or the one that was there first. */
  setIfAbsent(key: string, value: string, lifetimeMs: number): Promise<string>
  /** Sets a number unless a greater one is there. */
  raise(key: string, value: number, lifetimeMs: number): Promise<void>
  delete(key: string): Promise<void>
  /** Adds to a set whose members can only be counted. */
  addMember(set: string, member: string, lifetimeMs: number): Promise<void>
  /** How many distinct members the sets have together; exact to about 1 %. */
  countMembers(sets: readonly string[]): Promise<number>
}

/** What an operator should know about the store itself. */
export interface StoreHealth {
  /** New deliveries can be stored. */
  readonly writable: boolean
  /** Sentences about settings under which the store may lose deliveries (no persistence, eviction); empty when all is well. */
  readonly dangers: readonly string[]
  /** False when a danger is one that must take the process out of service. */
  readonly fit: boolean
}

export interface Store extends AsyncDisposable {
  readonly queue: DeliveryQueue
  readonly memory: Memory
  health(): StoreHealth
  close(): Promise<void>
}

/** How long a dead letter is kept, and how many per route (docs/decisions.md#dead-letters). */
export const DEAD_LETTER_LIFETIME_MS = 7 * 24 * 3600_000
export const DEAD_LETTERS_PER_APP = 10_000
/** A batch (or single) whose worker died while it was handed out is handed out again this often before it is split (or given up). */
export const MAX_STALLS = 5
/** Most deliveries that are stored as one job. */
export const MAX_BATCH = 50
/**
 * So long after its expiry the store itself makes of a delivery what the worker would, unless it is handed out: a route that is not configured any more,
 * or blocked, is handed nothing. Longer than the clocks of two processes may differ.
 */
export const OVERDUE_MS = 60_000
/** A write that is not confirmed after this time is refused (503). */
export const STORE_TIMEOUT_MS = 900
