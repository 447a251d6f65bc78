/**
 * The two things that a store does: it hands out deliveries, and it remembers keyed facts for a time. The contract is small, so that SQLite and Redis can do
 * both alike. Decisions (retry, delay, dead letter, pause) are made in src/delivery, once for both stores.
 */
import type { Delivery } from '../core/delivery.ts'
import type { Keyring } from '../core/keyring.ts'

/** What every store is opened with. */
export interface StoreParts {
  readonly keyring: Keyring
  readonly nowMs: () => number
  /** Told now and then what time it is at the store (epoch, ms), where several processes share it. `nowMs` may go by it. */
  readonly onTime?: ((timeMs: number) => void) | undefined
  /** Told of what an operator should see; the message is a sentence and carries no data. */
  readonly onError: (message: string) => void
}

/** A delivery that is handed out to be sent. */
export interface HandedOut {
  readonly delivery: Delivery
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Grows in the order in which a route's deliveries were stored. */
  readonly order: number
  /** It comes from memory, right after it was stored: its event is claimed, and the memory need not be asked. Absent: it comes from the store. */
  readonly fresh?: Fresh | undefined
}

export interface Fresh {
  /** The order of the last delivery with the same `latestKey`; undefined without such a key. */
  readonly latestOrder: number | undefined
}

/** A delivery that is to be stored, with what the memory has to say about it and what is remembered with it. */
export interface NewDelivery {
  readonly delivery: Delivery
  /** Keys of the memory: if one of them has an entry, nothing is stored. */
  readonly unless: readonly string[]
  /** A key of the memory: if it has no entry, nothing is stored. */
  readonly requires?: string | undefined
  /** One of `unless`, which gets the delivery's id. */
  readonly claims: string | undefined
  /** Keys of the memory that are raised to the delivery's order. */
  readonly raises: readonly string[]
  /** Of what is remembered. */
  readonly lifetimeMs: number
}

/** It is durable; or which keys of `unless` have an entry; or the key that it requires has none. */
export type Accepted = { readonly order: number } | { readonly found: readonly string[] } | { readonly isRefused: true }

/** A fact that the memory gets, sealed, in the same commit as a disposition. */
export interface Note {
  readonly key: string
  /** ASCII, at most NOTE_BYTES (note.ts). */
  readonly text: string
  readonly expiresAtMs: number
}

/** What is written with a disposition. On a disk that is full it may be left out. */
interface Noted {
  readonly note?: Note | undefined
}

/** What the store is to do with a delivery that was handed out. */
export type Disposition =
  | ({ readonly kind: 'acknowledge' } & Noted)
  /** Hand it out again at this time, one attempt older. */
  | ({ readonly kind: 'requeue'; readonly atMs: number } & Noted)
  /** Nothing was attempted: keep it as it is until the route is handed out again. */
  | { readonly kind: 'hold' }
  /** Nothing was attempted: hand it out again at this time, or when its group is released. */
  | { readonly kind: 'park'; readonly atMs: number; readonly group: string }
  /** It was given up: keep it, sealed, for the operator. */
  | ({ readonly kind: 'dead-letter'; readonly reason: string } & Noted)

export function noteIn(disposition: Disposition): Note | undefined {
  return 'note' in disposition ? disposition.note : undefined
}

/**
 * Sends a delivery, and resolves with its disposition, which the store then makes durable. A handler must not reject. `signal` aborts when the store has lost
 * its lock on the delivery, or when the consumer stops for good; many deliveries share one.
 */
export type Handler = (handedOut: HandedOut, signal: AbortSignal) => Promise<Disposition>

/** What is handed out of a route: everything, nothing, or one delivery as a probe (and then nothing until the gate is set again). */
export type GateState = 'open' | 'closed' | 'one'

/** Hands out the deliveries of one route in this process. */
export interface Consumer {
  setGate(state: GateState): void
  /** Hands out what this process has parked for the group; by default, for any. */
  release(group?: string): void
  /** Stops handing out, and waits until the dispositions of what is in flight are durable. After `graceMs` the rest is released; nothing is lost. */
  stop(graceMs: number): Promise<void>
}

/** Counted over the whole store, for one route. */
export interface QueueDepth {
  readonly waiting: number
  readonly delayed: number
  readonly active: number
  readonly dead: number
  /**
   * Age in ms, from its acceptance, of the oldest delivery that should have left by now: it could be handed out, is in flight, or was attempted before; 0
   * when there is none. What is not due for the first time yet is not among them.
   */
  readonly oldestAgeMs: number
  /** For how many ms the delivery that could be handed out now has been due that has been so for longest; 0 when there is none. */
  readonly overdueMs: number
}

/** A delivery that was given up. Its content stays sealed. */
export interface DeadLetter {
  readonly id: string
  readonly route: string
  readonly reason: string
  readonly attempts: number
  readonly acceptedAtMs: number
  readonly diedAtMs: number
  /** Where it was asked for; undefined where it cannot be opened. */
  readonly deviceHash?: string | undefined
}

/** Until when dead letters that are put back are worth delivering. */
export interface Revival {
  readonly expiresAtMs: number
  /** A call gets no new time: it lasts so long from when it was accepted, and one that is over stays where it is. */
  readonly callMaxAgeMs: number
}

export interface DeadLetterFilter {
  readonly route?: string | undefined
  readonly id?: string | undefined
  readonly reason?: string | undefined
}

/** What was stored for a device and has been removed. */
export interface Removed {
  readonly deliveries: readonly Delivery[]
  readonly deadLetters: readonly Delivery[]
  /** How many of the route could not be opened. They stay, because nobody can say whose they are. */
  readonly unreadable: number
}

/** What is stored for devices; both can be in flight. */
export interface Held {
  readonly deliveries: readonly Delivery[]
  readonly deadLetters: readonly Delivery[]
  /** How many of the route could not be opened. Of those whose beginning names other devices nobody tried. */
  readonly unreadable: number
}

export interface DeliveryQueue {
  /**
   * Resolves when all are durable, with the order of each; rejects with StoreUnavailableError. Deliveries of one turn of the event loop are stored together.
   * A delivery whose time limit (STORE_TIMEOUT_MS) is over is refused, and may still be stored later.
   */
  add(deliveries: readonly Delivery[]): Promise<readonly number[]>
  /** The same, but for those about which the memory has something to say. Where a crash can come between, the delivery is stored before its claim. */
  accept(deliveries: readonly NewDelivery[]): Promise<readonly Accepted[]>
  /** A process has at most one consumer of a route. `concurrency`: deliveries in flight at once. */
  consume(route: string, concurrency: number, handler: Handler): Consumer
  depth(route: string): Promise<QueueDepth>
  /** `withDevices`: each is opened to see whose it is. */
  listDead(
    filter: DeadLetterFilter,
    limit: number,
    options?: { readonly withDevices: boolean },
  ): Promise<readonly DeadLetter[]>
  /** Puts them back as fresh deliveries that keep the time at which they were accepted; resolves with their number. */
  retryDead(filter: DeadLetterFilter, revival: Revival): Promise<number>
  dropDead(filter: DeadLetterFilter): Promise<number>
  /** Removes what is stored for a device; a delivery that is in flight may stay. On a big store it takes long, and delays nobody. */
  forget(route: string, deviceHash: string): Promise<Removed>
  /** What is stored for devices of the route whose hash begins so. Changes nothing. Reads how each begins, and opens few. */
  search(route: string, hashStart: string): Promise<Held>
}

/** What a fact is about: a device of a route (any delivery to it will do), or the route itself. A fact is asked for as it was stored: a store may keep each owner's apart. */
export interface Owner {
  readonly route: string
  readonly deviceHash?: string | undefined
}

export interface OwnedKey {
  readonly owner: Owner
  readonly key: string
}

/** Keyed facts with a lifetime. A key is a keyed hash or a configured name; a value holds no data of users. Operations of one turn travel together. */
export interface Memory {
  get(owner: Owner, key: string): Promise<string | undefined>
  set(owner: Owner, key: string, value: string, lifetimeMs: number): Promise<void>
  /** The same value for many, with little effort for each; nobody waits for it, so it shares a commit with what comes soon. */
  setMany(entries: readonly OwnedKey[], value: string, lifetimeMs: number): Promise<void>
  /** Resolves with the value that is stored afterwards: ours, or the one that was there first. */
  setIfAbsent(owner: Owner, key: string, value: string, lifetimeMs: number): Promise<string>
  /** Sets a number unless a greater one is there. */
  raise(owner: Owner, key: string, value: number, lifetimeMs: number): Promise<void>
  delete(owner: Owner, key: string): Promise<void>
  /** Keys of devices of the route that begin so, at most 1,000. A store may give those of other routes, too. For operators: it may read much. */
  keysOf(route: string, prefix: string): Promise<readonly string[]>
  /** Adds to a set whose members can only be counted. */
  addMembers(owner: Owner, set: string, members: readonly string[], lifetimeMs: number): Promise<void>
  /** How many distinct members the owner's sets have together; exact to about 1 %. */
  countMembers(owner: Owner, sets: readonly string[]): Promise<number>
}

/** What an operator should know about the store itself. */
export interface StoreHealth {
  /** New deliveries can be stored. */
  readonly writable: boolean
  /** Why they cannot, as far as it is known. */
  readonly trouble?: string | undefined
  /** Sentences about settings under which the store may lose deliveries (no persistence, eviction); empty when all is well. */
  readonly dangers: readonly string[]
  /** False when a danger is one that must take the process out of service. */
  readonly fit: boolean
  /** How much of its room is in use, from 0 to 1; 0 where that is not known. */
  readonly fill: number
}

export interface Store extends AsyncDisposable {
  readonly queue: DeliveryQueue
  readonly memory: Memory
  health(): StoreHealth
  close(): Promise<void>
}

/** How long a dead letter is kept, and how many of a route (docs/decisions.md#dead-letters). */
export const DEAD_LETTER_LIFETIME_MS = 7 * 24 * 3600_000
export const DEAD_LETTERS_PER_ROUTE = 10_000
/** A batch whose process died while it was in flight this often is split: one of its deliveries may be why. */
export const MAX_STALLS_OF_BATCH = 2
/**
 * A single delivery whose process died with it this often may be why. From then on it is handed out alone, and after pauses, so that what ends processes from outside
 * meets another each time.
 */
export const MAX_STALLS = 5
/** So often it may then still stall, alone, before it becomes a dead letter. */
export const MAX_STALLS_ALONE = 5
/** How long such a delivery is put aside at first; after each further stall, twice as long. */
export const FIRST_STALL_PAUSE_MS = 30_000
/** Most deliveries that are stored as one job. */
export const MAX_BATCH = 50
/**
 * So long after a delivery has expired, the store itself decides what becomes of it (expiry.ts), unless it is in flight: a route that is blocked, or is not
 * configured any more, is handed nothing. Longer than the clocks of two processes may differ.
 */
export const OVERDUE_MS = 60_000
/** A delivery whose handler failed, which is a bug, is handed out again after this time. */
export const HANDLER_FAILURE_DELAY_MS = 60_000
/** A write that is not confirmed after this time is refused (503). */
export const STORE_TIMEOUT_MS = 900
/** A warning about what goes on is repeated after this time. */
export const WARNING_INTERVAL_MS = 60_000
