/** One connection that speaks HTTP/1.1: one request at a time. */
import { Agent, request as startRequest, type ClientRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { codeOf } from '../../../core/error-code.ts'
import { Deadlines, type Deadline } from '../../../core/deadlines.ts'
import type { Answer, LostRequest } from '../answers.ts'
import type { Attempt } from './attempt.ts'
import { DRAIN_MS, untilClosed, type Connection, type UsedRules, type Request } from './connection.ts'
import { endWhenFlooded } from './flood.ts'
import { Reply } from './reply.ts'

const CLOSED = 'connection closed'

export class Http1Connection implements Connection {
  readonly isSingle = true
  readonly isWarm = true
  readonly #socket: TLSSocket
  readonly #rules: UsedRules
  readonly #agent: Agent
  readonly #drains = new Deadlines(DRAIN_MS)
  #isLeaving = false
  #isTaken = false
  isUsed = false
  #answered = 0
  onChange: () => void = () => {}

  constructor(socket: TLSSocket, rules: UsedRules) {
    this.#socket = socket
    this.#rules = rules
    this.#agent = new AgentOfOne(socket, rules.idleMs)
    socket.once('close', () => this.leave())
    if (rules.isStranger === true) endWhenFlooded(socket, rules.receivedBytes, () => this.#answered)
  }

  get isUsable(): boolean {
    return !this.#isLeaving && !this.#socket.destroyed
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  get taken(): number {
    return this.#isTaken ? 1 : 0
  }

  get hasRoom(): boolean {
    return !this.#isTaken && this.isUsable
  }

  take(): void {
    this.#isTaken = true
    this.isUsed = true
  }

  leave(): void {
    this.#isLeaving = true
    if (!this.#isTaken) this.#socket.destroy()
    this.onChange()
  }

  close(): Promise<void> {
    return untilClosed(this.#socket, () => this.leave())
  }

  async exchange(
    { method = 'POST', authority, path, headers, body }: Request,
    attempt: Attempt,
  ): Promise<Answer | LostRequest> {
    const { cutOffBy } = attempt
    if (cutOffBy !== undefined) {
      this.#release(true)
      return { kind: 'lost', code: cutOffBy, written: false }
    }
    let request: ClientRequest
    try {
      request = startRequest({
        agent: this.#agent,
        method,
        path,
        headers: ['host', authority, ...headers, 'connection', 'keep-alive'],
      })
    } catch (error) {
      // A path or a header that cannot be sent. The peer has not seen it, and the connection is as it was.
      this.#release(true)
      return { kind: 'lost', code: codeOf(error), written: false, isUnprocessed: true }
    }
    request.once('close', () => this.#release(request.shouldKeepAlive))
    return this.#replyTo(request.end(body), attempt)
  }

  /** Always resolves. */
  #replyTo(request: ClientRequest, attempt: Attempt): Promise<Answer | LostRequest> {
    return new Promise((resolve) => {
      let drain: Deadline | undefined
      const reply = new Reply(this.#rules.reading, attempt, resolve)
      const end = (code: string): void => {
        const written = request.socket !== null
        reply.end(false, () => ({ kind: 'lost', code, written, isUnprocessed: !written && code === CLOSED }))
      }
      const cutOff = (code: string): void => {
        end(code)
        request.destroy()
      }
      attempt.onCutOff = cutOff
      request.on('error', (error) => end(codeOf(error, CLOSED)))
      request.once('response', (response) => {
        this.#answered += 1
        this.#rules.answered?.(response.statusCode ?? 0)
        reply.begin(response.statusCode ?? 0, response.headers['retry-after'])
        if (reply.isSettled) drain = this.#drains.add(() => request.destroy())
        response.on('data', (chunk: Buffer) => {
          if (!reply.add(chunk)) cutOff('answer too long')
        })
        response.on('error', (error) => end(codeOf(error, CLOSED)))
        response.once('end', () => reply.end(true, () => ({ kind: 'lost', code: CLOSED, written: true })))
      })
      request.once('close', () => {
        drain?.cancel()
        end(CLOSED)
      })
    })
  }

  #release(mayServeAgain: boolean): void {
    this.#isTaken = false
    if (this.#isLeaving || !mayServeAgain) this.leave()
    // The agent has the socket back right after this event.
    else process.nextTick(() => this.onChange())
  }
}

/** Gives its one socket to one request after another. */
class AgentOfOne extends Agent {
  #socket: TLSSocket | undefined

  constructor(socket: TLSSocket, idleMs: number | undefined) {
    super({ keepAlive: true, maxSockets: 1, ...(idleMs === undefined ? {} : { timeout: idleMs }) })
    this.#socket = socket
  }

  /** Called by Node when no connection is free: the first time it is ours, and later there is none. */
  override createConnection(
    _options: unknown,
    onConnection: (error: Error | null, socket?: Duplex) => void,
  ): Duplex | undefined {
    const socket = this.#socket
    this.#socket = undefined
    if (socket === undefined) onConnection(new Error(CLOSED))
    return socket
  }
}
