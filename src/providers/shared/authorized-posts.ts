/** POSTs of JSON to one path of a push service, with an OAuth access token. One that is refused is replaced once: the message was not looked at. */
import type { Outcome } from '../../core/outcome.ts'
import { AccessTokens, type TokenSource } from './access-tokens.ts'
import type { Answer, LostRequest } from './answers.ts'
import type { Attempt } from './connections/attempt.ts'
import type { Connections } from './connections/connections.ts'

export interface AuthorizedPostsParts {
  readonly connections: Connections
  /** To the token endpoint. */
  readonly tokenConnections: Connections
  readonly source: TokenSource
  readonly authority: string
  readonly path: string
  readonly contentType: string
  readonly outcomeOf: (answer: Answer | LostRequest, nowMs: number) => Outcome
  readonly refusesAccessToken: (answer: Answer | LostRequest) => boolean
  readonly nowMs: () => number
}

export class AuthorizedPosts {
  readonly #parts: AuthorizedPostsParts
  readonly #tokens: AccessTokens

  constructor(parts: AuthorizedPostsParts) {
    this.#parts = parts
    this.#tokens = new AccessTokens(parts.source, parts.tokenConnections, parts.nowMs)
  }

  post(body: string, attempt: Attempt): Promise<Outcome> {
    return this.#post(body, attempt, false)
  }

  async close(): Promise<void> {
    const { connections, tokenConnections } = this.#parts
    await Promise.all([connections.close(), tokenConnections.close()])
  }

  async #post(body: string, attempt: Attempt, isSecond: boolean): Promise<Outcome> {
    const { connections, authority, path, contentType, outcomeOf, refusesAccessToken, nowMs } = this.#parts
    const found = this.#tokens.get()
    const token = found instanceof Promise ? await attempt.before(found) : found
    if (token === undefined)
      return outcomeOf({ kind: 'lost', code: attempt.cutOffBy ?? 'aborted', written: false }, nowMs())
    if (token.kind !== 'token') return token
    const length = String(Buffer.byteLength(body))
    const headers = ['authorization', `Bearer ${token.value}`, 'content-type', contentType, 'content-length', length]
    const answer = await connections.post({ authority, path, headers, body }, attempt)
    if (isSecond || !refusesAccessToken(answer)) return outcomeOf(answer, nowMs())
    this.#tokens.drop(token)
    return this.#post(body, attempt, true)
  }
}
