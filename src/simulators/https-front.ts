/**
 * What a simulated push service over HTTPS stands on: a port with a certificate, HTTP/2 or HTTP/1.1 as the client prefers (ALPN), and requests that are
 * read whole.
 */
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type Http2Session,
  type ServerHttp2Session,
} from 'node:http2'
import { createServer, type Server } from 'node:https'
import type { Socket } from 'node:net'
import type { Authority } from './certificate.ts'
import { Goodbye } from './goodbye.ts'

export type FrontProtocol = 'h2' | 'http/1.1'

export interface FrontRequest {
  readonly method: string
  readonly url: string
  /** The same in both protocols: `host`, and no pseudo headers. */
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** There is no answer: the stream of HTTP/2, or the connection of HTTP/1.1, ends. */
  reset(): void
}

export interface FrontAnswer {
  readonly status: number
  readonly headers?: OutgoingHttpHeaders | undefined
  readonly body?: string | undefined
  /** `cut`: the connection ends in the middle of the body. `drips`: after it a byte comes now and then, without an end. */
  readonly ending?: 'cut' | 'drips' | undefined
}

export interface HttpsFrontOptions {
  readonly authority: Authority
  /** What the certificate is for, beside loopback and `host`. */
  readonly names: readonly string[]
  readonly host?: string | undefined
  /** Default: any free one. */
  readonly port?: number | undefined
  /** Default: both. */
  readonly protocols?: readonly FrontProtocol[] | undefined
  /** Requests at once on a connection of HTTP/2. */
  readonly maxStreams?: number | undefined
  /** Undefined: never answered. */
  readonly answer: (request: FrontRequest) => Promise<FrontAnswer | undefined>
}

export interface HttpsFront {
  readonly server: Server | Http2SecureServer
  readonly port: number
  readonly url: string
  /** Requests so far, by protocol. */
  readonly requests: Readonly<Record<FrontProtocol, number>>
  /** On every connection of HTTP/2 of now; what is in flight is still answered. */
  goaway(): void
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1024 * 1024
/** As Google's. */
const MAX_STREAMS = 100
const DRIP_MS = 100

export async function startHttpsFront(options: HttpsFrontOptions): Promise<HttpsFront> {
  const { authority, names, host = '127.0.0.1', port = 0, protocols = ['h2', 'http/1.1'] } = options
  const hosts = [...new Set([...names, 'localhost', '127.0.0.1', '::1', host])]
  const certificate = authority.issue({ commonName: hosts[0] ?? host, hosts })
  const requests = { h2: 0, 'http/1.1': 0 }
  const sessions = new Map<Http2Session, Goodbye>()
  const isTaken = (request: Incoming): boolean => {
    const { stream } = isHttp2(request) ? request : {}
    return stream?.session === undefined || sessions.get(stream.session)?.takes(stream) === true
  }
  const onRequest = (request: Incoming, response: Outgoing): void => {
    if (!isTaken(request)) return
    requests[isHttp2(request) ? 'h2' : 'http/1.1'] += 1
    // A client that goes away in the middle is nothing to a server.
    serve(request, response, options.answer).catch(() => response.destroy())
  }
  const settings = { maxConcurrentStreams: options.maxStreams ?? MAX_STREAMS }
  const server = protocols.includes('h2')
    ? createSecureServer({ ...certificate, settings, allowHTTP1: protocols.includes('http/1.1') }, onRequest)
    : createServer(certificate, onRequest)
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
  })
  server.on('session', (session: ServerHttp2Session) => {
    sessions.set(session, new Goodbye(session))
    session.on('close', () => sessions.delete(session))
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the simulated push service has no port')
  return {
    server,
    port: address.port,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    requests,
    goaway() {
      for (const goodbye of sessions.values()) goodbye.say()
    },
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}

type Incoming = IncomingMessage | Http2ServerRequest
type Outgoing = ServerResponse | Http2ServerResponse

async function serve(request: Incoming, response: Outgoing, answer: HttpsFrontOptions['answer']): Promise<void> {
  const { method = '', url = '' } = request
  const body = await readBody(request)
  const answered = await answer({ method, url, headers: headersOf(request), body, reset: () => reset(request) })
  if (answered === undefined) return
  // A repetition of a header is what the declarations differ in; there is none.
  const { status, headers = {}, body: text = '', ending } = answered
  for (const [name, value] of Object.entries(headers)) if (value !== undefined) response.setHeader(name, value)
  response.statusCode = status
  if (ending === 'cut') write(response, text.slice(0, 1), () => cut(request))
  else if (ending === 'drips') drip(response, text)
  else response.end(text)
}

function isHttp2(request: Incoming): request is Http2ServerRequest {
  return request.httpVersionMajor === 2
}

function headersOf(request: Incoming): IncomingHttpHeaders {
  const own = Object.entries(request.headers).filter(([name]) => !name.startsWith(':'))
  return { ...(isHttp2(request) ? { host: request.authority } : {}), ...Object.fromEntries(own) }
}

function reset(request: Incoming): void {
  if (isHttp2(request)) request.stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  else request.socket.destroy()
}

function cut(request: Incoming): void {
  if (isHttp2(request)) request.stream.session?.destroy()
  else request.socket.destroy()
}

function drip(response: Outgoing, text: string): void {
  write(response, text)
  const timer = setInterval(() => write(response, '.'), DRIP_MS)
  response.once('close', () => clearInterval(timer))
}

/** The two declare it differently. */
function write(response: Outgoing, text: string, callback: () => void = () => {}): void {
  if ('stream' in response) response.write(text, 'utf8', callback)
  else response.write(text, callback)
}

async function readBody(request: Incoming): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Error('body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
