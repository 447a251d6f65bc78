/** The main thread's end of the database: everything asked in one turn of the event loop travels as one message and is one transaction. */
import { Worker } from 'node:worker_threads'
import { StoreRefusedError, StoreUnavailableError } from '../../core/errors.ts'
import { STORE_TIMEOUT_MS } from '../contract.ts'
import {
  type Answer,
  type DatabaseSettings,
  type FromThread,
  type OperationName,
  type Output,
  type Request,
  type ToThread,
} from './operations.ts'

class DatabaseThreadEndedError extends Error {
  override readonly name = 'DatabaseThreadEndedError'
}

/** What succeeds only if deliveries can be stored (reading and removing may work on a full disk). */
const PROOFS: ReadonlySet<OperationName> = new Set(['add', 'maintain'])
/** A disk at its limit fails and works in turns. */
const TELL_EVERY_MS = 60_000

interface Call {
  readonly request: Request
  /** Refused when it is not answered in time; others wait as long as it takes. */
  readonly isUrgent: boolean
  readonly resolve: (output: unknown) => void
  readonly reject: (error: StoreUnavailableError) => void
}

interface Turn {
  calls: Call[]
  timer?: NodeJS.Timeout | undefined
}

export class DatabaseThread {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #onFailing: (reason: string) => void
  #collecting: Turn | undefined
  #waiting: Turn[] = []
  /** At most one message is under way; what comes meanwhile shares the next commit, so a slow disk makes commits greater and not a backlog of them. */
  #posted: Turn[] | undefined
  #isWritable = true
  #toldAtMs = -Infinity
  #isClosing = false
  #isOver = false

  /** Rejects with StoreRefusedError. `onFailing` is told when the store stops working, at most once a minute. */
  static async open(settings: DatabaseSettings, onFailing: (reason: string) => void): Promise<DatabaseThread> {
    const worker = new Worker(new URL('./database.ts', import.meta.url), {
      name: 'hushgate-sqlite',
      workerData: settings,
      execArgv: [],
    })
    const first = await new Promise<FromThread>((resolve, reject) => {
      worker.once('message', resolve).once('error', reject)
    })
    if (first.kind === 'refused') throw new StoreRefusedError(first.reason)
    return new DatabaseThread(worker, onFailing)
  }

  private constructor(worker: Worker, onFailing: (reason: string) => void) {
    this.#worker = worker
    this.#onFailing = onFailing
    this.#exited = new Promise((resolve) => {
      worker.once('exit', () => {
        resolve()
        this.#end()
      })
    })
    worker.on('message', (message: FromThread) => this.#onAnswer(message))
    // An exit follows; the error itself may quote what was being stored.
    worker.on('error', () => {})
  }

  /** False from a failure, or an answer that is late, until deliveries can be stored again. */
  get isWritable(): boolean {
    return this.#isWritable
  }

  /** Rejects with StoreUnavailableError when the transaction failed, or was not answered within STORE_TIMEOUT_MS; then it may still be kept. */
  ask<Asked extends Request>(request: Asked): Promise<Output<Asked['name']>> {
    return this.#call(request, true)
  }

  /** Like `ask`, but waits however long the disk takes. */
  askPatiently<Asked extends Request>(request: Asked): Promise<Output<Asked['name']>> {
    return this.#call(request, false)
  }

  #call<Asked extends Request>(request: Asked, isUrgent: boolean): Promise<Output<Asked['name']>> {
    if (this.#isClosing || this.#isOver) return Promise.reject(new StoreUnavailableError('the store is closed'))
    const { promise, resolve, reject } = Promise.withResolvers<Output<Asked['name']>>()
    if (this.#collecting === undefined) {
      this.#collecting = { calls: [] }
      setImmediate(() => this.#endTurn())
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- database.ts answers each request as `Operations` says
    this.#collecting.calls.push({ request, isUrgent, resolve: resolve as Call['resolve'], reject })
    return promise
  }

  #endTurn(): void {
    const turn = this.#collecting
    this.#collecting = undefined
    if (turn === undefined || this.#isOver) return
    if (turn.calls.some(({ isUrgent }) => isUrgent))
      turn.timer = setTimeout(() => this.#onTimeout(turn), STORE_TIMEOUT_MS)
    this.#waiting.push(turn)
    this.#post()
  }

  #post(): void {
    if (this.#posted !== undefined || this.#waiting.length === 0) return
    this.#posted = this.#waiting
    this.#waiting = []
    this.#send(this.#posted.flatMap(({ calls }) => calls.map(({ request }) => request)))
  }

  #send(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message)
  }

  #onTimeout(turn: Turn): void {
    const late = new StoreUnavailableError(`the store did not answer within ${STORE_TIMEOUT_MS} ms`)
    for (const call of turn.calls) if (call.isUrgent) call.reject(late)
    // What is not under way yet is not sent any more, so that a disk that stands still does not fill the memory.
    if (this.#waiting.includes(turn)) turn.calls = turn.calls.filter(({ isUrgent }) => !isUrgent)
    this.#fail(late.message)
  }

  #onAnswer(message: FromThread): void {
    const calls = (this.#posted ?? []).flatMap((turn) => {
      clearTimeout(turn.timer)
      return turn.calls
    })
    this.#posted = undefined
    if (message.kind === 'answers')
      for (const [index, call] of calls.entries()) this.#settle(call, message.answers[index])
    if (this.#waiting.length > 0) this.#post()
    else if (this.#isClosing) this.#send('close')
  }

  #settle({ request, resolve, reject }: Call, answer: Answer | undefined): void {
    if (answer !== undefined && 'output' in answer) {
      if (PROOFS.has(request.name)) this.#isWritable = true
      resolve(answer.output)
    } else {
      const failure = new StoreUnavailableError(`the store failed: ${answer?.failure ?? 'no answer'}`)
      this.#fail(failure.message)
      reject(failure)
    }
  }

  #fail(reason: string): void {
    this.#isWritable = false
    if (performance.now() - this.#toldAtMs < TELL_EVERY_MS) return
    this.#toldAtMs = performance.now()
    this.#onFailing(reason)
  }

  /** The thread is gone: nothing will be answered any more. */
  #end(): void {
    this.#isOver = true
    const over = new StoreUnavailableError('the store is closed')
    for (const turn of [...(this.#posted ?? []), ...this.#waiting, ...(this.#collecting ? [this.#collecting] : [])]) {
      clearTimeout(turn.timer)
      for (const call of turn.calls) call.reject(over)
    }
    if (this.#isClosing) return
    this.#isWritable = false
    // For nobody to catch: only a new process can store anything again, and whoever runs this one starts it.
    throw new DatabaseThreadEndedError()
  }

  /** What was asked before is still done. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#endTurn()
      if (this.#posted === undefined) this.#send('close')
    }
    await this.#exited
  }
}
