/** The main thread's end of the database: the operations of one turn of the event loop travel as one message and are one transaction. */
import { Worker } from 'node:worker_threads'
import { StoreRefusedError, StoreUnavailableError } from '../../core/errors.ts'
import { Throttle } from '../../core/throttle.ts'
import { withTimeLimit } from '../../core/time-limit.ts'
import { STORE_TIMEOUT_MS, WARNING_INTERVAL_MS } from '../contract.ts'
import {
  type Answer,
  type DatabaseSettings,
  type FromThread,
  type Input,
  type OperationName,
  type Output,
  type Request,
  type ToThread,
} from './operations.ts'

class DatabaseThreadEndedError extends Error {
  override readonly name = 'DatabaseThreadEndedError'
}

/** These succeed only if deliveries can be stored. Others, which read or remove, may work on a full disk. */
const PROVE_WRITABLE: ReadonlySet<OperationName> = new Set(['add', 'maintain'])

const YOUNG_GENERATION_MB = 6
/** So many messages are under way at most, so that a disk that stands still does not fill the memory. */
const MOST_POSTED = 8
/** How long what is not urgent waits for something that is. */
const PATIENCE_MS = 5

interface Call {
  readonly name: OperationName
  /** Called when the turn is over. */
  readonly createRequest: () => Request
  /** Rejected when it is not answered within STORE_TIMEOUT_MS. The others wait as long as it takes. */
  readonly hasTimeLimit: boolean
  readonly resolve: (output: unknown) => void
  readonly reject: (error: StoreUnavailableError) => void
}

/** What is asked in one turn of the event loop. */
interface Turn {
  calls: Call[]
  /** One for each call, once the turn is over. */
  requests: Request[]
  readonly answered: PromiseWithResolvers<void>
}

export class DatabaseThread {
  readonly #worker: Worker
  readonly #exited: Promise<void>
  readonly #onFailing: (reason: string) => void
  #collecting: Turn | undefined
  /** The turn ends with this turn of the event loop. */
  #isEnding = false
  /** When it ends otherwise. */
  #patience: NodeJS.Timeout | undefined
  #waiting: Turn[] = []
  /** Messages under way, with the turns in them. The thread does together what lies there, so a slow disk leads to larger commits and not to more of them. */
  readonly #posted: Turn[][] = []
  /** A disk at its limit fails and works by turns. */
  readonly #warnings = new Throttle(WARNING_INTERVAL_MS, () => performance.now())
  #isWritable = true
  #trouble: string | undefined
  #isClosing = false
  #isOver = false

  /** Rejects with StoreRefusedError. `onFailing` is told when the store stops working, but not more than once a minute. */
  static async open(settings: DatabaseSettings, onFailing: (reason: string) => void): Promise<DatabaseThread> {
    const worker = new Worker(new URL('./database.ts', import.meta.url), {
      name: 'hushgate-sqlite',
      workerData: settings,
      execArgv: [],
      // It holds one message at a time. Left to itself its young generation would grow to a hundred times of that.
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
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
        this.#onExit()
      })
    })
    worker.on('message', (message: FromThread) => this.#onAnswer(message))
    // An exit follows; the error itself may quote what was being stored.
    worker.on('error', () => {})
  }

  /** False after a failure, or a late answer, until deliveries can be stored again. */
  get isWritable(): boolean {
    return this.#isWritable
  }

  /** Why it failed last. */
  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Waits however long the disk takes. Rejects with StoreUnavailableError when the transaction failed. */
  run<Asked extends Request>(request: Asked): Promise<Output<Asked['name']>> {
    return this.#call<Asked['name']>(request.name, () => request, false)
  }

  /** Rejects with StoreUnavailableError also when there is no answer within STORE_TIMEOUT_MS; the operation may still be done later. */
  runWithTimeLimit<Asked extends Request>(request: Asked): Promise<Output<Asked['name']>> {
    return this.#call<Asked['name']>(request.name, () => request, true)
  }

  /**
   * One request for all that comes in this turn of the event loop: `input` is called when the turn is over. `isUrgent`: false for what may wait some
   * milliseconds for others, and share their commit.
   */
  collect<Name extends OperationName>(
    name: Name,
    input: () => Input<Name>,
    { hasTimeLimit, isUrgent }: Pick<Call, 'hasTimeLimit'> & { readonly isUrgent: boolean },
  ): Promise<Output<Name>> {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the name and its own input
    return this.#call(name, () => ({ name, input: input() }) as Request, hasTimeLimit, isUrgent)
  }

  #call<Name extends OperationName>(
    name: Name,
    createRequest: () => Request,
    hasTimeLimit: boolean,
    isUrgent = true,
  ): Promise<Output<Name>> {
    if (this.#isClosing || this.#isOver) return Promise.reject(new StoreUnavailableError('the store is closed'))
    const { promise, resolve, reject } = Promise.withResolvers<Output<Name>>()
    this.#collecting ??= { calls: [], requests: [], answered: Promise.withResolvers() }
    if (isUrgent) this.#endTurnSoon()
    else this.#patience ??= setTimeout(() => this.#endTurn(), PATIENCE_MS)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- database.ts answers each request as `Operations` says
    this.#collecting.calls.push({ name, createRequest, hasTimeLimit, resolve: resolve as Call['resolve'], reject })
    return promise
  }

  /** What was asked for in this turn of the event loop goes now, so that it is done while the turn goes on. */
  endTurn(): void {
    this.#endTurn()
  }

  #endTurnSoon(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    setImmediate(() => this.#endTurn())
  }

  #endTurn(): void {
    const turn = this.#collecting
    this.#collecting = undefined
    this.#isEnding = false
    clearTimeout(this.#patience)
    this.#patience = undefined
    if (turn === undefined || this.#isOver) return
    turn.requests = turn.calls.map(({ createRequest }) => createRequest())
    if (turn.calls.some(({ hasTimeLimit }) => hasTimeLimit))
      withTimeLimit(STORE_TIMEOUT_MS, turn.answered.promise, createLateError).catch((error: StoreUnavailableError) =>
        this.#onTimeLimit(turn, error),
      )
    this.#waiting.push(turn)
    this.#post()
  }

  #post(): void {
    if (this.#posted.length === MOST_POSTED || this.#waiting.length === 0) return
    const turns = this.#waiting
    this.#waiting = []
    this.#posted.push(turns)
    this.#send(turns.flatMap(({ requests }) => requests))
    // They are on the other side now, and are not kept here until they are answered.
    for (const turn of turns) turn.requests = []
  }

  #send(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message)
  }

  #onTimeLimit(turn: Turn, error: StoreUnavailableError): void {
    for (const call of turn.calls) if (call.hasTimeLimit) call.reject(error)
    // What is not under way yet is not sent any more, so that a disk that stands still does not fill the memory.
    if (this.#waiting.includes(turn)) {
      turn.requests = turn.requests.filter((_, index) => turn.calls[index]?.hasTimeLimit === false)
      turn.calls = turn.calls.filter(({ hasTimeLimit }) => !hasTimeLimit)
    }
    this.#onFailure(error.message)
  }

  #onAnswer(message: FromThread): void {
    const turns = message.kind === 'answers' ? this.#posted.splice(0, message.messages).flat() : []
    for (const turn of turns) turn.answered.resolve()
    if (message.kind === 'answers')
      for (const [index, call] of turns.flatMap(({ calls }) => calls).entries())
        this.#answer(call, message.answers[index])
    if (this.#waiting.length > 0) this.#post()
    else if (this.#isClosing && this.#posted.length === 0) this.#send('close')
  }

  #answer({ name, resolve, reject }: Call, answer: Answer | undefined): void {
    if (answer !== undefined && 'output' in answer) {
      if (PROVE_WRITABLE.has(name)) this.#isWritable = true
      resolve(answer.output)
    } else {
      const failure = new StoreUnavailableError(`the store failed: ${answer?.failure ?? 'no answer'}`)
      this.#onFailure(failure.message, answer?.failure)
      reject(failure)
    }
  }

  #onFailure(reason: string, trouble = reason): void {
    this.#isWritable = false
    this.#trouble = trouble
    if (this.#warnings.allows()) this.#onFailing(reason)
  }

  /** The thread is gone: nothing will be answered any more. */
  #onExit(): void {
    this.#isOver = true
    const over = new StoreUnavailableError('the store is closed')
    for (const turn of [...this.#posted.flat(), ...this.#waiting, ...(this.#collecting ? [this.#collecting] : [])]) {
      turn.answered.resolve()
      for (const call of turn.calls) call.reject(over)
    }
    if (this.#isClosing) return
    this.#isWritable = false
    // Nobody catches it: only a new process can store anything again, and whoever runs this one starts it.
    throw new DatabaseThreadEndedError()
  }

  /** What was asked before is still done. */
  async close(): Promise<void> {
    if (!this.#isClosing) {
      this.#isClosing = true
      this.#endTurn()
      if (this.#posted.length === 0) this.#send('close')
    }
    await this.#exited
  }
}

function createLateError(): StoreUnavailableError {
  return new StoreUnavailableError(`the store did not answer within ${STORE_TIMEOUT_MS} ms`)
}
