/** OAuth access tokens of one credential, one request at a time however many wait for it. */
import { Deadlines } from '../../core/deadlines.ts'
import { jsonObjectOf } from '../../core/json.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Answer, LostRequest } from './answers.ts'
import { Attempt } from './connections/attempt.ts'
import type { Connections } from './connections/connections.ts'

/** How one is asked for. */
export interface TokenSource {
  readonly address: URL
  /** The form of a request. */
  readonly form: () => Readonly<Record<string, string>>
  /** Why there is no token. */
  readonly outcomeOf: (answer: Answer | LostRequest, nowMs: number) => Outcome
}

/** RFC 6749 §5.1: where the answer does not say it. */
const DEFAULT_SECONDS = 3600
const REQUEST_DEADLINE_MS = 5000
/** Replaced this long before its end while it still serves, so that a token endpoint away for a moment is not noticed. */
const RENEW_BEFORE_MS = 5 * 60_000
/** With less left than this it may not survive the way to the push service. */
const EXPIRED_BEFORE_MS = 15_000

export interface AccessToken {
  readonly kind: 'token'
  readonly value: string
  readonly renewAtMs: number
  readonly expiresAtMs: number
}

/** A token, or why there is none. */
export type TokenResult = AccessToken | Outcome

export class AccessTokens {
  readonly #source: TokenSource
  readonly #connections: Connections
  readonly #nowMs: () => number
  readonly #deadlines = new Deadlines(REQUEST_DEADLINE_MS)
  #current: AccessToken | undefined
  #pending: Promise<TokenResult> | undefined

  constructor(source: TokenSource, connections: Connections, nowMs: () => number) {
    this.#source = source
    this.#connections = connections
    this.#nowMs = nowMs
  }

  /** At once, or within 5 s. A failure is not kept: the next caller asks again. */
  get(): AccessToken | Promise<TokenResult> {
    const current = this.#current
    const nowMs = this.#nowMs()
    if (current !== undefined && nowMs < current.renewAtMs) return current
    this.#pending ??= this.#fetch().finally(() => {
      this.#pending = undefined
    })
    return current !== undefined && nowMs < current.expiresAtMs - EXPIRED_BEFORE_MS ? current : this.#pending
  }

  /** This one was refused. Callers that hold it may all say so: it is replaced once. */
  drop(token: AccessToken): void {
    if (this.#current === token) this.#current = undefined
  }

  async #fetch(): Promise<TokenResult> {
    const answer = await this.#ask()
    const token = this.#read(answer)
    if (token === undefined) return this.#source.outcomeOf(answer, this.#nowMs())
    this.#current = token
    return token
  }

  async #ask(): Promise<Answer | LostRequest> {
    const { host: authority, pathname, search } = this.#source.address
    const body = new URLSearchParams(this.#source.form()).toString()
    const headers = ['content-type', 'application/x-www-form-urlencoded', 'content-length', String(body.length)]
    const attempt = new Attempt()
    const deadline = this.#deadlines.add(() => attempt.cutOff('deadline'))
    const answer = await this.#connections.post({ authority, path: pathname + search, headers, body }, attempt)
    deadline.cancel()
    return answer
  }

  #read(answer: Answer | LostRequest): AccessToken | undefined {
    if (answer.kind === 'lost' || answer.status !== 200) return undefined
    const { access_token: value, expires_in: seconds = DEFAULT_SECONDS } = jsonObjectOf(answer.body) ?? {}
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value) || typeof seconds !== 'number') return undefined
    const nowMs = this.#nowMs()
    const lifetimeMs = seconds * 1000
    const renewAtMs = nowMs + Math.max(lifetimeMs - RENEW_BEFORE_MS, lifetimeMs / 2)
    return { kind: 'token', value, renewAtMs, expiresAtMs: nowMs + lifetimeMs }
  }
}
