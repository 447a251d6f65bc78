/**
 * A store that was away when its gateway started, so that nobody could ask whether what is in it is being moved (store-move.ts). Until it has answered, nothing of it is
 * handed out and nothing is stored: else what a move brings would be sent, and brought once more.
 */
import { StoreUnavailableError } from '../core/errors.ts'
import type { Consumer, DeliveryQueue, GateState, Memory, Store, StoreHealth } from '../store/contract.ts'
import { objectionToUse } from './store-move.ts'

/** While it is away. It costs nothing then. */
const ASK_AGAIN_MS = 200
/** While it has an objection, which ends when the move is finished. */
const LOOK_AGAIN_MS = 2000

export class AwaitedStore implements Store {
  readonly queue: DeliveryQueue
  /** As it is: nothing that is remembered sends anything. */
  readonly memory: Memory
  readonly #store: Store
  readonly #onObjection: (objection: string) => void
  readonly #opened = Promise.withResolvers<void>()
  #reason: string | undefined = 'it has not answered since the start'
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  /** `onObjection`: told once why it must not be used. */
  constructor(store: Store, onObjection: (objection: string) => void) {
    this.#store = store
    this.#onObjection = onObjection
    this.memory = store.memory
    this.queue = this.#guard(store.queue)
    this.#askAfter(ASK_AGAIN_MS)
  }

  health(): StoreHealth {
    const health = this.#store.health()
    if (this.#reason === undefined) return health
    return { ...health, writable: false, trouble: health.trouble ?? this.#reason }
  }

  close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    return this.#store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #guard(queue: DeliveryQueue): DeliveryQueue {
    const ifOpen = async <T>(action: () => Promise<T>): Promise<T> => {
      if (this.#reason !== undefined) throw new StoreUnavailableError(this.#reason)
      return action()
    }
    return {
      add: (deliveries) => ifOpen(() => queue.add(deliveries)),
      accept: (deliveries) => ifOpen(() => queue.accept(deliveries)),
      consume: (...args) => this.#consume(() => queue.consume(...args)),
      depth: (route) => queue.depth(route),
      listDead: (...args) => queue.listDead(...args),
      retryDead: (...args) => ifOpen(() => queue.retryDead(...args)),
      dropDead: (filter) => ifOpen(() => queue.dropDead(filter)),
      forget: (...args) => ifOpen(() => queue.forget(...args)),
      search: (...args) => queue.search(...args),
    }
  }

  /** Begins when the store is open. */
  #consume(begin: () => Consumer): Consumer {
    let consumer: Consumer | undefined
    let gate: GateState | undefined
    let isStopped = false
    const beginWhenOpen = async (): Promise<void> => {
      await this.#opened.promise
      if (isStopped) return
      consumer = begin()
      if (gate !== undefined) consumer.setGate(gate)
    }
    void beginWhenOpen()
    return {
      setGate(state) {
        gate = state
        consumer?.setGate(state)
      },
      release: (group) => consumer?.release(group),
      async stop(graceMs) {
        isStopped = true
        await consumer?.stop(graceMs)
      },
    }
  }

  #askAfter(delayMs: number): void {
    if (!this.#isClosed) this.#timer = setTimeout(() => void this.#ask(), delayMs).unref()
  }

  async #ask(): Promise<void> {
    try {
      const objection = await objectionToUse(this.#store.memory)
      if (objection !== undefined && objection !== this.#reason) this.#onObjection(objection)
      this.#reason = objection
    } catch {
      return this.#askAfter(ASK_AGAIN_MS)
    }
    if (this.#reason === undefined) this.#opened.resolve()
    else this.#askAfter(LOOK_AGAIN_MS)
  }
}
