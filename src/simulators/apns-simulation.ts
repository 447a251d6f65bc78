/** What a simulated APNs does with the requests on its connections: checks them as the real one does, and answers. */
import { randomUUID } from 'node:crypto'
import { constants, type IncomingHttpHeaders, type ServerHttp2Session, type ServerHttp2Stream } from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { JsonObject } from '../core/json.ts'
import { Authorization, type ApnsKey, type Peer } from './apns-authorization.ts'
import { reasonOf, statusOf, type ApnsReason } from './apns-refusal.ts'
import { checkDevice, checkHeaders, checkPayload, checkTopic, deviceIn } from './apns-request.ts'
import { Goodbye } from './goodbye.ts'
import { ScriptedAnswers, type Script } from './script.ts'

/** One request, refused or not. */
export interface ReceivedApnsPush {
  /** The device token in hex; '' when the path has none. */
  readonly token: string
  /** As sent, without the pseudo headers and `authorization`. */
  readonly headers: Readonly<Record<string, string>>
  readonly authorization?: string | undefined
  /** Absent when the request was refused before or for it. */
  readonly payload?: JsonObject | undefined
  /** The body, byte for byte. */
  readonly body: string
  /** Absent where there is no answer. */
  readonly status?: number | undefined
  /** Apple's word for why it was refused. */
  readonly reason?: string | undefined
  readonly atMs: number
}

export type ApnsFault =
  /** New connections are accepted, and TLS never completes. */
  | 'tls-stall'
  | 'refuse-streams'
  | 'hang'
  | 'unavailable'
  /** The headers of an error come, its body never ends. */
  | 'endless-body'

/** How strict it is, and about what. */
export interface ApnsBehaviour {
  /** Keys that may sign provider tokens. Client certificates of its authority are always accepted, for the topic in their UID. */
  readonly keys?: readonly ApnsKey[] | undefined
  /** Streams at once on a connection; with a provider token, one until the first accepted push. */
  readonly maxStreams?: number | undefined
  /** Refuses a provider token that replaces another within 20 minutes. */
  readonly limitsTokenUpdates?: boolean | undefined
  /** Devices of this environment; others are BadDeviceToken. */
  readonly knowsDevice?: ((token: string) => boolean) | undefined
  /** The timestamp of 410. Default: now. */
  readonly deadSinceMs?: number | undefined
  readonly onPush?: ((push: ReceivedApnsPush) => void) | undefined
  readonly nowMs?: (() => number) | undefined
}

const { NGHTTP2_INTERNAL_ERROR, NGHTTP2_REFUSED_STREAM } = constants
const MAX_STREAMS = 1000
const MAX_BODY_BYTES = 64 * 1024

/** A connection. */
interface Client {
  readonly peer: Peer
  readonly goodbye: Goodbye
  /** From now on it takes as many streams as it is willing to. */
  readonly warmUp: () => void
}

interface Reply {
  readonly status: number
  readonly reason?: string
  readonly script?: Script | undefined
}

export class ApnsSimulation {
  readonly received: ReceivedApnsPush[] = []
  fault: ApnsFault | undefined
  readonly #options: ApnsBehaviour
  readonly #authorization: Authorization
  readonly #scripts = new ScriptedAnswers()
  readonly #sessions = new Map<ServerHttp2Session, Goodbye>()
  readonly #nowMs: () => number

  constructor(options: ApnsBehaviour) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
    this.#authorization = new Authorization(options.keys ?? [], options.limitsTokenUpdates === true, this.#nowMs)
  }

  accept(session: ServerHttp2Session): void {
    const goodbye = new Goodbye(session)
    this.#sessions.set(session, goodbye)
    session.on('close', () => this.#sessions.delete(session))
    session.on('error', () => {})
    const peer: Peer = { certificateTopic: certificateTopic(session.socket) }
    let isWarm = false
    const warmUp = (): void => {
      if (isWarm || session.closed || session.destroyed) return
      isWarm = true
      session.settings({ maxConcurrentStreams: this.#options.maxStreams ?? MAX_STREAMS })
    }
    if (peer.certificateTopic !== undefined) warmUp()
    const client = { peer, goodbye, warmUp }
    session.on('stream', (stream, headers) => {
      stream.on('error', () => {})
      if (this.fault === 'refuse-streams') return stream.close(NGHTTP2_REFUSED_STREAM)
      if (goodbye.takes(stream)) this.#answer(stream, headers, client).catch(() => stream.destroy())
    })
  }

  answerAll(options: string | undefined): void {
    this.#scripts.answerAll(options)
  }

  goaway(frames: number): void {
    for (const goodbye of this.#sessions.values()) goodbye.say(frames)
  }

  destroy(): void {
    for (const session of this.#sessions.keys()) session.destroy()
  }

  async #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, { peer, goodbye, warmUp }: Client) {
    const body = await bodyOf(stream)
    const path = deviceIn(headers)
    const token = typeof path === 'string' ? '' : path.device
    const checked = this.#check(headers, path, body, peer)
    const payload = typeof checked === 'string' ? undefined : checked.payload
    const script = payload === undefined ? undefined : this.#scripts.next(Buffer.from(token, 'hex').toString())
    const reply = typeof checked === 'string' ? { status: statusOf(checked), reason: checked } : this.#reply(script)
    const isSilent = this.fault === 'hang' || script?.hang === true || script?.reset === true
    const push: ReceivedApnsPush = {
      token,
      headers: ownHeaders(headers),
      authorization: headers['authorization'],
      payload,
      body: body.toString(),
      status: isSilent ? undefined : reply.status,
      reason: isSilent ? undefined : reply.reason,
      atMs: this.#nowMs(),
    }
    this.received.push(push)
    this.#options.onPush?.(push)
    if (script?.reset === true) return stream.close(NGHTTP2_INTERNAL_ERROR)
    if (isSilent) return
    if (script?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    if (stream.destroyed) return
    if (reply.status === 200) warmUp()
    this.#respond(stream, headers, reply)
    if (script?.goaway === true) goodbye.say()
  }

  /** In the order in which a request is read. */
  #check(headers: IncomingHttpHeaders, path: ReturnType<typeof deviceIn>, body: Buffer, peer: Peer) {
    if (typeof path === 'string') return path
    const topics = this.#authorization.topicsFor(headers['authorization'], peer)
    if (typeof topics === 'string') return topics
    const mistake: ApnsReason | undefined = checkHeaders(headers) ?? checkTopic(headers, topics)
    if (mistake !== undefined) return mistake
    const payload = checkPayload(headers, body)
    if (typeof payload === 'string') return payload
    const isUnknown = this.#options.knowsDevice?.(path.device) === false
    return checkDevice(path.device) ?? (isUnknown ? 'BadDeviceToken' : payload)
  }

  #reply(script: Script | undefined): Reply {
    if (this.fault === 'unavailable') return { status: 503, reason: 'ServiceUnavailable' }
    if (this.fault === 'endless-body') return { status: 500, reason: 'InternalServerError' }
    const status = script?.status ?? (script?.reason === undefined ? 200 : statusOf(script.reason))
    return status === 200 ? { status, script } : { status, reason: script?.reason ?? reasonOf(status), script }
  }

  #respond(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, { status, reason, script }: Reply): void {
    stream.respond({
      ':status': status,
      'apns-id': String(headers['apns-id'] ?? randomUUID()),
      ...(script?.retryAfter === undefined ? {} : { 'retry-after': script.retryAfter }),
    })
    const timestamp = status === 410 ? { timestamp: this.#options.deadSinceMs ?? this.#nowMs() } : {}
    if (this.fault === 'endless-body') stream.write('{')
    else if (script?.badJson === true) stream.end('<html>')
    else if (reason === undefined || script?.emptyBody === true) stream.end()
    else stream.end(JSON.stringify({ reason, ...timestamp }))
  }
}

/** Only of a certificate that was issued by our authority. */
function certificateTopic(socket: ServerHttp2Session['socket']): string | undefined {
  if (!isTls(socket) || !socket.authorized) return undefined
  const userId: unknown = socket.getPeerCertificate().subject?.['UID']
  return typeof userId === 'string' ? userId : undefined
}

/** A session shows its socket through a proxy that answers `get`, not `in` or `instanceof`. */
function isTls(socket: ServerHttp2Session['socket']): socket is TLSSocket {
  return Reflect.get(socket, 'encrypted') === true
}

function ownHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  const own = Object.entries(headers).filter(([name]) => !name.startsWith(':') && name !== 'authorization')
  return Object.fromEntries(own.map(([name, value]) => [name, String(value)]))
}

async function bodyOf(stream: ServerHttp2Stream): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    // Far more than is allowed already; the rest is read and dropped, so that it can be answered.
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
