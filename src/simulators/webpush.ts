/**
 * A simulated Web Push service with the browsers behind it, on one HTTPS port: strict as the RFCs, answering as the last part of the
 * subscription's path says (script.ts) or as a fault is set. It reads what it received as the browser would.
 */
import type { Authority } from './certificate.ts'
import { readDeclarative, type DeclarativeNotification } from './declarative-notification.ts'
import {
  startHttpsFront,
  type FrontAnswer,
  type FrontProtocol,
  type FrontRequest,
  type HttpsFront,
} from './https-front.ts'
import { ScriptedAnswers, type Script } from './script.ts'
import { createSubscriptionSecrets, decrypt, type SubscriptionSecrets } from './webpush-encryption.ts'
import { refusalOf, signerOf, unifiedPushRefusalOf, type Refusal } from './webpush-refusal.ts'

/** A browser that subscribed. */
export interface WebPushSubscriber extends SubscriptionSecrets {
  /** The last part of the path. */
  readonly name: string
  /** Takes pushes of this VAPID key only. */
  readonly applicationServerKey?: string | undefined
  /** An endpoint of UnifiedPush without keys: what it received is read as it came. */
  readonly isPlain?: boolean | undefined
  /** An endpoint of a UnifiedPush push server, which asks for no VAPID. */
  readonly needsNoVapid?: boolean | undefined
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
  /** What a browser with Declarative Web Push shows of it by itself, or why it shows nothing; absent where it is for the service worker. */
  readonly shown?: DeclarativeNotification | string | undefined
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
  readonly protocols?: readonly FrontProtocol[] | undefined
  /** Pushes at once on a connection of HTTP/2. */
  readonly maxStreams?: number | undefined
  /** More names that its certificate is for. */
  readonly hosts?: readonly string[] | undefined
  readonly subscribers?: readonly WebPushSubscriber[] | undefined
  /** Whose subscription a name is that nobody subscribed with. Default: nobody's. */
  readonly secretsOf?: ((name: string) => Omit<WebPushSubscriber, 'name'> | undefined) | undefined
  /** As a push server of UnifiedPush whose path for the gateway leads to one: apps that ask are told so. */
  readonly leadsToGateway?: boolean | undefined
  readonly onPush?: ((push: ReceivedWebPush) => void) | undefined
  readonly nowMs?: (() => number) | undefined
}

const NOTIFY_PATH = '/_matrix/push/v1/notify'
/** Before the name: FCM's endpoints begin with either (docs/facts/web-push.md#fcms-endpoints). */
type EndpointFolder = 'wp' | 'fcm/send'
const ENDPOINT_PATH = /^\/(?:wp|fcm\/send)\/([^/?]+)$/

export async function startWebPushSimulator(options: WebPushSimulatorOptions): Promise<WebPushSimulator> {
  const simulator = new WebPushSimulator(options)
  await simulator.listen()
  return simulator
}

export class WebPushSimulator {
  readonly received: ReceivedWebPush[] = []
  readonly #options: WebPushSimulatorOptions
  readonly #nowMs: () => number
  readonly #subscribers: Map<string, WebPushSubscriber>
  readonly #scripts = new ScriptedAnswers()
  #front: HttpsFront | undefined
  #fault: WebPushFault | undefined
  #connections = 0

  constructor(options: WebPushSimulatorOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
    this.#subscribers = new Map((options.subscribers ?? []).map((subscriber) => [subscriber.name, subscriber]))
  }

  get port(): number {
    return this.#front?.port ?? 0
  }

  /** For an app's `endpoint`. */
  get url(): string {
    return this.#front?.url ?? ''
  }

  /** Requests so far, by protocol. */
  get requests(): HttpsFront['requests'] | undefined {
    return this.#front?.requests
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#connections
  }

  async listen(): Promise<void> {
    const { authority, host, port, protocols, maxStreams, hosts = [] } = this.#options
    const names = ['push.example.org', ...hosts]
    const answer = (request: FrontRequest): Promise<FrontAnswer | undefined> => this.#answer(request)
    this.#front = await startHttpsFront({ authority, names, host, port, protocols, maxStreams, answer })
    this.#front.server.on('connection', (socket) => {
      this.#connections += 1
      if (this.#fault === 'tls') socket.destroy()
    })
  }

  /** A browser that subscribes; `origin` is what its endpoint begins with (default: `url`). */
  subscribe(
    name: string,
    {
      origin = this.url,
      folder = 'wp',
      ...more
    }: Partial<WebPushSubscriber> & { readonly origin?: string; readonly folder?: EndpointFolder } = {},
  ): Subscription {
    const subscriber: WebPushSubscriber = { ...createSubscriptionSecrets(), ...more, name }
    this.#subscribers.set(name, subscriber)
    return { ...subscriber, endpoint: `${origin}/${folder}/${name}` }
  }

  setFault(fault: WebPushFault | undefined): void {
    this.#fault = fault
  }

  /** Until it is called again every push is answered by this script (script.ts), whatever its token says: `s503.a2`. */
  answerAll(options: string | undefined): void {
    this.#scripts.answerAll(options)
  }

  /** On every connection of HTTP/2 of now; what is in flight is still answered. */
  goaway(): void {
    this.#front?.goaway()
  }

  async close(): Promise<void> {
    await this.#front?.close()
  }

  async #answer(request: FrontRequest): Promise<FrontAnswer | undefined> {
    const { body } = request
    if (this.#options.leadsToGateway === true && request.method === 'GET' && request.url === NOTIFY_PATH)
      return { status: 200, body: JSON.stringify({ unifiedpush: { gateway: 'matrix' } }) }
    const fault = this.#fault
    const origin = `https://${request.headers.host ?? ''}`
    const name = ENDPOINT_PATH.exec(request.url)?.[1] ?? ''
    const subscriber = this.#subscriberOf(name)
    const refused = this.#refusalFor(request, subscriber, origin, body)
    const script = refused === undefined ? this.#scripts.next(name) : undefined
    const isSilent = fault === 'hang' || fault === 'reset' || script?.hang === true || script?.reset === true
    const status = isSilent ? undefined : statusOf(refused, script, fault)
    const payload = subscriber === undefined ? undefined : payloadOf(body, subscriber)
    const push: ReceivedWebPush = {
      name,
      origin,
      headers: textsIn(request.headers),
      body,
      payload,
      shown: payload === undefined ? undefined : readDeclarative(payload),
      status,
      reason: refused?.reason,
      atMs: this.#nowMs(),
    }
    this.received.push(push)
    this.#options.onPush?.(push)
    if (fault === 'reset' || script?.reset === true) request.reset()
    if (status === undefined) return undefined
    if (script?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    return this.#finish(status, script, refused?.reason ?? (status < 300 ? '' : 'as scripted'))
  }

  #subscriberOf(name: string): WebPushSubscriber | undefined {
    const secrets = this.#options.secretsOf?.(name)
    return this.#subscribers.get(name) ?? (secrets === undefined ? undefined : { ...secrets, name })
  }

  #refusalFor(
    request: FrontRequest,
    subscriber: WebPushSubscriber | undefined,
    origin: string,
    body: Buffer,
  ): Refusal | undefined {
    if (request.method !== 'POST') return { status: 405, reason: 'not POST' }
    if (subscriber === undefined) return { status: 404, reason: 'no such subscription' }
    if (subscriber.needsNoVapid === true) return unifiedPushRefusalOf(request.headers, body)
    const signer = signerOf(request.headers.authorization, origin, this.#nowMs())
    if (typeof signer !== 'string') return signer
    const { applicationServerKey = signer } = subscriber
    return signer === applicationServerKey
      ? refusalOf(request.headers, body)
      : { status: 403, reason: 'subscribed to another VAPID key' }
  }

  #finish(status: number, script: Script | undefined, text: string): FrontAnswer {
    const isMoved = status >= 300 && status < 400
    const location = isMoved ? `${this.url}/wp/elsewhere` : `${this.url}/message/${this.received.length}`
    const headers = {
      'content-type': 'text/plain',
      'retry-after': script?.retryAfter,
      location: status < 400 ? location : undefined,
    }
    const body = script?.emptyBody === true ? '' : text
    return { status, headers, body, ending: this.#fault === 'slow-body' ? 'drips' : undefined }
  }
}

function statusOf(refused: Refusal | undefined, script: Script | undefined, fault: WebPushFault | undefined): number {
  return refused?.status ?? script?.status ?? (fault === 'redirect' ? 307 : 201)
}

function payloadOf(body: Buffer, subscriber: WebPushSubscriber): string | undefined {
  return (subscriber.isPlain === true ? body : decrypt(body, subscriber))?.toString()
}

function textsIn(headers: FrontRequest['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
