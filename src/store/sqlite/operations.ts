/**
 * What the main thread may ask of the database's thread. Everything that crosses is sealed, a hash, a number or a configured name; but for what is new, which
 * is sealed on the other side, as the main thread has more to do.
 */
import type { Priority } from '../../core/delivery.ts'
import type { DeadLetter, DeadLetterFilter, Disposition, Revival } from '../contract.ts'
import type { SealingKey } from '../../core/keyring.ts'
import type { NewRows } from './new-rows.ts'

/** A priority is stored as its index here. */
export const PRIORITIES: readonly Priority[] = ['call', 'event', 'counts']

/** A stored delivery that may be handed out. */
export interface DueRow {
  readonly order: number
  readonly priority: Priority
  /** Attempts made so far. */
  readonly attempts: number
  readonly acceptedAtMs: number
  readonly expiresAtMs: number
  readonly sealed: Uint8Array
}

/** The disposition of a stored delivery. */
export interface RowDisposition extends AtTime {
  readonly order: number
  /** Of the dead letter, if it becomes one. */
  readonly id: string
  /** Attempts made, with the last. */
  readonly attempts: number
  readonly disposition: Disposition
}

export interface StoredDepth {
  readonly waiting: number
  readonly delayed: number
  readonly dead: number
  readonly oldestDueAtMs: number | undefined
  readonly oldestAcceptedAtMs: number | undefined
}

interface AtTime {
  readonly nowMs: number
}

interface OfRoute extends AtTime {
  readonly route: string
  /** Orders of the deliveries that are handed out: neither handed out twice nor counted as waiting. */
  readonly inFlight: readonly number[]
}

/** What it takes of stored rows to open them, in one piece: that crosses at less cost than a buffer for each. */
export interface SealedRows {
  readonly orders: readonly number[]
  readonly sealed: Uint8Array
  /** Where each ends there. */
  readonly ends: readonly number[]
}

export interface OverdueRow extends DueRow {
  readonly route: string
}

export interface SealedDeadLetter extends Omit<DeadLetter, 'deviceHash'> {
  readonly sealed: Uint8Array
}

/** The tables with sealed content. */
export type SealedTable = 'delivery' | 'dead_letter'

interface Entry extends AtTime {
  readonly key: string
  readonly lifetimeMs: number
}

export interface Operations {
  /** Of each its order; or, where it was not stored, which keys of `unless` have an entry, or null because the key that it requires has none. */
  readonly add: {
    readonly input: AtTime & { readonly rows: NewRows }
    readonly output: readonly (number | readonly string[] | null)[]
  }
  /** At most `limit` deliveries that are due, and the time when the next one will be; where there may be more that are due: when the next call will be. */
  readonly fetchDue: {
    readonly input: OfRoute & { readonly limit: number }
    readonly output: { readonly rows: readonly DueRow[]; readonly nextAtMs: number | undefined }
  }
  /** Removes what is delivered. `notes`: key and text by turns, in one flat list, which crosses at less cost than objects. */
  readonly acknowledge: {
    readonly input: {
      readonly orders: readonly number[]
      readonly notes: readonly string[]
      readonly notesExpireAtMs: number
    }
    readonly output: void
  }
  /** Makes what is delayed due. */
  readonly release: { readonly input: AtTime & { readonly orders: readonly number[] }; readonly output: void }
  readonly applyDisposition: { readonly input: RowDisposition; readonly output: void }
  readonly depth: { readonly input: OfRoute; readonly output: StoredDepth }
  readonly listDead: {
    readonly input: AtTime & {
      readonly filter: DeadLetterFilter
      readonly limit: number
      readonly isSealedWanted: boolean
    }
    readonly output: readonly SealedDeadLetter[]
  }
  readonly retryDead: {
    readonly input: AtTime & { readonly filter: DeadLetterFilter; readonly revival: Revival }
    readonly output: number
  }
  readonly dropDead: {
    readonly input: AtTime & { readonly filter: DeadLetterFilter }
    readonly output: number
  }
  /**
   * The rows of a route among the next `limit` rows of a table, which may be of any route: so no page takes long. `last` is the order of the last row of the
   * page; undefined at the end.
   */
  readonly readPage: {
    readonly input: {
      readonly table: SealedTable
      readonly route: string
      readonly after: number
      readonly limit: number
    }
    readonly output: SealedRows & { readonly last: number | undefined }
  }
  /**
   * The beginnings of the next `limit` rows of a route, `bytes` of each, by its index, and so without what other routes have. A row that is moved meanwhile may come
   * twice, or not at all. `after`, and `last`: a place in the index; an empty one before the first page, none at the end.
   */
  readonly readStarts: {
    readonly input: {
      readonly table: SealedTable
      readonly route: string
      readonly after: readonly number[]
      readonly limit: number
      readonly bytes: number
    }
    readonly output: SealedRows & { readonly last: readonly number[] | undefined }
  }
  /** Of these, those that are still there. */
  readonly readRows: {
    readonly input: { readonly table: SealedTable; readonly orders: readonly number[] }
    readonly output: SealedRows
  }
  readonly removeRows: {
    readonly input: { readonly table: SealedTable; readonly orders: readonly number[] }
    readonly output: void
  }
  /** Deliveries that expired before this time and are not in flight, the oldest first. */
  readonly fetchOverdue: {
    readonly input: { readonly beforeMs: number; readonly inFlight: readonly number[]; readonly limit: number }
    readonly output: readonly OverdueRow[]
  }
  readonly get: { readonly input: AtTime & { readonly key: string }; readonly output: string | undefined }
  readonly set: { readonly input: Entry & { readonly value: string }; readonly output: void }
  readonly setMany: {
    readonly input: AtTime & { readonly keys: readonly string[]; readonly value: string; readonly lifetimeMs: number }
    readonly output: void
  }
  /** The value that is stored afterwards. */
  readonly setIfAbsent: { readonly input: Entry & { readonly value: string }; readonly output: string }
  readonly raise: { readonly input: Entry & { readonly value: number }; readonly output: void }
  readonly delete: { readonly input: { readonly key: string }; readonly output: void }
  readonly keys: { readonly input: AtTime & { readonly prefix: string }; readonly output: readonly string[] }
  /** One small step of removing what is past its lifetime. `probe`: fails unless a delivery could be stored. */
  readonly maintain: {
    readonly input: AtTime & { readonly probe: boolean }
    /** `fill`: how much of its room is in use, from 0 to 1. */
    readonly output: { readonly isMoreToDo: boolean; readonly fill: number }
  }
}

export type OperationName = keyof Operations
export type Input<Name extends OperationName> = Operations[Name]['input']
export type Output<Name extends OperationName> = Operations[Name]['output']

export type Request<Name extends OperationName = OperationName> = {
  [Each in Name]: { readonly name: Each; readonly input: Input<Each> }
}[Name]

/** To the thread: one transaction, or the end. */
export type ToThread = readonly Request[] | 'close'

/** The output of a request that is durable, or why nothing of it was stored. */
export type Answer = { readonly output: unknown } | { readonly failure: string }

/** From the thread: first `opened` or `refused`, then the answers to the messages. */
export type FromThread =
  | { readonly kind: 'opened' }
  /** `reason`: a sentence for the operator. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** `messages`: how many messages they answer, in order. */
  | { readonly kind: 'answers'; readonly messages: number; readonly answers: readonly Answer[] }

export interface DatabaseSettings {
  readonly path: string
  readonly synchronous: 'FULL' | 'NORMAL'
  readonly sealingKey: SealingKey
  readonly maxBytes: number | undefined
  /** So often the log is emptied into the database and cut off, so that what was deleted is gone from the disk, and the file shrinks. */
  readonly emptyLogEveryMs: number
}
