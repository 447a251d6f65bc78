/**
 * One HTTP/2 connection: how many requests it takes at once, whether it is still alive, and what became of each request on it.
 * What other clients do wrong here (second GOAWAY, dead connection, cold start): docs/facts/apns.md#library.
 */
import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import { Deadlines } from '../../../core/deadlines.ts'
import { codeOf } from '../../../core/error-code.ts'
import type { Answer, LostRequest } from '../answers.ts'
import type { Attempt } from './attempt.ts'
import { ConnectError, connectErrorOf } from './connect.ts'
import { DRAIN_MS, untilClosed, type Connection, type UsedRules, type Request } from './connection.ts'
import { endWhenFlooded, FLOOD } from './flood.ts'
import { exchange } from './http2-exchange.ts'

/** Where the peer names no limit, or a higher one. */
const MAX_STREAMS = 1000
const MAX_STREAMS_OF_STRANGER = 100

/** Resolves when the peer has said how many streams it takes; rejects with a ConnectError. */
export function openHttp2(socket: TLSSocket, rules: UsedRules, signal: AbortSignal): Promise<Http2Connection> {
  const session = connectHttp2('https://localhost', {
    createConnection: () => socket,
    settings: { enablePush: false },
  })
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      session.destroy()
      reject(connectErrorOf(error))
    }
    const onAbort = (): void => fail(new ConnectError('no HTTP/2 settings came'))
    signal.addEventListener('abort', onAbort, { once: true })
    session.once('error', fail)
    session.once('close', () => fail(new ConnectError('connection closed')))
    session.once('remoteSettings', () => {
      signal.removeEventListener('abort', onAbort)
      resolve(new Http2Connection(session, socket, rules))
    })
  })
}

class Http2Connection implements Connection {
  readonly isSingle = false
  readonly #session: ClientHttp2Session
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

  constructor(session: ClientHttp2Session, socket: TLSSocket, rules: UsedRules) {
    this.#session = session
    this.#socket = socket
    this.#rules = rules
    this.#isWarm = rules.startsCold !== true
    this.#limit = this.#limitNow()
    this.#firstLimit = this.#limit
    session.on('error', (error) => {
      this.#isFlooded = codeOf(error) === FLOOD
      this.leave()
    })
    session.on('frameError', () => this.leave())
    // Node closes the session for new streams and lets those up to the last one finish.
    session.on('goaway', (_code, lastStreamId) => {
      this.#lastStreamId = Math.min(this.#lastStreamId, lastStreamId)
      this.leave()
    })
    session.on('remoteSettings', () => {
      this.#limit = this.#limitNow()
      // Apple allows one stream until the first accepted push and then raises the limit.
      if (this.#limit > this.#firstLimit) this.#isWarm = true
      this.onChange()
    })
    session.on('close', () => {
      clearInterval(this.#pings)
      this.leave()
    })
    if (rules.isStranger === true) endWhenFlooded(socket, () => this.#answered)
    this.#pings = setInterval(() => this.#look(), rules.pingEveryMs).unref()
  }

  get isUsable(): boolean {
    return !this.#isLeaving && !this.#isSuspect && !this.#session.closed && !this.#session.destroyed
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  get isWarm(): boolean {
    return this.#isWarm
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

  async exchange(
    { method = 'POST', authority, path, headers, body }: Request,
    attempt: Attempt,
  ): Promise<Answer | LostRequest> {
    const { cutOffBy } = attempt
    if (cutOffBy !== undefined) {
      this.#release()
      return { kind: 'lost', code: cutOffBy, written: false }
    }
    const pseudoHeaders = [':method', method, ':scheme', 'https', ':authority', authority, ':path', path]
    let stream: ClientHttp2Stream
    try {
      // Else a GET is ended twice, and loses the body of its answer.
      stream = this.#session.request([...pseudoHeaders, ...headers], { endStream: false })
    } catch {
      this.leave()
      this.#release()
      return { kind: 'lost', code: 'connection closed', written: false, isUnprocessed: true }
    }
    stream.on('response', ({ ':status': status = 0 }) => {
      this.#answered += 1
      this.#rules.answered?.(status)
      if (status === 200) this.#isWarm = true
    })
    stream.on('close', () => this.#release())
    return exchange({
      stream,
      body,
      attempt,
      reading: this.#rules.reading,
      drains: this.#drains,
      onSilence: () => this.#suspect(),
      lossOf: (lost) => this.#lossOf(lost),
    })
  }

  /** What a stream that closed without an answer tells. */
  #lossOf(stream: ClientHttp2Stream): LostRequest {
    if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      // RFC 9113 §8.7: not processed. It took more than it was willing to, so it starts with one again.
      this.#isWarm = false
      return { kind: 'lost', code: 'stream refused', written: false, isUnprocessed: true }
    }
    const code = this.#isFlooded ? FLOOD : this.#session.destroyed ? 'connection lost' : 'stream reset'
    const written = stream.id !== undefined && stream.id <= this.#lastStreamId
    return { kind: 'lost', code, written, isUnprocessed: !written }
  }

  #release(): void {
    this.#taken -= 1
    this.#usedAtMs = performance.now()
    if (this.#isLeaving && this.#taken === 0) this.#end()
    this.onChange()
  }

  /** Says goodbye. A peer that does not answer it, because it is gone, would hold the socket for ever. */
  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#session.close()
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
    if (this.#session.destroyed) return
    const timer = setTimeout(() => this.#socket.destroy(), this.#rules.pingMs).unref()
    const onPong = (error: Error | null): void => {
      clearTimeout(timer)
      if (error !== null || !this.#isSuspect) return
      this.#isSuspect = false
      this.onChange()
    }
    try {
      this.#session.ping(onPong)
    } catch {
      clearTimeout(timer)
    }
  }

  /** Streams that the peer takes at once. */
  #limitNow(): number {
    const most = this.#rules.isStranger === true ? MAX_STREAMS_OF_STRANGER : MAX_STREAMS
    return Math.min(this.#session.remoteSettings?.maxConcurrentStreams ?? most, most)
  }
}
