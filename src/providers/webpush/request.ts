/** One HTTPS request, of which only the head of the answer counts. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest, type Agent } from 'node:https'
import type { Socket } from 'node:net'
import { DialError, ProxyRefusedError } from '../../core/errors.ts'
import { ABORTED, DEADLINE, type Answer, type LostRequest } from './answers.ts'

export interface Post {
  readonly agent: Agent
  /** What to connect to. */
  readonly host: string
  readonly port: string
  readonly path: string
  /** Name the host that is meant in `host`; Node takes the name for SNI and for the certificate from there. */
  readonly headers: OutgoingHttpHeaders
  readonly body: Uint8Array
}

const DEADLINE_MS = 10_000
/** The proxy does not know us; tinyproxy says it with 401. Any other refusal may be about the host, which a stranger chose. */
const UNKNOWN_TO_PROXY = new Set([401, 407])
/** What follows the head is read for the sake of the connection, which serves again; not longer than this. */
const DRAIN_MS = 1000
const DRAIN_BYTES = 64 * 1024

/** Resolves with the head of the answer, or when the deadline, `signal` or a failure ends the attempt; never rejects. */
export function post(
  { agent, host, port, path, headers, body }: Post,
  signal: AbortSignal,
  deadlineMs = DEADLINE_MS,
): Promise<Answer | LostRequest> {
  if (signal.aborted) return Promise.resolve({ kind: 'lost', code: ABORTED, written: false })
  return new Promise((resolve) => {
    let written = false
    let code = 'closed'
    let proxy: LostRequest['proxy']
    const request = httpsRequest({ method: 'POST', agent, host, port, path, headers })
    const cutOff = (why: string): void => {
      // One that still waits for a connection would not close.
      settle({ kind: 'lost', code: why, written })
      request.destroy()
    }
    const onAbort = (): void => cutOff(ABORTED)
    const timer = setTimeout(() => cutOff(DEADLINE), deadlineMs)
    signal.addEventListener('abort', onAbort)
    const settle = (answer: Answer | LostRequest): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(answer)
    }
    request.once('socket', (socket) => {
      onceWritable(socket, () => {
        written = true
      })
    })
    request.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? 'error'
      proxy = faultOfProxy(error)
    })
    request.once('close', () => settle({ kind: 'lost', code, written, proxy }))
    request.once('response', (response) => {
      settle({ kind: 'answer', status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })
      drain(response)
    })
    request.end(body)
  })
}

function faultOfProxy(error: Error): LostRequest['proxy'] {
  if (error instanceof ProxyRefusedError) return UNKNOWN_TO_PROXY.has(error.status) ? 'refuses' : undefined
  return error instanceof DialError && error.isProxyAway ? 'away' : undefined
}

/** Until the TLS handshake is done, nothing of a request has left. */
function onceWritable(socket: Socket, action: () => void): void {
  if ('secureConnecting' in socket && socket.secureConnecting === true) socket.once('secureConnect', action)
  else action()
}

function drain(response: IncomingMessage): void {
  let bytes = 0
  const timer = setTimeout(() => response.destroy(), DRAIN_MS)
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > DRAIN_BYTES) response.destroy()
  })
  response.on('error', () => {}) // it has said all that counts
  response.once('close', () => clearTimeout(timer))
}
