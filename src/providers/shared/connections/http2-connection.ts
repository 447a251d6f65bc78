/**
 * One HTTP/2 connection: how many requests it takes at once, whether it is still alive, and what became of each request on it.
 * What other clients do wrong here (second GOAWAY, dead connection, cold start): docs/facts/apns.md#library.
 */
import type { TLSSocket } from 'node:tls'
import { Deadlines, type Deadline } from '../../../core/deadlines.ts'
import { codeOf } from '../../../core/error-code.ts'
import type { Answer, LostRequest } from '../answers.ts'
import { ERROR } from '../http2/frames.ts'
import type { Answering } from '../http2/contract.ts'
import { Http2Session } from '../http2/session.ts'
import type { Attempt } from './attempt.ts'
import { ConnectError, connectErrorOf } from './connect.ts'
import { DRAIN_MS, untilClosed, type Connection, type UsedRules, type Request } from './connection.ts'
import { endWhenFlooded, FLOOD } from './flood.ts'
import { Reply } from './reply.ts'

/** Where the peer names no limit, or a higher one. */
const MAX_STREAMS = 1000
const MAX_STREAMS_OF_STRANGER = 100
/** Of what waits for the peer to read: more than so many requests are. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024
const MAX_WAITING_BYTES_OF_STRANGER = 2 * 1024 * 1024

/** Resolves when the peer has said how many streams it takes; rejects with a ConnectError. */
export function openHttp2(socket: TLSSocket, rules: UsedRules, signal: AbortSignal): Promise<Http2Connection> {
  const session = new Http2Session(socket, {
    maxAnswerBytes: rules.reading.maxBytes,
    maxWaitingBytes: rules.isStranger === true ? MAX_WAITING_BYTES_OF_STRANGER : MAX_WAITING_BYTES,
  })
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      socket.destroy()
      reject(new ConnectError('no HTTP/2 settings came'))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    socket.once('error', (error) => reject(connectErrorOf(error)))
    session.listen({
      settings() {
        signal.removeEventListener('abort', onAbort)
        resolve(new Http2Connection(session, socket, rules))
      },
      goaway() {},
      closed() {
        signal.removeEventListener('abort', onAbort)
        reject(new ConnectError('connection closed'))
      },
    })
  })
}

class Http2Connection implements Connection {
  readonly isSingle = false
  readonly #session: Http2Session
  readonly #socket: TLSSocket
  readonly #rules: UsedRules
  readonly #drains = new Deadlines(DRAIN_MS)
  readonly #firstLimit: number
  readonly #pings: NodeJS.Timeout
  #limit: number
  #isWarm: boolean
  #isLeaving = false
  #isSuspect = false
  #isEnding = false
  #lastStreamId = Number.POSITIVE_INFINITY
  #isFlooded = false
  #taken = 0
  #answered = 0
  #usedAtMs = performance.now()
  onChange: () => void = () => {}

  constructor(session: Http2Session, socket: TLSSocket, rules: UsedRules) {
    this.#session = session
    this.#socket = socket
    this.#rules = rules
    this.#isWarm = rules.startsCold !== true
    this.#limit = this.#limitNow()
    this.#firstLimit = this.#limit
    socket.on('error', (error) => (this.#isFlooded = codeOf(error) === FLOOD))
    session.listen({
      settings: () => {
        this.#limit = this.#limitNow()
        // Apple allows one stream until the first accepted push and then raises the limit.
        if (this.#limit > this.#firstLimit) this.#isWarm = true
        this.onChange()
      },
      // Those up to the last one finish.
      goaway: (lastStreamId) => {
        this.#lastStreamId = Math.min(this.#lastStreamId, lastStreamId)
        this.leave()
      },
      closed: () => {
        clearInterval(this.#pings)
        this.leave()
      },
    })
    if (rules.isStranger === true) endWhenFlooded(socket, rules.receivedBytes, () => this.#answered)
    this.#pings = setInterval(() => this.#look(), rules.pingEveryMs).unref()
  }

  get isUsable(): boolean {
    return !this.#isLeaving && !this.#isSuspect && this.#session.isOpen
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  get isWarm(): boolean {
    return this.#isWarm
  }

  get isUsed(): boolean {
    return this.#session.isUsed
  }

  get taken(): number {
    return this.#taken
  }

  get hasRoom(): boolean {
    return this.#taken < (this.#isWarm ? this.#limit : Math.min(1, this.#limit)) && this.isUsable
  }

  take(): void {
    this.#taken += 1
  }

  leave(): void {
    this.#isLeaving = true
    if (this.#taken === 0) this.#end()
    this.onChange()
  }

  close(): Promise<void> {
    return untilClosed(this.#socket, () => this.leave())
  }

  exchange(request: Request, attempt: Attempt): Promise<Answer | LostRequest> {
    const { cutOffBy } = attempt
    if (cutOffBy === undefined) return new Promise((resolve) => this.#send(request, attempt, resolve))
    this.#release()
    return Promise.resolve({ kind: 'lost', code: cutOffBy, written: false })
  }

  #send(
    { method = 'POST', authority, path, headers, body }: Request,
    attempt: Attempt,
    resolve: (answer: Answer | LostRequest) => void,
  ): void {
    const reply = new Reply(this.#rules.reading, attempt, resolve)
    const fields = [':method', method, ':scheme', 'https', ':authority', authority, ':path', path, ...headers]
    const answering = this.#answering(reply, () => streamId)
    // It may have ended since there was room on it.
    const streamId = this.#session.isOpen ? this.#session.request(fields, body, answering) : undefined
    if (streamId === undefined) {
      this.#release()
      return resolve({ kind: 'lost', code: 'not sent', written: false, isUnprocessed: true })
    }
    attempt.onCutOff = (code) => {
      reply.end(false, () => ({ kind: 'lost', code, written: true }))
      this.#session.reset(streamId, ERROR.cancel)
      if (code !== 'aborted') this.#suspect()
    }
  }

  #answering(reply: Reply, streamId: () => number | undefined): Answering {
    let drain: Deadline | undefined
    const cancel = (): void => this.#session.reset(streamId() ?? 0, ERROR.cancel)
    return {
      head: (status, retryAfter, isOver) => {
        this.#answered += 1
        this.#rules.answered?.(status)
        if (status < 300) this.#isWarm = true
        reply.begin(status, retryAfter)
        if (reply.isSettled && !isOver) drain = this.#drains.add(cancel)
      },
      data(bytes) {
        if (reply.add(bytes)) return
        reply.end(false, () => ({ kind: 'lost', code: 'answer too long', written: true }))
        cancel()
      },
      closed: (code) => {
        drain?.cancel()
        reply.end(code === ERROR.none, () => this.#lossOf(streamId() ?? 0, code))
        // A server of Node has to hear of the end before it takes another at its limit (docs/facts/node.md#other-http2-peers).
        if (code === ERROR.cancel) setImmediate(() => this.#release())
        else this.#release()
      },
    }
  }

  /** What a stream that closed without an answer tells. */
  #lossOf(streamId: number, code: number): LostRequest {
    const written = streamId <= this.#lastStreamId
    if (code === ERROR.refusedStream) {
      // RFC 9113 §8.7: not processed. If it took more than it was willing to, it starts with one again.
      if (written) this.#isWarm = false
      return { kind: 'lost', code: 'stream refused', written: false, isUnprocessed: true }
    }
    const reason = this.#isFlooded ? FLOOD : this.#session.isClosed ? 'connection lost' : 'stream reset'
    return { kind: 'lost', code: reason, written, isUnprocessed: !written }
  }

  #release(): void {
    this.#taken -= 1
    this.#usedAtMs = performance.now()
    // Its last stream may have been used, which does not come back.
    if (!this.#session.isOpen) this.#isLeaving = true
    if (this.#isLeaving && this.#taken === 0) this.#end()
    this.onChange()
  }

  /** Says goodbye. A peer that does not answer it, because it is gone, would hold the socket for ever. */
  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#session.close()
    if (this.#socket.destroyed) return
    const timer = setTimeout(() => this.#socket.destroy(), this.#rules.pingMs)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  /** A request went unanswered: nothing new goes this way until the peer has shown that it is alive. */
  #suspect(): void {
    if (this.#isSuspect) return
    this.#isSuspect = true
    this.#ping()
  }

  #look(): void {
    const { idleMs } = this.#rules
    const isIdle = idleMs !== undefined && this.#taken === 0 && performance.now() - this.#usedAtMs >= idleMs
    if (isIdle) this.leave()
    else this.#ping()
  }

  #ping(): void {
    const timer = setTimeout(() => this.#socket.destroy(), this.#rules.pingMs).unref()
    this.#session.ping(() => {
      clearTimeout(timer)
      if (!this.#isSuspect) return
      this.#isSuspect = false
      this.onChange()
    })
  }

  /** Streams that the peer takes at once. */
  #limitNow(): number {
    const most = this.#rules.isStranger === true ? MAX_STREAMS_OF_STRANGER : MAX_STREAMS
    return Math.min(this.#session.maxConcurrentStreams ?? most, most)
  }
}
