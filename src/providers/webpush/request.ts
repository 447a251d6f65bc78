/** One HTTPS request, of which only the head of the answer counts. */
import type { IncomingMessage, OutgoingHttpHeaders } from 'node:http'
import { request as httpsRequest, type Agent } from 'node:https'
import { withDeadline } from '../../core/time-limit.ts'
import type { AnswerHead, LostRequest } from '../shared/answers.ts'
import { RequestWatch } from '../shared/request-watch.ts'

export interface Post {
  readonly agent: Agent
  /** What to connect to. */
  readonly host: string
  readonly port: number
  readonly path: string
  /** Name the host that is meant in `host`; Node takes the name for SNI and for the certificate from there. */
  readonly headers: OutgoingHttpHeaders
  readonly body: Uint8Array
}

const DEADLINE_MS = 10_000
/** What follows the head is read for the sake of the connection, which serves again; not longer than this. */
const DRAIN_MS = 1000
const DRAIN_BYTES = 64 * 1024

/** Resolves with the head of the answer, or when the deadline, `signal` or a failure ends the attempt; never rejects. */
export function post(what: Post, signal: AbortSignal, deadlineMs = DEADLINE_MS): Promise<AnswerHead | LostRequest> {
  return withDeadline(deadlineMs, signal, (limit) => attempt(what, limit))
}

function attempt({ body, ...options }: Post, limit: AbortSignal): Promise<AnswerHead | LostRequest> {
  if (limit.aborted) return Promise.resolve({ kind: 'lost', code: String(limit.reason), written: false })
  return new Promise((resolve) => {
    const request = httpsRequest({ method: 'POST', ...options })
    const watch = new RequestWatch(request)
    limit.addEventListener('abort', () => {
      // One that still waits for a connection would not close.
      resolve(watch.lost(String(limit.reason)))
      request.destroy()
    })
    request.once('close', () => resolve(watch.lost()))
    request.once('response', (response) => {
      resolve({ kind: 'answer', status: response.statusCode ?? 0, retryAfter: response.headers['retry-after'] })
      drain(response)
    })
    request.end(body)
  })
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
