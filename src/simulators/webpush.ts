/**
 * A simulated Web Push service with the browsers behind it, on one HTTPS port: strict as the RFCs, answering as the last part of the
 * subscription's path says (script.ts) or as a fault is set. It reads what it received as the browser would.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { Authority } from './certificate.ts'
import { ScriptedAnswers, type Script } from './script.ts'
import { createSubscriptionSecrets, decrypt, type SubscriptionSecrets } from './webpush-encryption.ts'
import { refusalOf, signerOf, type Refusal } from './webpush-refusal.ts'

/** A browser that subscribed. */
export interface WebPushSubscriber extends SubscriptionSecrets {
  /** The last part of the path. */
  readonly name: string
  /** Takes pushes of this VAPID key only. */
  readonly applicationServerKey?: string | undefined
  /** A UnifiedPush endpoint that takes anything: what it received is read as it came. */
  readonly isPlain?: boolean | undefined
}

export interface Subscription extends WebPushSubscriber {
  readonly endpoint: string
}

/** One request to send a push, refused or not. */
export interface ReceivedWebPush {
  readonly name: string
  readonly origin: string
  readonly headers: Readonly<Record<string, string>>
  /** The encrypted body, byte for byte. */
  readonly body: Buffer
  /** As the browser reads it; absent when it cannot. */
  readonly payload?: string | undefined
  /** Absent where there was no answer. */
  readonly status?: number | undefined
  /** Why it was refused. */
  readonly reason?: string | undefined
  readonly atMs: number
}

export type WebPushFault =
  | 'redirect'
  | 'hang'
  | 'reset'
  /** The answer's body comes byte by byte and never ends. */
  | 'slow-body'
  /** The connection ends before TLS is there. */
  | 'tls'

export interface WebPushSimulatorOptions {
  readonly authority: Authority
  readonly host?: string | undefined
  readonly port?: number | undefined
  /** More names that its certificate is for. */
  readonly hosts?: readonly string[] | undefined
  readonly subscribers?: readonly WebPushSubscriber[] | undefined
  readonly onPush?: ((push: ReceivedWebPush) => void) | undefined
  readonly nowMs?: (() => number) | undefined
}

export interface WebPushSimulator {
  readonly port: number
  /** For an app's `endpoint`. */
  readonly url: string
  readonly received: readonly ReceivedWebPush[]
  /** Connections accepted so far. */
  readonly connections: number
  /** A browser that subscribes; `origin` is what its endpoint begins with (default: `url`). */
  subscribe(name: string, options?: Partial<WebPushSubscriber> & { readonly origin?: string }): Subscription
  setFault(fault: WebPushFault | undefined): void
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1024 * 1024
const DRIP_MS = 100

export async function startWebPushSimulator(options: WebPushSimulatorOptions): Promise<WebPushSimulator> {
  const { authority, host = '127.0.0.1', nowMs = Date.now } = options
  const subscribers = new Map((options.subscribers ?? []).map((subscriber) => [subscriber.name, subscriber]))
  const scripts = new ScriptedAnswers()
  const received: ReceivedWebPush[] = []
  let connections = 0
  let fault: WebPushFault | undefined

  const hosts = [...new Set(['localhost', '127.0.0.1', '::1', host, ...(options.hosts ?? [])])]
  const server = createServer(authority.issue({ commonName: 'push.example.org', hosts }), (request, response) => {
    // A client that goes away in the middle is nothing to a server.
    answer(request, response).catch(() => request.destroy())
  })
  server.on('connection', (socket) => {
    connections += 1
    if (fault === 'tls') socket.destroy()
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    const origin = `https://${request.headers.host ?? ''}`
    const name = /^\/wp\/([^/?]+)$/.exec(request.url ?? '')?.[1] ?? ''
    const subscriber = subscribers.get(name)
    const refused = refusalFor(request, subscriber, origin, body)
    const script = refused === undefined ? scripts.next(name) : undefined
    const isSilent = fault === 'hang' || fault === 'reset' || script?.hang === true || script?.reset === true
    const status = isSilent ? undefined : statusOf(refused, script, fault)
    const push: ReceivedWebPush = {
      name,
      origin,
      headers: textsIn(request.headers),
      body,
      payload: subscriber === undefined ? undefined : payloadOf(body, subscriber),
      status,
      reason: refused?.reason,
      atMs: nowMs(),
    }
    received.push(push)
    options.onPush?.(push)
    if (fault === 'reset' || script?.reset === true) request.socket.destroy()
    if (status === undefined) return
    if (script?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    finish(response, status, script, refused?.reason ?? (status < 300 ? '' : 'as scripted'))
  }

  function refusalFor(
    request: IncomingMessage,
    subscriber: WebPushSubscriber | undefined,
    origin: string,
    body: Buffer,
  ): Refusal | undefined {
    if (request.method !== 'POST') return { status: 405, reason: 'not POST' }
    if (subscriber === undefined) return { status: 404, reason: 'no such subscription' }
    const signer = signerOf(request.headers.authorization, origin, nowMs())
    if (typeof signer !== 'string') return signer
    const { applicationServerKey = signer } = subscriber
    return signer === applicationServerKey
      ? refusalOf(request.headers, body)
      : { status: 403, reason: 'subscribed to another VAPID key' }
  }

  function finish(response: ServerResponse, status: number, script: Script | undefined, text: string): void {
    if (script?.retryAfter !== undefined) response.setHeader('retry-after', script.retryAfter)
    if (status < 300) response.setHeader('location', `${url}/message/${received.length}`)
    if (status >= 300 && status < 400) response.setHeader('location', `${url}/wp/elsewhere`)
    response.writeHead(status, { 'content-type': 'text/plain' })
    if (fault === 'slow-body') drip(response)
    else response.end(script?.emptyBody === true ? '' : text)
  }

  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the simulated push service has no port')
  const url = `https://${host.includes(':') ? `[${host}]` : host}:${address.port}`

  return {
    port: address.port,
    url,
    received,
    get connections() {
      return connections
    },
    subscribe(name, { origin = url, ...more } = {}) {
      const subscriber: WebPushSubscriber = { ...createSubscriptionSecrets(), ...more, name }
      subscribers.set(name, subscriber)
      return { ...subscriber, endpoint: `${origin}/wp/${name}` }
    },
    setFault(next) {
      fault = next
    },
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function statusOf(refused: Refusal | undefined, script: Script | undefined, fault: WebPushFault | undefined): number {
  return refused?.status ?? script?.status ?? (fault === 'redirect' ? 307 : 201)
}

function payloadOf(body: Buffer, subscriber: WebPushSubscriber): string | undefined {
  return (subscriber.isPlain === true ? body : decrypt(body, subscriber))?.toString()
}

function textsIn(headers: IncomingMessage['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}

function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write('.'), DRIP_MS)
  response.write('.')
  response.once('close', () => clearInterval(timer))
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
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
