/**
 * A simulated FCM with its OAuth token endpoint, on one HTTPS port: strict as the real service, and answering as the device token
 * says (script.ts) or as a fault is set. A service account made with `createServiceAccount` sends to it and to nobody else.
 */
import type { JsonObject } from '../core/json.ts'
import type { Authority } from './certificate.ts'
import { accepted, googleError, htmlError, scriptedAnswer, type FcmAnswer } from './fcm-answers.ts'
import { Authorization, createServiceAccount, refusal, type ServiceAccount } from './fcm-authorization.ts'
import { checkRequest, isRefused, type AcceptedRequest } from './fcm-message.ts'
import {
  startHttpsFront,
  type FrontAnswer,
  type FrontProtocol,
  type FrontRequest,
  type HttpsFront,
} from './https-front.ts'
import { ScriptedAnswers, type Script } from './script.ts'

/** One request to send a message, refused or not. */
export interface ReceivedFcmPush {
  readonly projectId: string
  /** The device token or installation ID; '' when the request was refused before it was read. */
  readonly token: string
  /** As it was sent, with its target; absent when the body was refused. */
  readonly message?: JsonObject | undefined
  /** The body, byte for byte. */
  readonly body: string
  readonly validateOnly: boolean
  /** Absent where there was no answer. */
  readonly status?: number | undefined
  /** Google's word for why it was refused, or its sentence where it has none. */
  readonly reason?: string | undefined
  readonly atMs: number
}

export type FcmFault =
  | 'oauth-down'
  | 'oauth-refuses'
  | 'oauth-hangs'
  | 'oauth-not-json'
  /** Every access token is refused. */
  | 'unauthorized'
  /** IAM does not let the service account send. */
  | 'permission-denied'
  | 'project-unknown'
  | 'unavailable'
  | 'html-502'
  /** The connection ends in the middle of the answer. */
  | 'cut-body'
  | 'hang'

export interface FcmSimulatorOptions {
  readonly authority: Authority
  readonly serviceAccounts?: readonly ServiceAccount[] | undefined
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly protocols?: readonly FrontProtocol[] | undefined
  /** Messages at once on a connection of HTTP/2. */
  readonly maxStreams?: number | undefined
  readonly onPush?: ((push: ReceivedFcmPush) => void) | undefined
  readonly nowMs?: (() => number) | undefined
}

export async function startFcmSimulator(options: FcmSimulatorOptions): Promise<FcmSimulator> {
  const simulator = new FcmSimulator(options)
  await simulator.listen()
  return simulator
}

export class FcmSimulator {
  readonly received: ReceivedFcmPush[] = []
  readonly #options: FcmSimulatorOptions
  readonly #nowMs: () => number
  readonly #authorization: Authorization
  readonly #scripts = new ScriptedAnswers()
  #front: HttpsFront | undefined
  #fault: FcmFault | undefined
  #tokenRequests = 0

  constructor(options: FcmSimulatorOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
    this.#authorization = new Authorization(this.#nowMs)
    for (const account of options.serviceAccounts ?? []) this.#authorization.trust(account)
  }

  get port(): number {
    return this.#front?.port ?? 0
  }

  /** For an app's `endpoint`. */
  get url(): string {
    return this.#front?.url ?? ''
  }

  get tokenUri(): string {
    return `${this.url}/token`
  }

  /** Requests so far, by protocol. */
  get requests(): HttpsFront['requests'] | undefined {
    return this.#front?.requests
  }

  /** How often an access token was asked for. */
  get tokenRequests(): number {
    return this.#tokenRequests
  }

  async listen(): Promise<void> {
    const { authority, host, port, protocols, maxStreams } = this.#options
    const names = ['fcm.googleapis.com', 'oauth2.googleapis.com']
    const answer = (request: FrontRequest): Promise<FrontAnswer | undefined> => this.#answer(request)
    this.#front = await startHttpsFront({ authority, names, host, port, protocols, maxStreams, answer })
  }

  /** A new service account that this simulator trusts. */
  createServiceAccount(projectId: string): ServiceAccount {
    const account = createServiceAccount(projectId, this.tokenUri)
    this.#authorization.trust(account)
    return account
  }

  setFault(fault: FcmFault | undefined): void {
    this.#fault = fault
  }

  /** Every access token given out so far is answered with 401. */
  revokeTokens(): void {
    this.#authorization.revokeTokens()
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
    const body = request.body.toString()
    const projectId = /^\/v1\/projects\/([^/]+)\/messages:send$/.exec(request.url)?.[1]
    if (request.url === '/token') return this.#giveToken(body)
    if (projectId === undefined || request.method !== 'POST') return toFront(htmlError(404))

    const sender = this.#authorization.projectOf(request.headers.authorization)
    const checked = this.#refusalOf(projectId, sender) ?? checkRequest(body)
    const script = isRefused(checked) ? undefined : this.#scripts.next(checked.target)
    const silent = this.#fault === 'hang' || script?.hang === true || script?.reset === true
    const reply = isRefused(checked) ? checked : this.#replyTo(projectId, script)
    const push = receivedPush(projectId, body, checked, silent ? undefined : reply, this.#nowMs())
    this.received.push(push)
    this.#options.onPush?.(push)
    if (script?.reset === true) request.reset()
    if (silent) return undefined
    if (script?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    return toFront(reply, this.#fault === 'cut-body')
  }

  #giveToken(body: string): FrontAnswer | undefined {
    this.#tokenRequests += 1
    if (this.#fault === 'oauth-hangs') return undefined
    if (this.#fault === 'oauth-down') return toFront(htmlError(503))
    if (this.#fault === 'oauth-not-json') return toFront(htmlError(200))
    const reply =
      this.#fault === 'oauth-refuses'
        ? refusal('invalid_grant', 'Invalid JWT Signature.')
        : this.#authorization.grant(new URLSearchParams(body), this.tokenUri)
    return toFront({ status: reply.status, body: JSON.stringify(reply.body), contentType: 'application/json' })
  }

  /** What is refused whatever the message says. */
  #refusalOf(projectId: string, sender: string | undefined): FcmAnswer | undefined {
    const fault = this.#fault
    if (fault === 'unavailable') return googleError(503, 'UNAVAILABLE')
    if (fault === 'html-502') return htmlError(502)
    if (sender === undefined || fault === 'unauthorized')
      return googleError(401, undefined, 'Request had invalid authentication credentials.')
    if (fault === 'project-unknown') return googleError(404, undefined, 'Requested entity was not found.')
    if (sender !== projectId || fault === 'permission-denied')
      return googleError(
        403,
        undefined,
        `Permission 'cloudmessaging.messages.create' denied on '//cloudresourcemanager'`,
      )
    return undefined
  }

  #replyTo(projectId: string, script: Script | undefined): FcmAnswer {
    const success = accepted(projectId, this.received.length + 1)
    return script === undefined ? success : scriptedAnswer(script, success)
  }
}

function receivedPush(
  projectId: string,
  body: string,
  checked: AcceptedRequest | FcmAnswer,
  answer: FcmAnswer | undefined,
  atMs: number,
): ReceivedFcmPush {
  const { status, reason } = answer ?? {}
  if (isRefused(checked)) return { projectId, token: '', body, validateOnly: false, status, reason, atMs }
  const { message, target, validateOnly } = checked
  return { projectId, token: target, message, body, validateOnly, status, reason, atMs }
}

function toFront({ status, body, contentType, retryAfter }: FcmAnswer, isCut = false): FrontAnswer {
  const headers = { 'content-type': contentType, 'retry-after': retryAfter }
  return { status, headers, body, ending: isCut ? 'cut' : undefined }
}
