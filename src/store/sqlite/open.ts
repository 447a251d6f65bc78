/** The SQLite store: opens it, keeps it in order, closes it. One process has the file at a time. */
import { resolve } from 'node:path'
import type { Store, StoreHealth, StoreParts } from '../contract.ts'
import { DatabaseThread } from './database-thread.ts'
import { SqliteMemory } from './memory.ts'
import { SqliteQueue } from './queue.ts'

export interface SqliteStoreOptions extends StoreParts {
  /** Created when it does not exist, with its folder. */
  readonly path: string
  /** `FULL` (default): what is accepted survives a power cut. `NORMAL`: it survives a crash of Hushgate only. */
  readonly synchronous?: 'FULL' | 'NORMAL' | undefined
  /** The file does not grow beyond this; deliveries are then refused. */
  readonly maxBytes?: number | undefined
  /** So long what is deleted stays in SQLite's log at most; default: a minute. */
  readonly emptyLogEveryMs?: number | undefined
}

/** Also how soon it is noticed that deliveries can be stored again. */
const MAINTAIN_EVERY_MS = 1000
/** While there is more to remove: a step is small, but in a busy store thousands of entries expire every second. */
const MAINTAIN_SOON_MS = 50
const EMPTY_LOG_EVERY_MS = 60_000

/** Rejects with StoreRefusedError when the operator has to do something first. */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  const { nowMs, synchronous = 'FULL', maxBytes, emptyLogEveryMs = EMPTY_LOG_EVERY_MS, onError } = options
  const { sealingKey } = options.keyring
  const settings = { path: resolve(options.path), synchronous, sealingKey, maxBytes, emptyLogEveryMs }
  const thread = await DatabaseThread.open(settings, onError)
  return new SqliteStore(thread, new SqliteQueue(thread, options), nowMs, synchronous)
}

class SqliteStore implements Store {
  readonly queue: SqliteQueue
  readonly memory: SqliteMemory
  readonly #thread: DatabaseThread
  readonly #nowMs: () => number
  readonly #dangers: readonly string[]
  #timer: NodeJS.Timeout | undefined
  #fill = 0

  constructor(thread: DatabaseThread, queue: SqliteQueue, nowMs: () => number, synchronous: 'FULL' | 'NORMAL') {
    this.#thread = thread
    this.#nowMs = nowMs
    this.queue = queue
    this.memory = new SqliteMemory(thread, nowMs)
    this.#dangers =
      synchronous === 'FULL' ? [] : ['SQLite runs with synchronous NORMAL: a power cut can lose the last deliveries']
    this.#maintainAfter(MAINTAIN_EVERY_MS)
  }

  health(): StoreHealth {
    const { isWritable: writable, trouble } = this.#thread
    return { writable, trouble: writable ? undefined : trouble, dangers: this.#dangers, fit: true, fill: this.#fill }
  }

  #maintainAfter(delayMs: number): void {
    this.#timer = setTimeout(() => void this.#maintain(), delayMs).unref()
  }

  async #maintain(): Promise<void> {
    this.memory.purgeSets()
    const input = { nowMs: this.#nowMs(), probe: !this.#thread.isWritable }
    const steps = await Promise.all([
      this.#thread.run({ name: 'maintain', input }).then(({ isMoreToDo, fill }) => {
        this.#fill = fill
        return isMoreToDo
      }),
      this.queue.sweep(),
    ]).catch(() => [false])
    const isMoreToDo = steps.includes(true)
    if (this.#timer === undefined) return
    this.#maintainAfter(isMoreToDo ? MAINTAIN_SOON_MS : MAINTAIN_EVERY_MS)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    await this.queue.stop()
    await this.#thread.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
