/** The main thread's end of the thread that sends. What is sent in one turn of the event loop travels as one message, and so do the outcomes. */
import { Worker } from 'node:worker_threads'
import type { Message } from '../core/message.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Answered, DeliverySender } from '../core/provider.ts'
import type { Secret } from '../core/secret.ts'
import type { WireCounts } from '../core/wire.ts'
import type { Proxy } from '../network/dial.ts'
import { Turn, type FromThread, type SendAnswer, type SendRequest, type ToThread } from './messages.ts'
import type { Senders, SendingRoute, Warn } from './senders.ts'

class SendingThreadEndedError extends Error {
  override readonly name = 'SendingThreadEndedError'
}

/** What 500 streams under way leave behind. With 24 a tenth of the thread goes less into moving them, but the process takes more than the 256 MB that we allow ourselves. */
const YOUNG_GENERATION_MB = 16

type Waiting<T> = Pick<PromiseWithResolvers<T>, 'resolve' | 'reject'>

export class ThreadSenders implements Senders {
  readonly #worker: Worker
  readonly #warn: Warn
  readonly #requests = new Turn<SendRequest>((requests) => this.#send({ kind: 'send', requests }))
  readonly #opening = new Map<number, Waiting<DeliverySender>>()
  readonly #sending = new Map<number, Waiting<Outcome> & { readonly answered: Answered | undefined }>()
  readonly #closing = new Map<number, () => void>()
  /** In the order in which they asked. */
  readonly #wireAsked: ((counts: readonly WireCounts[]) => void)[] = []
  #lastSender = 0
  #lastRequest = 0
  #isClosing = false

  /** Starts the thread. */
  constructor(warn: Warn) {
    this.#warn = warn
    this.#worker = new Worker(new URL('./thread.ts', import.meta.url), {
      name: 'hushgate-sending',
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    })
    this.#worker.on('message', (message: FromThread) => this.#onMessage(message))
    // An exit follows; the error itself may quote what was being sent.
    this.#worker.on('error', () => {})
    this.#worker.once('exit', () => {
      // Nobody catches it: what was handed over to it would stay without an outcome, so whoever runs the process starts it again.
      if (!this.#isClosing) throw new SendingThreadEndedError()
    })
  }

  open(route: SendingRoute, proxy: Proxy | undefined): Promise<DeliverySender> {
    const { promise, resolve, reject } = Promise.withResolvers<DeliverySender>()
    this.#lastSender += 1
    this.#opening.set(this.#lastSender, { resolve, reject })
    const { app, provider, options, concurrency } = route
    this.#post({
      kind: 'open',
      sender: this.#lastSender,
      route: { app, provider, options, concurrency },
      proxy: proxy && {
        host: proxy.host,
        port: proxy.port,
        credentials: proxy.credentials?.reveal(),
        noProxy: proxy.noProxy,
      },
    })
    return promise
  }

  wire(): Promise<readonly WireCounts[]> {
    return new Promise((resolve) => {
      if (this.#isClosing) return resolve([])
      this.#wireAsked.push(resolve)
      this.#send({ kind: 'wire' })
    })
  }

  async close(): Promise<void> {
    this.#isClosing = true
    for (const resolve of this.#wireAsked.splice(0)) resolve([])
    await this.#worker.terminate()
  }

  /** In the order in which it is called. */
  #post(message: ToThread): void {
    this.#requests.end()
    this.#send(message)
  }

  #send(message: ToThread): void {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(message)
  }

  #onMessage(message: FromThread): void {
    switch (message.kind) {
      case 'opened': {
        const { sender, credentialExpiresAtMs } = message
        return this.#take(this.#opening, sender)?.resolve(this.#senderOf(sender, credentialExpiresAtMs))
      }
      case 'refused':
        return this.#take(this.#opening, message.sender)?.reject(new Error(message.reason))
      case 'outcomes':
        for (const answer of message.answers) this.#onAnswer(answer)
        return
      case 'closed':
        return this.#take(this.#closing, message.sender)?.()
      case 'wire':
        return this.#wireAsked.shift()?.(message.counts)
      case 'warning':
        return this.#warn(message.app, message.message)
    }
  }

  #onAnswer(answer: SendAnswer): void {
    const waiting = this.#take(this.#sending, answer.id)
    if ('outcome' in answer) {
      if (answer.status !== undefined) waiting?.answered?.(answer.status)
      waiting?.resolve(answer.outcome)
    } else waiting?.reject(new Error(`the sender failed: ${answer.failure}`))
  }

  #take<T>(from: Map<number, T>, number: number): T | undefined {
    const taken = from.get(number)
    from.delete(number)
    return taken
  }

  #senderOf(number: number, credentialExpiresAtMs: number | undefined): DeliverySender {
    return new ThreadSender(credentialExpiresAtMs, {
      send: (signal, message, target, answered) =>
        new Promise((resolve, reject) => {
          this.#lastRequest += 1
          this.#sending.set(this.#lastRequest, { resolve, reject, answered })
          const request = { id: this.#lastRequest, sender: number, signal, message, target }
          this.#requests.add(answered === undefined ? request : { ...request, isStatusWanted: true })
        }),
      abort: (signal) => this.#post({ kind: 'abort', sender: number, signal }),
      close: () =>
        new Promise((resolve) => {
          this.#closing.set(number, resolve)
          this.#post({ kind: 'close', sender: number })
        }),
    })
  }
}

/** What a sender in the thread is told. */
interface ThreadPort {
  readonly send: (signal: number, message: Message, target: string, answered?: Answered) => Promise<Outcome>
  readonly abort: (signal: number) => void
  readonly close: () => Promise<void>
}

/** A signal, and how many sends under way end with it. */
interface Held {
  readonly number: number
  readonly onAbort: () => void
  sends: number
}

/** One sender in the thread, as the main thread has it. */
class ThreadSender implements DeliverySender {
  readonly credentialExpiresAtMs: number | undefined
  readonly #port: ThreadPort
  /** For as long as something is under way that ends with them: a store may have one for each delivery. */
  readonly #signals = new Map<AbortSignal, Held>()
  #lastSignal = 0

  constructor(credentialExpiresAtMs: number | undefined, port: ThreadPort) {
    this.credentialExpiresAtMs = credentialExpiresAtMs
    this.#port = port
  }

  async send({ headers, body }: Message, target: Secret, signal: AbortSignal, answered?: Answered): Promise<Outcome> {
    const held = this.#hold(signal)
    try {
      const outcome = this.#port.send(held.number, { headers, body }, target.reveal(), answered)
      // After the request, which the thread would not connect with it otherwise.
      if (signal.aborted) held.onAbort()
      return await outcome
    } finally {
      this.#release(signal, held)
    }
  }

  async close(): Promise<void> {
    await this.#port.close()
  }

  #hold(signal: AbortSignal): Held {
    let held = this.#signals.get(signal)
    if (held === undefined) {
      this.#lastSignal += 1
      const number = this.#lastSignal
      held = { number, onAbort: () => this.#port.abort(number), sends: 0 }
      this.#signals.set(signal, held)
      signal.addEventListener('abort', held.onAbort, { once: true })
    }
    held.sends += 1
    return held
  }

  #release(signal: AbortSignal, held: Held): void {
    held.sends -= 1
    if (held.sends > 0) return
    this.#signals.delete(signal)
    signal.removeEventListener('abort', held.onAbort)
  }
}
