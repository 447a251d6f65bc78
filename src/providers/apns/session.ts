/**
 * One HTTP/2 connection to APNs: how many pushes it takes at once, whether it is still alive, and what became of each request on it.
 * node-apn's own client fails here (second GOAWAY, dead connection, cold start): docs/facts/apns.md#library.
 */
import { once } from 'node:events'
import { connect as connectHttp2, constants, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { Answer, LostRequest } from '../shared/answers.ts'
import { connect, ConnectError, connectErrorOf, type Target } from './connect.ts'
import { exchange } from './exchange.ts'

export interface SessionTimes {
  /** For TCP, TLS and the first SETTINGS together. */
  readonly connectMs: number
  readonly pingEveryMs: number
  /** A peer that does not answer a PING in this time is gone. */
  readonly pingMs: number
  /** From the moment a request is written. */
  readonly answerMs: number
}

export interface Request {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Where the peer names no limit. */
const MAX_STREAMS = 1000

/** Resolves when the peer has said how many streams it takes; rejects with a ConnectError. */
export async function openSession(target: Target, startsWarm: boolean, times: SessionTimes): Promise<Session> {
  const signal = AbortSignal.timeout(times.connectMs)
  const socket = await connect(target, signal)
  const http2 = connectHttp2(`https://${target.host}:${target.port}`, {
    createConnection: () => socket,
    settings: { enablePush: false },
  })
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      http2.destroy()
      reject(connectErrorOf(error))
    }
    const onAbort = (): void => fail(new ConnectError('no HTTP/2 settings came'))
    signal.addEventListener('abort', onAbort, { once: true })
    http2.once('error', fail)
    http2.once('close', () => fail(new ConnectError('connection closed')))
    http2.once('remoteSettings', () => {
      signal.removeEventListener('abort', onAbort)
      resolve(new Session(http2, socket, startsWarm, times))
    })
  })
}

export class Session {
  readonly #http2: ClientHttp2Session
  readonly #socket: TLSSocket
  readonly #times: SessionTimes
  readonly #firstLimit: number
  readonly #pings: NodeJS.Timeout
  #isWarm: boolean
  #isLeaving = false
  #isSuspect = false
  #isEnding = false
  #lastStreamId = Number.POSITIVE_INFINITY
  #taken = 0
  /** Called when it may take more than before, or no more at all. */
  onChange: () => void = () => {}

  constructor(http2: ClientHttp2Session, socket: TLSSocket, startsWarm: boolean, times: SessionTimes) {
    this.#http2 = http2
    this.#socket = socket
    this.#times = times
    this.#isWarm = startsWarm
    this.#firstLimit = this.#limit()
    http2.on('error', () => this.leave())
    http2.on('frameError', () => this.leave())
    // Node closes the session for new streams and lets those up to the last one finish.
    http2.on('goaway', (_code, lastStreamId) => {
      this.#lastStreamId = Math.min(this.#lastStreamId, lastStreamId)
      this.leave()
    })
    http2.on('remoteSettings', () => {
      // Apple allows one stream until the first accepted push and then raises the limit.
      if (this.#limit() > this.#firstLimit) this.#isWarm = true
      this.onChange()
    })
    http2.on('close', () => {
      clearInterval(this.#pings)
      this.leave()
    })
    this.#pings = setInterval(() => this.#ping(), times.pingEveryMs).unref()
  }

  get isUsable(): boolean {
    return !this.#isLeaving && !this.#isSuspect && !this.#http2.closed && !this.#http2.destroyed
  }

  get isClosed(): boolean {
    return this.#socket.destroyed
  }

  /** Whether a push was accepted on it: before that, one stream is all it gets. */
  get isWarm(): boolean {
    return this.#isWarm
  }

  get taken(): number {
    return this.#taken
  }

  get hasRoom(): boolean {
    return this.isUsable && this.#taken < (this.#isWarm ? this.#limit() : Math.min(1, this.#limit()))
  }

  /** Reserves a stream for one `exchange`, which gives it back. */
  take(): void {
    this.#taken += 1
  }

  /** Takes nothing new; what is in flight finishes. */
  leave(): void {
    this.#isLeaving = true
    if (this.#taken === 0) this.#end()
    this.onChange()
  }

  /** Gives it up once nothing is in flight, and resolves then. */
  async close(): Promise<void> {
    if (this.#socket.destroyed) return
    const closed = once(this.#socket, 'close')
    this.leave()
    await closed
  }

  /** Sends one request on the stream that was taken. Always resolves. */
  async exchange({ headers, body }: Request, signal: AbortSignal): Promise<Answer | LostRequest> {
    let stream: ClientHttp2Stream
    try {
      stream = this.#http2.request({ ':method': 'POST', ...headers })
    } catch {
      this.leave()
      this.#release()
      return { kind: 'lost', code: 'connection closed', written: false }
    }
    stream.on('response', ({ ':status': status }) => {
      if (status === 200) this.#isWarm = true
    })
    stream.on('close', () => this.#release())
    return exchange({
      stream,
      body,
      signal,
      answerMs: this.#times.answerMs,
      onSilence: () => this.#suspect(),
      lossOf: (lost) => this.#lossOf(lost),
    })
  }

  /** What a stream that closed without an answer tells. */
  #lossOf(stream: ClientHttp2Stream): LostRequest {
    if (stream.rstCode === constants.NGHTTP2_REFUSED_STREAM) {
      // RFC 9113 §8.7: not processed. It took more than it was willing to, so it starts with one again.
      this.#isWarm = false
      return { kind: 'lost', code: 'stream refused', written: false }
    }
    const written = stream.id !== undefined && stream.id <= this.#lastStreamId
    return { kind: 'lost', code: this.#http2.destroyed ? 'connection lost' : 'stream reset', written }
  }

  #release(): void {
    this.#taken -= 1
    if (this.#isLeaving && this.#taken === 0) this.#end()
    this.onChange()
  }

  /** Says goodbye. A peer that does not answer it, because it is gone, would hold the socket for ever. */
  #end(): void {
    if (this.#isEnding) return
    this.#isEnding = true
    this.#http2.close()
    const timer = setTimeout(() => this.#socket.destroy(), this.#times.pingMs)
    this.#socket.once('close', () => clearTimeout(timer))
  }

  #limit(): number {
    return Math.min(this.#http2.remoteSettings?.maxConcurrentStreams ?? MAX_STREAMS, MAX_STREAMS)
  }

  /** A request went unanswered: nothing new goes this way until the peer has shown that it is alive. */
  #suspect(): void {
    if (this.#isSuspect) return
    this.#isSuspect = true
    this.#ping()
  }

  #ping(): void {
    if (this.#http2.destroyed) return
    const timer = setTimeout(() => this.#socket.destroy(), this.#times.pingMs).unref()
    const onPong = (error: Error | null): void => {
      clearTimeout(timer)
      if (error !== null || !this.#isSuspect) return
      this.#isSuspect = false
      this.onChange()
    }
    try {
      this.#http2.ping(onPong)
    } catch {
      clearTimeout(timer)
    }
  }
}
