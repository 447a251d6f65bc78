/** Says what a case says to a port, and hears what comes back. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { readAnswers, type Received } from './answers.ts'
import type { FuzzCase } from './cases.ts'

/** A hang: nothing takes that long. */
const HANG_MS = 10_000
/** Of a connection on which nothing more is said. */
const HELD_MOST = 40

export class Conversation {
  readonly #socket: Socket
  #received = Buffer.alloc(0)
  #isClosed = false
  #onNews = (): void => {}

  constructor(url: URL) {
    this.#socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true, noDelay: true })
    this.#socket.on('error', () => {}) // a reset ends it too
    this.#socket.on('data', (chunk) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#onNews()
    })
    this.#socket.on('end', () => {
      this.#isClosed = true
      this.#socket.end()
      this.#onNews()
    })
    this.#socket.on('close', () => {
      this.#isClosed = true
      this.#onNews()
    })
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Resolves with what came meanwhile; `isHeld`: the connection is left as it is. */
  async say({ steps, answers }: FuzzCase): Promise<Received & { readonly isHeld: boolean }> {
    this.#received = Buffer.alloc(0)
    for (const step of steps) {
      if (step.kind === 'write') this.#socket.write(step.bytes)
      else if (step.kind === 'wait') await sleep(step.ms)
      else if (step.kind === 'end') this.#socket.end()
      else if (step.kind === 'reset') this.#socket.resetAndDestroy()
      else return { answers: [], rest: Buffer.alloc(0), isClosed: true, isHeld: true }
    }
    const isReset = steps.at(-1)?.kind === 'reset'
    await this.#until(() => this.#isClosed || (typeof answers === 'number' && this.#hasAnswers(answers)))
    const { answers: read, rest } = readAnswers(this.#received)
    // What breaks off because we reset the connection is nobody's fault.
    return { answers: read, rest: isReset ? Buffer.alloc(0) : rest, isClosed: this.#isClosed, isHeld: false }
  }

  /** No TIME_WAIT is left: there are not as many ports as cases. */
  destroy(): void {
    this.#socket.resetAndDestroy()
  }

  #hasAnswers(count: number): boolean {
    return readAnswers(this.#received).answers.length >= count
  }

  /** Or until it is clear that it hangs. */
  #until(isSo: () => boolean): Promise<void> {
    if (isSo()) return Promise.resolve()
    return new Promise((resolve) => {
      const limit = setTimeout(resolve, HANG_MS)
      this.#onNews = () => {
        if (!isSo()) return
        clearTimeout(limit)
        this.#onNews = () => {}
        resolve()
      }
    })
  }
}

/** Connections on which somebody began to say something. */
export class Held {
  readonly #conversations: Conversation[] = []

  /** The one that was there first goes. */
  keep(conversation: Conversation): void {
    this.#conversations.push(conversation)
    if (this.#conversations.length > HELD_MOST) this.#conversations.shift()?.destroy()
  }

  destroy(): void {
    for (const conversation of this.#conversations) conversation.destroy()
  }
}
