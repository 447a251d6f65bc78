/** The push services of the bench: they check nothing, answer after a while, count, and cost as little as they can. A process of its own. */
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { performServerHandshake, type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2'
import { createServer as createHttpsServer } from 'node:https'
import { performance } from 'node:perf_hooks'
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls'
import { answerQuestions } from './calls.ts'
import { monotonicMs } from './clock.ts'
import { numberInBlock, numberOfPath, statusBlock } from './hpack.ts'
import { Http2Connection, type Http2Answer } from './http2-server.ts'

export type PushService = 'apns' | 'fcm' | 'webpush'

/**
 * Where each of them listens on loopback. `tokens` is Google's token endpoint; `apnsWithIds` is APNs for clients that tell answers apart by their
 * `apns-id`, which takes several times as much CPU.
 */
export type Ports = Readonly<Record<PushService | 'apnsWithIds' | 'tokens', number>>

export interface SimulatorReport {
  /** Pushes that have reached the push services since `reset`. */
  readonly arrived: number
  /** By `monotonicMs`; 0 when there was none. */
  readonly lastArrivalMs: number
  readonly cpuMs: number
  /** How much of the time since `reset` the event loop was busy, from 0 to 1. */
  readonly utilization: number
}

/** A push by its event ID, or with Web Push by the number in its endpoint. */
export type Arrival = readonly [key: string, atMs: number]

interface Service {
  readonly maxStreams: number
  readonly http2: Http2Answer
  readonly http1?: { readonly status: number; readonly headers: Readonly<Record<string, string>> }
  readonly keyOf: (block: Buffer, body: Buffer) => string
}

const EVENT_ID = Buffer.from('"event_id":')
const EVENT_ID_LENGTH = 44
const FCM_BODY = '{"name":"projects/bench/messages/0:1700000000000000%0000000000000000"}'
const JSON_TYPE = { 'content-type': 'application/json; charset=UTF-8' }

const SERVICES: Readonly<Record<PushService, Service>> = {
  apns: {
    maxStreams: 1000,
    http2: { headerBlock: statusBlock(200, { 'apns-id': 'eabeae54-14a8-11e5-b60b-1697f925ec7b' }) },
    keyOf: (_block, body) => eventIdIn(body),
  },
  fcm: {
    maxStreams: 100,
    http2: { headerBlock: statusBlock(200, JSON_TYPE), body: FCM_BODY },
    http1: { status: 200, headers: JSON_TYPE },
    keyOf: (_block, body) => eventIdIn(body),
  },
  webpush: {
    maxStreams: 100,
    http2: { headerBlock: statusBlock(201, {}) },
    http1: { status: 201, headers: { 'content-length': '0' } },
    keyOf: (block) => String(numberInBlock(block)),
  },
}

let delayMs = 50
let isRecording = false
let arrived = 0
let lastArrivalMs = 0
let arrivals: Arrival[] = []
let startedCpu = process.cpuUsage()
let startedLoop = performance.eventLoopUtilization()

interface Due {
  readonly atMs: number
  readonly answer: () => void
  readonly connection?: Http2Connection
}

/** In the order in which they are due: all wait equally long. */
let waiting: Due[] = []
let first = 0

function eventIdIn(body: Buffer): string {
  const start = body.indexOf('$', body.indexOf(EVENT_ID))
  return body.toString('latin1', start, start + EVENT_ID_LENGTH)
}

function arrive(key: () => string): void {
  arrived += 1
  lastArrivalMs = monotonicMs()
  if (isRecording) arrivals.push([key(), lastArrivalMs])
}

function answerLater(answer: () => void, connection?: Http2Connection): void {
  if (delayMs === 0) return answer()
  waiting.push({ atMs: performance.now() + delayMs, answer, ...(connection === undefined ? {} : { connection }) })
  if (waiting.length === first + 1) setTimeout(answerDue, delayMs)
}

function answerDue(): void {
  const now = performance.now()
  const touched = new Set<Http2Connection>()
  for (let due = waiting[first]; due !== undefined && due.atMs <= now; due = waiting[first]) {
    due.answer()
    if (due.connection !== undefined) touched.add(due.connection)
    first += 1
  }
  for (const connection of touched) connection.flush()
  if (first > 10_000) {
    waiting = waiting.slice(first)
    first = 0
  }
  const next = waiting[first]
  if (next !== undefined) setTimeout(answerDue, Math.max(1, next.atMs - now))
}

interface Certificate {
  readonly key: string
  readonly cert: string
}

/** HTTP/2 by hand, HTTP/1.1 by Node: what is chosen by ALPN, as at the real ones. */
async function listen(service: Service, port: number, certificate: Certificate): Promise<number> {
  const http1 = createHttpServer({ keepAliveTimeout: 600_000 }, (request, response) =>
    answerHttp1(service, request, response),
  )
  const protocols = service.http1 === undefined ? ['h2'] : ['h2', 'http/1.1']
  const server = createTlsServer({ ...certificate, ALPNProtocols: protocols }, (socket: TLSSocket) => {
    socket.setNoDelay(true)
    // Apple takes also those for HTTP/2 that do not ask for it.
    if (socket.alpnProtocol !== 'h2' && service.http1 !== undefined) return http1.emit('connection', socket)
    return new Http2Connection(socket, {
      maxStreams: service.maxStreams,
      answer: service.http2,
      isRead: () => isRecording,
      onRequest(connection, streamId, block, body) {
        arrive(() => service.keyOf(block, body))
        answerLater(() => connection.answer(streamId), connection)
      },
    })
  })
  return listenOn(server, port)
}

function answerHttp1(service: Service, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => {
    if (isRecording) chunks.push(chunk)
  })
  request.on('end', () => {
    const { status = 200, headers = {} } = service.http1 ?? {}
    const path = request.url ?? ''
    arrive(() => (service === SERVICES.webpush ? String(numberOfPath(path)) : eventIdIn(Buffer.concat(chunks))))
    answerLater(() => response.writeHead(status, headers).end(service.http2.body))
  })
}

function listenWithIds(port: number, certificate: Certificate): Promise<number> {
  const settings = { maxConcurrentStreams: SERVICES.apns.maxStreams }
  const server = createTlsServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket: TLSSocket) => {
    const session = performServerHandshake(socket, { settings })
    session.on('error', () => session.destroy()) // whoever hangs up
    session.on('stream', answerWithId)
  })
  return listenOn(server, port)
}

function answerWithId(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const chunks: Buffer[] = []
  stream.on('error', () => {}) // whoever hangs up
  stream.on('data', (chunk: Buffer) => {
    if (isRecording) chunks.push(chunk)
  })
  stream.on('end', () => {
    arrive(() => eventIdIn(Buffer.concat(chunks)))
    answerLater(() => {
      if (!stream.destroyed) stream.respond({ ':status': 200, 'apns-id': headers['apns-id'] }, { endStream: true })
    })
  })
}

/** Google's, which takes whatever it is shown. */
function listenForTokens(port: number, certificate: Certificate): Promise<number> {
  const server = createHttpsServer(certificate, (request, response) => {
    request.resume()
    request.on('end', () =>
      response
        .writeHead(200, JSON_TYPE)
        .end(JSON.stringify({ access_token: `ya29.${'x'.repeat(200)}`, expires_in: 3599, token_type: 'Bearer' })),
    )
  })
  return listenOn(server, port)
}

function listenOn(server: Server, port: number): Promise<number> {
  server.on('tlsClientError', () => {}) // whoever hangs up before it has begun
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : 0)
    })
  })
}

export const operations = {
  /** 0 takes any free port. */
  async listen({
    ports,
    key,
    cert,
  }: {
    readonly ports: Ports
    readonly key: string
    readonly cert: string
  }): Promise<Ports> {
    const certificate = { key, cert }
    return {
      apns: await listen(SERVICES.apns, ports.apns, certificate),
      fcm: await listen(SERVICES.fcm, ports.fcm, certificate),
      webpush: await listen(SERVICES.webpush, ports.webpush, certificate),
      apnsWithIds: await listenWithIds(ports.apnsWithIds, certificate),
      tokens: await listenForTokens(ports.tokens, certificate),
    }
  },
  /** Begins to count anew. `delayMs`: until a push is answered. */
  reset(options: { readonly delayMs: number; readonly isRecording: boolean }): void {
    ;({ delayMs, isRecording } = options)
    arrived = 0
    lastArrivalMs = 0
    arrivals = []
    startedCpu = process.cpuUsage()
    startedLoop = performance.eventLoopUtilization()
  },
  report(): SimulatorReport {
    const { user, system } = process.cpuUsage(startedCpu)
    const { utilization } = performance.eventLoopUtilization(startedLoop)
    return { arrived, lastArrivalMs, cpuMs: (user + system) / 1000, utilization }
  },
  arrivals: (): readonly Arrival[] => arrivals,
}

answerQuestions(operations)
