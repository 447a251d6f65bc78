/** What travels between the main thread and the thread that sends: plain data. Secrets are plain only on this way. */
import type { Message } from '../core/message.ts'
import type { Outcome } from '../core/outcome.ts'
import type { WireCounts } from '../core/wire.ts'
import type { SendingRoute } from './senders.ts'

export interface PlainProxy {
  readonly host: string
  readonly port: number
  readonly credentials: string | undefined
  readonly noProxy: string | undefined
}

/** One attempt. Its `id` comes back with the outcome. */
export interface SendRequest {
  readonly id: number
  readonly sender: number
  /** Of the signal that cuts it off, among those of its sender. */
  readonly signal: number
  readonly message: Message
  readonly target: string
  readonly isStatusWanted?: true
}

export type ToThread =
  /** Answered with `opened` or `refused`. */
  | {
      readonly kind: 'open'
      readonly sender: number
      readonly route: SendingRoute
      readonly proxy: PlainProxy | undefined
    }
  /** What was sent in one turn of the event loop. Each is answered in one of `outcomes`. */
  | { readonly kind: 'send'; readonly requests: readonly SendRequest[] }
  | { readonly kind: 'abort'; readonly sender: number; readonly signal: number }
  /** Answered with `closed`, when what is in flight is over. */
  | { readonly kind: 'close'; readonly sender: number }
  /** Answered with `wire`. */
  | { readonly kind: 'wire' }

/** `status`: of the last answer, where `isStatusWanted`. `failure`: a bug, by the name of its error. */
export type SendAnswer = { readonly id: number } & (
  | { readonly outcome: Outcome; readonly status?: number | undefined }
  | { readonly failure: string }
)

export type FromThread =
  | { readonly kind: 'opened'; readonly sender: number; readonly credentialExpiresAtMs: number | undefined }
  | { readonly kind: 'refused'; readonly sender: number; readonly reason: string }
  | { readonly kind: 'outcomes'; readonly answers: readonly SendAnswer[] }
  | { readonly kind: 'closed'; readonly sender: number }
  | { readonly kind: 'wire'; readonly counts: readonly WireCounts[] }
  | { readonly kind: 'warning'; readonly app: string; readonly message: string }

/** Where one turn brings hundreds, the other thread need not wait for its end. */
const ENOUGH_FOR_MESSAGE = 16

/** Collects what is to travel, and gives away together what came in one turn of the event loop. */
export class Turn<T> {
  readonly #give: (items: readonly T[]) => void
  #items: T[] = []

  constructor(give: (items: readonly T[]) => void) {
    this.#give = give
  }

  add(item: T): void {
    if (this.#items.length === 0) setImmediate(() => this.end())
    this.#items.push(item)
    if (this.#items.length >= ENOUGH_FOR_MESSAGE) this.end()
  }

  /** Now, so that what is given away after it comes after it. */
  end(): void {
    const items = this.#items
    if (items.length === 0) return
    this.#items = []
    this.#give(items)
  }
}
