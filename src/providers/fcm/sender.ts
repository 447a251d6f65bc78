/** One attempt to hand a message to FCM, with firebase-admin's `messaging.send()`. The only import of that SDK; none of its errors leaves this file. */
import { randomUUID } from 'node:crypto'
import { deleteApp, initializeApp, type App, type Credential, type GoogleOAuthAccessToken } from 'firebase-admin/app'
import { getMessaging, type Message as SdkMessage, type Messaging } from 'firebase-admin/messaging'
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { CheckResult, Dial, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import { before, withDeadline } from '../../core/time-limit.ts'
import type { Answer, LostRequest } from '../shared/answers.ts'
import { InFlight } from '../shared/in-flight.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { jsonObjectOf } from '../shared/json-text.ts'
import { AccessTokens } from './access-tokens.ts'
import { outcomeOf, refusesAccessToken } from './answers.ts'
import { DEFAULT_CONNECTIONS, type FcmOptions } from './options.ts'
import { readServiceAccount, type ServiceAccount } from './service-account.ts'
import { SingleAttemptAgent } from './single-attempt-agent.ts'
import { ttlSeconds } from './static-options.ts'

type Target = NonNullable<FcmOptions['target']>

/** Google's least timeout for a send (docs/facts/fcm.md#pauses). */
const DEADLINE_MS = 10_000
/** Google closes idle connections after some minutes, a NAT on the way sooner. */
const IDLE_MS = 60_000
/** No device has it, so a dry run to it tells a good credential from a bad one and nothing else (docs/facts/fcm.md#dry-run). */
const CHECK_TARGET = 'credential-check'
/** Something in the options that the schema lets pass and the SDK does not. */
const NOT_TAKEN = 'not accepted by firebase-admin'
/** Registration tokens and installation IDs are printable ASCII; what is not need not be asked about. */
const POSSIBLE_TARGET = /^[\x21-\x7e]+$/

export async function openSender(options: FcmOptions, context: ProviderContext): Promise<Sender> {
  const account = await readOrFail((report) => readServiceAccount(options, report))
  const ca = await readAuthorities(options, fail)
  return new FcmSender(account, options, createAgents(options, ca, context.dial), context.nowMs)
}

class FcmSender implements Sender {
  readonly #target: Target
  readonly #agent: SingleAttemptAgent
  readonly #tokenAgent: SingleAttemptAgent
  readonly #tokens: AccessTokens
  readonly #nowMs: () => number
  readonly #credential = new CurrentToken()
  readonly #app: App
  readonly #messaging: Messaging
  /** What a check sends: the operator's own part of every message. */
  readonly #fixed: JsonObject
  readonly #inFlight = new InFlight()

  constructor(account: ServiceAccount, options: FcmOptions, { agent, tokenAgent }: Agents, nowMs: () => number) {
    this.#agent = agent
    this.#tokenAgent = tokenAgent
    this.#tokens = new AccessTokens(account, tokenAgent, nowMs)
    this.#target = options.target ?? 'token'
    this.#fixed = jsonObjectOf(JSON.stringify(options.options ?? {})) ?? {}
    this.#nowMs = nowMs
    // A name is taken for as long as its app lives, and a reload opens the new sender before it closes the old one.
    const { projectId } = account
    this.#app = initializeApp({ projectId, credential: this.#credential, httpAgent: agent }, `fcm-${randomUUID()}`)
    this.#messaging = getMessaging(this.#app)
  }

  async send(message: Message, pushkey: Secret, signal: AbortSignal): Promise<Outcome> {
    const key = pushkey.reveal()
    if (!POSSIBLE_TARGET.test(key)) return { kind: 'rejected', reason: `not a ${this.#target}` }
    const fields = jsonObjectOf(message.body)
    if (fields === undefined) return { kind: 'failed', reason: 'not an FCM message' }
    return this.#run(sdkMessage(fields, this.#target, key), false, signal)
  }

  async check(signal: AbortSignal): Promise<CheckResult> {
    const outcome = await this.#run(sdkMessage(this.#fixed, this.#target, CHECK_TARGET), true, signal)
    // Whatever FCM finds wrong with a message to a made-up target, it has let us in.
    if (outcome.kind === 'delivered' || outcome.kind === 'rejected') return { ok: true }
    return outcome.kind === 'failed' && outcome.reason !== NOT_TAKEN
      ? { ok: true }
      : { ok: false, reason: outcome.reason }
  }

  async close(): Promise<void> {
    await this.#inFlight.close()
    await deleteApp(this.#app)
    this.#agent.destroy()
    this.#tokenAgent.destroy()
  }

  #run(message: SdkMessage, dryRun: boolean, signal: AbortSignal): Promise<Outcome> {
    return this.#inFlight.run(() => withDeadline(DEADLINE_MS, signal, (limit) => this.#attempt(message, dryRun, limit)))
  }

  /** An access token that is refused is replaced once: FCM did not look at the message. */
  async #attempt(message: SdkMessage, dryRun: boolean, limit: AbortSignal, isSecond = false): Promise<Outcome> {
    const token = await before(limit, this.#tokens.get())
    if (token === undefined)
      return outcomeOf({ kind: 'lost', code: String(limit.reason), written: false }, this.#nowMs())
    if (token.kind !== 'token') return token
    this.#credential.token = token.value
    const answer = await this.#ask(message, dryRun, limit)
    if (answer === undefined) return { kind: 'failed', reason: NOT_TAKEN }
    if (isSecond || !refusesAccessToken(answer)) return outcomeOf(answer, this.#nowMs())
    this.#tokens.drop(token)
    return this.#attempt(message, dryRun, limit, true)
  }

  /** Undefined when the SDK does not take the message. Its error goes no further: it quotes what it was given. */
  async #ask(message: SdkMessage, dryRun: boolean, limit: AbortSignal): Promise<Answer | LostRequest | undefined> {
    try {
      return await this.#agent.attempt(() => this.#messaging.send(message, dryRun), limit)
    } catch {
      return undefined
    }
  }
}

/**
 * Hands firebase-admin the token that we hold. One that "expires at once" is asked for again with each send: so the SDK keeps none of its own,
 * and a refused one can be replaced without a new app (docs/facts/fcm.md#access-tokens).
 */
class CurrentToken implements Credential {
  token = ''

  async getAccessToken(): Promise<GoogleOAuthAccessToken> {
    return { access_token: this.token, expires_in: 0 }
  }
}

interface Agents {
  readonly agent: SingleAttemptAgent
  readonly tokenAgent: SingleAttemptAgent
}

function createAgents(options: FcmOptions, ca: string | undefined, dial: Dial): Agents {
  const common = { dial, keepAlive: true, timeout: IDLE_MS, ...(ca === undefined ? {} : { ca }) }
  const endpoint = options.endpoint === undefined ? undefined : new URL(options.endpoint)
  return {
    agent: new SingleAttemptAgent(
      { ...common, maxConnections: options.max_connections ?? DEFAULT_CONNECTIONS },
      endpoint,
    ),
    tokenAgent: new SingleAttemptAgent(common),
  }
}

/** The SDK wants `ttl` in milliseconds and writes it as Google does; everything else passes through it as it is. */
function sdkMessage(fields: JsonObject, target: Target, key: string): SdkMessage {
  const { android } = fields
  const seconds = isJsonObject(android) ? ttlSeconds(android['ttl']) : undefined
  const inSdkUnits =
    isJsonObject(android) && seconds !== undefined ? { android: { ...android, ttl: seconds * 1000 } } : {}
  const message = { ...fields, ...inSdkUnits, [target]: key }
  if (!hasTarget(message)) throw new TypeError(`an FCM message without a ${target}`)
  return message
}

/** The SDK checks the rest; its types have camel case where the wire has not (sender.test.ts compares the bytes). */
function hasTarget(message: object): message is SdkMessage {
  return 'token' in message || 'fid' in message
}
