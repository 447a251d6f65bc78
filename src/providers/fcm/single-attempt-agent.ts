/**
 * An HTTPS agent that lets a client library make one request per attempt and no more, and that reads the answer off the wire itself.
 * firebase-admin sends up to five times and for 82 s, and its errors hide the status (docs/facts/fcm.md#one-attempt).
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import type { Answer, LostRequest } from '../shared/answers.ts'
import { DialingAgent, type DialingAgentOptions } from '../shared/dialing-agent.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { RequestWatch } from '../shared/request-watch.ts'

/** An answer is a short JSON object; what is longer is cut off unread. */
const MAX_ANSWER_BYTES = 256 * 1024
/** Longer than firebase-admin's limit of 60 s for a pause before a retry, so that it gives up instead. */
const NEVER_SECONDS = '86400'

/** What is known of one attempt so far. */
interface Attempt {
  request?: ClientRequest
  watch?: RequestWatch
  status?: number
  /** The first call counts. */
  settle(answer: Answer | LostRequest): void
}

export class SingleAttemptAgent extends DialingAgent {
  readonly #attempts = new AsyncLocalStorage<Attempt>()
  readonly #endpoint: URL | undefined

  /** `endpoint`: where requests go, whatever host they name. */
  constructor(options: DialingAgentOptions, endpoint?: URL) {
    super(options)
    this.#endpoint = endpoint
  }

  /**
   * Runs `start`, of which the first request through this agent is the attempt, and resolves with what came back: at the latest when `limit`
   * aborts, whose reason is then the code of what was lost. Rejects only with what `start` throws before it made a request.
   */
  attempt(start: () => unknown, limit: AbortSignal): Promise<Answer | LostRequest> {
    return new Promise((resolve, reject) => {
      const attempt: Attempt = {
        settle(answer) {
          limit.removeEventListener('abort', cutOff)
          resolve(answer)
        },
      }
      function cutOff(): void {
        settleUnfinished(attempt, String(limit.reason))
        attempt.request?.destroy()
      }
      if (limit.aborted) return cutOff()
      limit.addEventListener('abort', cutOff, { once: true })
      // Once there is a request the wire settles the attempt; what the library makes of it is of no interest, and may quote the access token.
      this.#attempts
        .run(attempt, async () => start())
        .catch((error: unknown) => (attempt.request === undefined ? reject(error) : undefined))
    })
  }

  /** Called by Node for each request that uses this agent, before it has a socket. */
  override addRequest(request: ClientRequest, options: RequestOptions): void {
    const attempt = this.#attempts.getStore()
    if (attempt?.request !== undefined) {
      // The library's own retry. It is given no socket, and so ends here without a trace.
      request.destroy()
      return
    }
    if (attempt !== undefined) watch(attempt, request)
    super.addRequest(request, this.#redirected(request, options))
  }

  #redirected(request: ClientRequest, options: RequestOptions): RequestOptions {
    if (this.#endpoint === undefined) return options
    // Node takes the name for SNI and for the certificate from this header.
    request.setHeader('host', this.#endpoint.host)
    const { host, port } = hostAndPort(this.#endpoint)
    return { ...options, host, hostname: host, port }
  }
}

/** Settles the attempt with what happens to its request. */
function watch(attempt: Attempt, request: ClientRequest): void {
  attempt.request = request
  attempt.watch = new RequestWatch(request)
  // Before the library's own listeners, which the request already has.
  request.prependOnceListener('response', (response) => collect(response, attempt))
  request.once('close', () => settleUnfinished(attempt))
}

/** Accepted is accepted, though the end of the answer is missing. `code`: why it was cut off, by us. */
function settleUnfinished(attempt: Attempt, code?: string): void {
  if (attempt.status === 200) attempt.settle({ kind: 'answer', status: 200, body: '' })
  else attempt.settle(attempt.watch?.lost(code) ?? { kind: 'lost', code: code ?? 'closed', written: false })
}

function collect(response: IncomingMessage, attempt: Attempt): void {
  const { statusCode: status = 0, headers } = response
  const retryAfter = headers['retry-after']
  if (status === 503) headers['retry-after'] = NEVER_SECONDS
  attempt.status = status
  const chunks: Buffer[] = []
  let bytes = 0
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > MAX_ANSWER_BYTES) response.destroy()
    else chunks.push(chunk)
  })
  response.once('end', () =>
    attempt.settle({ kind: 'answer', status, retryAfter, body: Buffer.concat(chunks).toString() }),
  )
}
