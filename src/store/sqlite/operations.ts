/** What the main thread may ask of the database's thread. Everything that crosses is sealed, hashed, a number, or a configured name. */
import type { Priority } from '../../core/delivery.ts'
import type { DeadLetter, DeadLetterFilter } from '../contract.ts'

/** As they are stored: by their place here. */
export const PRIORITIES: readonly Priority[] = ['call', 'event', 'counts']

export interface NewRow {
  readonly route: string
  readonly priority: number
  readonly acceptedAtMs: number
  readonly dueAtMs: number
  readonly expiresAtMs: number
  readonly sealed: Uint8Array
}

export interface DueRow {
  readonly order: number
  /** Attempts made so far. */
  readonly attempts: number
  readonly acceptedAtMs: number
  readonly expiresAtMs: number
  readonly sealed: Uint8Array
}

/** What becomes of a delivery that was handed out. */
export type StoredDisposition =
  | { readonly kind: 'acknowledge'; readonly order: number }
  | { readonly kind: 'requeue'; readonly order: number; readonly atMs: number; readonly attempts: number }
  | {
      readonly kind: 'dead-letter'
      readonly order: number
      readonly id: string
      readonly reason: string
      readonly attempts: number
      readonly atMs: number
    }

export interface StoredDepth {
  readonly waiting: number
  readonly delayed: number
  readonly dead: number
  readonly oldestDueAtMs: number | undefined
}

interface AtTime {
  readonly nowMs: number
}

interface OfRoute extends AtTime {
  readonly route: string
  /** Orders of what is handed out: not to be handed out twice, nor counted as waiting. */
  readonly except: readonly number[]
}

/** A stored row of a route, as far as it takes to open it. */
export interface SealedRow {
  readonly order: number
  readonly sealed: Uint8Array
}

export interface OverdueRow extends DueRow {
  readonly route: string
}

/** The tables that hold what is sealed. */
export type SealedTable = 'delivery' | 'dead_letter'

interface Entry extends AtTime {
  readonly key: string
  readonly lifetimeMs: number
}

export interface Operations {
  /** The order of each. */
  readonly add: {
    readonly input: { readonly rows: readonly NewRow[] }
    readonly output: readonly number[]
  }
  /** At most `limit` that are due; when there are fewer, the time at which the next one will be. */
  readonly take: {
    readonly input: OfRoute & { readonly limit: number }
    readonly output: { readonly rows: readonly DueRow[]; readonly nextAtMs: number | undefined }
  }
  readonly settle: { readonly input: StoredDisposition; readonly output: void }
  readonly depth: { readonly input: OfRoute; readonly output: StoredDepth }
  readonly listDead: {
    readonly input: AtTime & { readonly filter: DeadLetterFilter; readonly limit: number }
    readonly output: readonly DeadLetter[]
  }
  readonly retryDead: {
    readonly input: AtTime & { readonly filter: DeadLetterFilter; readonly expiresAtMs: number }
    readonly output: number
  }
  readonly dropDead: {
    readonly input: AtTime & { readonly filter: DeadLetterFilter }
    readonly output: number
  }
  /** Those of a route among the next `limit` rows of a table, whosever they are: so no page takes long. `last` is undefined at the end. */
  readonly page: {
    readonly input: {
      readonly table: SealedTable
      readonly route: string
      readonly after: number
      readonly limit: number
    }
    readonly output: { readonly rows: readonly SealedRow[]; readonly last: number | undefined }
  }
  readonly remove: {
    readonly input: { readonly table: SealedTable; readonly orders: readonly number[] }
    readonly output: void
  }
  /** Deliveries that expired before this time and are not among `except`, the oldest first. */
  readonly overdue: {
    readonly input: { readonly beforeMs: number; readonly except: readonly number[]; readonly limit: number }
    readonly output: readonly OverdueRow[]
  }
  readonly get: { readonly input: AtTime & { readonly key: string }; readonly output: string | undefined }
  readonly set: { readonly input: Entry & { readonly value: string }; readonly output: void }
  /** The value that stands afterwards. */
  readonly setIfAbsent: { readonly input: Entry & { readonly value: string }; readonly output: string }
  readonly raise: { readonly input: Entry & { readonly value: number }; readonly output: void }
  readonly delete: { readonly input: { readonly key: string }; readonly output: void }
  /** One small step of clearing away what has had its time. `probe`: fails unless a delivery could be stored. */
  readonly maintain: {
    readonly input: AtTime & { readonly probe: boolean }
    readonly output: { readonly isMoreToDo: boolean }
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

/** What became of one request: its output, durable; or nothing of it was kept. */
export type Answer = { readonly output: unknown } | { readonly failure: string }

/** From the thread: first `opened` or `refused`, then the answers to each message. */
export type FromThread =
  | { readonly kind: 'opened' }
  /** `reason`: a sentence for the operator. */
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'answers'; readonly answers: readonly Answer[] }

export interface DatabaseSettings {
  readonly path: string
  readonly synchronous: 'FULL' | 'NORMAL'
  readonly maxBytes: number | undefined
}
