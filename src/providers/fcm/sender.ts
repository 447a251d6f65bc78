/** One attempt to hand a message to FCM, by its HTTP v1 API (firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send). */
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Answered, CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import { Attempts } from '../shared/attempts.ts'
import { AuthorizedPosts } from '../shared/authorized-posts.ts'
import type { Target } from '../shared/connections/connect.ts'
import type { ConnectionRules, Reading } from '../shared/connections/connection.ts'
import { Connections } from '../shared/connections/connections.ts'
import { openConnection } from '../shared/connections/open-connection.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { tokenSource } from './assertion.ts'
import { outcomeOf, refusesAccessToken } from './answers.ts'
import { DEFAULT_CONNECTIONS, type FcmOptions } from './options.ts'
import { readServiceAccount, type ServiceAccount } from './service-account.ts'
import { isPossibleTarget } from './target.ts'

const FCM = 'https://fcm.googleapis.com'
/** Google's least timeout for a send (docs/facts/fcm.md#pauses). */
const DEADLINE_MS = 10_000
const MAX_ANSWER_BYTES = 256 * 1024
/** Accepted is accepted, whatever becomes of the rest, in which FCM names the push. Any other answer is no proof of anything without its end. */
const READING: Reading = {
  isEnough: () => false,
  maxBytes: MAX_ANSWER_BYTES,
  takesPart: (status) => status >= 200 && status <= 299,
}
const RULES: ConnectionRules = {
  protocols: ['h2', 'http/1.1'],
  reading: READING,
  connectMs: 4000,
  pingEveryMs: 30_000,
  pingMs: 5000,
  // Google closes idle connections after some minutes, a NAT on the way sooner.
  idleMs: 60_000,
}
/** Of an access token the body is what is wanted. */
const TOKEN_RULES: ConnectionRules = { ...RULES, reading: { ...READING, takesPart: false } }
/** No device has it, so a dry run to it tells a good credential from a bad one and nothing else (docs/facts/fcm.md#dry-run). */
const CHECK_TARGET = 'credential-check'

export async function openSender(options: FcmOptions, context: ProviderContext): Promise<Sender> {
  const account = await readOrFail((report) => readServiceAccount(options, report))
  const authorities = await readAuthorities(options, fail)
  return new FcmSender(account, options, authorities, context)
}

class FcmSender implements Sender {
  readonly #target: NonNullable<FcmOptions['target']>
  readonly #posts: AuthorizedPosts
  /** What a check sends: the operator's own part of every message. */
  readonly #fixed: NonNullable<FcmOptions['options']>
  readonly #attempts = new Attempts(DEADLINE_MS)

  constructor(
    account: ServiceAccount,
    options: FcmOptions,
    authorities: string | undefined,
    { dial, answered, nowMs }: ProviderContext,
  ) {
    const endpoint = new URL(options.endpoint ?? FCM)
    this.#target = options.target ?? 'token'
    this.#fixed = options.options ?? {}
    const fcm = { ...hostAndPort(endpoint), dial, answered, authorities }
    const oauth = { ...hostAndPort(new URL(account.tokenUri)), dial, authorities }
    this.#posts = new AuthorizedPosts({
      connections: connectionsTo(fcm, RULES, options.max_connections ?? DEFAULT_CONNECTIONS),
      tokenConnections: connectionsTo(oauth, TOKEN_RULES, 1),
      source: tokenSource(account, nowMs),
      authority: endpoint.host,
      path: `/v1/projects/${account.projectId}/messages:send`,
      contentType: 'application/json',
      outcomeOf,
      refusesAccessToken,
      nowMs,
    })
  }

  async send({ body }: Message, pushkey: Secret, signal: AbortSignal, answered?: Answered): Promise<Outcome> {
    const key = pushkey.reveal()
    if (!isPossibleTarget(key)) return { kind: 'rejected', reason: `not a ${this.#target}`, isLocal: true }
    const whole = withTarget(body, this.#target, key)
    if (whole === undefined) return { kind: 'failed', reason: 'not an FCM message' }
    return this.#attempts.run(signal, (attempt) => this.#posts.post(`{"message":${whole}}`, attempt), answered)
  }

  async check(signal: AbortSignal): Promise<CheckResult> {
    const message = { ...this.#fixed, [this.#target]: CHECK_TARGET }
    const body = JSON.stringify({ message, validate_only: true })
    const outcome = await this.#attempts.run(signal, (attempt) => this.#posts.post(body, attempt))
    // Whatever FCM finds wrong with a message to a made-up target, it has let us in.
    return outcome.kind === 'retry' || outcome.kind === 'blocked' ? { ok: false, reason: outcome.reason } : { ok: true }
  }

  async close(): Promise<void> {
    await this.#attempts.close()
    await this.#posts.close()
  }
}

function connectionsTo(target: Target, rules: ConnectionRules, maxConnections: number): Connections {
  return new Connections(() => openConnection(target, rules), { maxConnections })
}

/** The message is a JSON object already: its target is appended to its text. Undefined for what is none, left by an app of another type. */
function withTarget(body: string, name: string, key: string): string | undefined {
  if (!body.startsWith('{"') || !body.endsWith('}')) return undefined
  return `${body.slice(0, -1)},${JSON.stringify(name)}:${JSON.stringify(key)}}`
}
