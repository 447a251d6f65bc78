/**
 * Access tokens for a service account (RFC 7523), one request at a time however many wait for it.
 * Ours, because firebase-admin's `cert()` ignores the agent (firebase-admin-node#2960), `token_uri` and any deadline (docs/facts/fcm.md#access-tokens).
 */
import { createSign } from 'node:crypto'
import { Deadlines } from '../../core/deadlines.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Answer, LostRequest } from '../shared/answers.ts'
import { Attempt } from '../shared/connections/attempt.ts'
import type { Connections } from '../shared/connections/connections.ts'
import { jsonObjectOf } from '../shared/json-text.ts'
import { tokenOutcome } from './answers.ts'
import type { ServiceAccount } from './service-account.ts'

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const ASSERTION_SECONDS = 3600
const REQUEST_DEADLINE_MS = 5000
/** Replaced this long before its end while it still serves, so that a token endpoint away for a moment is not noticed. */
const RENEW_BEFORE_MS = 5 * 60_000
/** With less left than this it may not survive the way to FCM. */
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
  readonly #account: ServiceAccount
  readonly #connections: Connections
  readonly #nowMs: () => number
  readonly #deadlines = new Deadlines(REQUEST_DEADLINE_MS)
  #current: AccessToken | undefined
  #pending: Promise<TokenResult> | undefined

  constructor(account: ServiceAccount, connections: Connections, nowMs: () => number) {
    this.#account = account
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
    if (token === undefined) return tokenOutcome(answer, this.#nowMs())
    this.#current = token
    return token
  }

  async #ask(): Promise<Answer | LostRequest> {
    const { host: authority, pathname, search } = new URL(this.#account.tokenUri)
    const body = new URLSearchParams({ grant_type: GRANT_TYPE, assertion: this.#assertion() }).toString()
    const headers = ['content-type', 'application/x-www-form-urlencoded', 'content-length', String(body.length)]
    const attempt = new Attempt()
    const deadline = this.#deadlines.add(() => attempt.cutOff('deadline'))
    const answer = await this.#connections.post({ authority, path: pathname + search, headers, body }, attempt)
    deadline.cancel()
    return answer
  }

  /** developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests */
  #assertion(): string {
    const { clientEmail, privateKey, privateKeyId, tokenUri } = this.#account
    const iat = Math.floor(this.#nowMs() / 1000)
    const header = encode({ alg: 'RS256', typ: 'JWT', kid: privateKeyId })
    const claims = encode({ iss: clientEmail, scope: SCOPE, aud: tokenUri, iat, exp: iat + ASSERTION_SECONDS })
    const signature = createSign('RSA-SHA256').update(`${header}.${claims}`).sign(privateKey, 'base64url')
    return `${header}.${claims}.${signature}`
  }

  #read(answer: Answer | LostRequest): AccessToken | undefined {
    if (answer.kind === 'lost' || answer.status !== 200) return undefined
    const { access_token: value, expires_in: seconds = ASSERTION_SECONDS } = jsonObjectOf(answer.body) ?? {}
    if (typeof value !== 'string' || !/^[\x21-\x7e]+$/.test(value) || typeof seconds !== 'number') return undefined
    const nowMs = this.#nowMs()
    const lifetimeMs = seconds * 1000
    const renewAtMs = nowMs + Math.max(lifetimeMs - RENEW_BEFORE_MS, lifetimeMs / 2)
    return { kind: 'token', value, renewAtMs, expiresAtMs: nowMs + lifetimeMs }
  }
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
