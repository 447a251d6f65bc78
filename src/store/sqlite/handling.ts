/** What becomes of a delivery that is handed out: asks the handler, and makes its disposition durable, however long the store takes. */
import { setTimeout as sleep } from 'node:timers/promises'
import { HANDLER_FAILURE_DELAY_MS, type Disposition, type HandedOut, type Handler, type Note } from '../contract.ts'
import type { DatabaseThread } from './database-thread.ts'
import type { RowDisposition } from './operations.ts'

/** After a failure of the store, until it is asked again. */
const PAUSE_MS = 1000

export interface HandlingOptions {
  readonly handler: Handler
  readonly thread: DatabaseThread
  readonly nowMs: () => number
  /** Resolves when the row is removed. */
  readonly acknowledge: (order: number, note: Note | undefined) => Promise<void>
  /** A handler rejected, or returned no disposition: a bug. */
  readonly onHandlerFailure: () => void
}

export class Handling {
  readonly #options: HandlingOptions
  readonly #abort = new AbortController()

  constructor(options: HandlingOptions) {
    this.#options = options
  }

  get isAborted(): boolean {
    return this.#abort.signal.aborted
  }

  /** Aborts what is under way. What is not durable then stays in the database as it was. */
  abort(): void {
    this.#abort.abort()
  }

  async decide(handedOut: HandedOut): Promise<Disposition> {
    try {
      return await this.#options.handler(handedOut, this.#abort.signal)
    } catch {
      this.#options.onHandlerFailure()
      return { kind: 'requeue', atMs: this.#options.nowMs() + HANDLER_FAILURE_DELAY_MS }
    }
  }

  /** Resolves when it is durable, or when all was aborted. */
  async store(row: RowDisposition): Promise<void> {
    if (row.disposition.kind === 'hold') return
    const { thread, acknowledge } = this.#options
    const { signal } = this.#abort
    while (!signal.aborted) {
      try {
        if (row.disposition.kind === 'acknowledge') return await acknowledge(row.order, row.disposition.note)
        return await thread.run({ name: 'applyDisposition', input: row })
      } catch {
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => {})
      }
    }
  }
}
