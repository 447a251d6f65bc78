/**
 * A simulated FCM with its OAuth token endpoint, on one HTTPS port: strict as the real service, and answering as the device token
 * says (script.ts) or as a fault is set. A service account made with `createServiceAccount` sends to it and to nobody else.
 */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { JsonObject } from '../core/json.ts'
import type { Authority } from './certificate.ts'
import { accepted, googleError, htmlError, scriptedAnswer, type FcmAnswer } from './fcm-answers.ts'
import { Authorization, createServiceAccount, refusal, type ServiceAccount } from './fcm-authorization.ts'
import { checkRequest, isRefused, type AcceptedRequest } from './fcm-message.ts'
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
  readonly onPush?: ((push: ReceivedFcmPush) => void) | undefined
  readonly nowMs?: (() => number) | undefined
}

export interface FcmSimulator {
  readonly port: number
  /** For an app's `endpoint`. */
  readonly url: string
  readonly tokenUri: string
  readonly received: readonly ReceivedFcmPush[]
  /** How often an access token was asked for. */
  readonly tokenRequests: number
  /** A new service account that this simulator trusts. */
  createServiceAccount(projectId: string): ServiceAccount
  setFault(fault: FcmFault | undefined): void
  /** Every access token given out so far is answered with 401. */
  revokeTokens(): void
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1024 * 1024

export async function startFcmSimulator(options: FcmSimulatorOptions): Promise<FcmSimulator> {
  const { authority, host = '127.0.0.1', nowMs = Date.now } = options
  const authorization = new Authorization(nowMs)
  for (const account of options.serviceAccounts ?? []) authorization.trust(account)
  const scripts = new ScriptedAnswers()
  const received: ReceivedFcmPush[] = []
  let tokenRequests = 0
  let fault: FcmFault | undefined
  let url = ''

  const hosts = [...new Set(['fcm.googleapis.com', 'oauth2.googleapis.com', 'localhost', '127.0.0.1', '::1', host])]
  const server = createServer(authority.issue({ commonName: 'fcm.googleapis.com', hosts }), (request, response) => {
    // A client that goes away in the middle is nothing to a server.
    answer(request, response).catch(() => request.destroy())
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await bodyOf(request)
    const projectId = /^\/v1\/projects\/([^/]+)\/messages:send$/.exec(request.url ?? '')?.[1]
    if (request.url === '/token') return giveToken(body, response)
    if (projectId === undefined || request.method !== 'POST') return finish(response, htmlError(404))

    const sender = authorization.projectOf(request.headers.authorization)
    const checked = refusalOf(projectId, sender) ?? checkRequest(body)
    const script = isRefused(checked) ? undefined : scripts.next(checked.target)
    const silent = fault === 'hang' || script?.hang === true || script?.reset === true
    const reply = isRefused(checked) ? checked : replyTo(projectId, script)
    const push = receivedPush(projectId, body, checked, silent ? undefined : reply.status, nowMs())
    received.push(push)
    options.onPush?.(push)
    if (script?.reset === true) request.socket.destroy()
    if (silent) return
    if (script?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    finish(response, reply, fault === 'cut-body')
  }

  function giveToken(body: string, response: ServerResponse): void {
    tokenRequests += 1
    if (fault === 'oauth-hangs') return
    if (fault === 'oauth-down') return finish(response, htmlError(503))
    if (fault === 'oauth-not-json') return finish(response, htmlError(200))
    const reply =
      fault === 'oauth-refuses'
        ? refusal('invalid_grant', 'Invalid JWT Signature.')
        : authorization.grant(new URLSearchParams(body), `${url}/token`)
    finish(response, { status: reply.status, body: JSON.stringify(reply.body), contentType: 'application/json' })
  }

  /** What is refused whatever the message says. */
  function refusalOf(projectId: string, sender: string | undefined): FcmAnswer | undefined {
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

  function replyTo(projectId: string, script: Script | undefined): FcmAnswer {
    const success = accepted(projectId, received.length + 1)
    return script === undefined ? success : scriptedAnswer(script, success)
  }

  server.listen(options.port ?? 0, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the simulated FCM has no port')
  url = `https://${host.includes(':') ? `[${host}]` : host}:${address.port}`

  return {
    port: address.port,
    url,
    tokenUri: `${url}/token`,
    received,
    get tokenRequests() {
      return tokenRequests
    },
    createServiceAccount(projectId) {
      const account = createServiceAccount(projectId, `${url}/token`)
      authorization.trust(account)
      return account
    },
    setFault(next) {
      fault = next
    },
    revokeTokens: () => authorization.revokeTokens(),
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function receivedPush(
  projectId: string,
  body: string,
  checked: AcceptedRequest | FcmAnswer,
  status: number | undefined,
  atMs: number,
): ReceivedFcmPush {
  if (isRefused(checked)) return { projectId, token: '', body, validateOnly: false, status, atMs }
  const { message, target, validateOnly } = checked
  return { projectId, token: target, message, body, validateOnly, status, atMs }
}

function finish(response: ServerResponse, answer: FcmAnswer, isCut = false): void {
  if (answer.retryAfter !== undefined) response.setHeader('retry-after', answer.retryAfter)
  response.writeHead(answer.status, { 'content-type': answer.contentType })
  if (isCut) response.write(answer.body.slice(0, 1), () => response.destroy())
  else response.end(answer.body)
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Error('body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
