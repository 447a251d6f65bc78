/** One attempt to hand a message to Push Kit, by version 2 of its HTTPS API (docs/facts/hms.md#messages). */
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Answered, CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import type { TokenSource } from '../shared/access-tokens.ts'
import { Attempts } from '../shared/attempts.ts'
import { AuthorizedPosts } from '../shared/authorized-posts.ts'
import type { ConnectionRules } from '../shared/connections/connection.ts'
import { Connections } from '../shared/connections/connections.ts'
import { openConnection } from '../shared/connections/open-connection.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { outcomeOf, refusesAccessToken, tokenOutcome } from './answers.ts'
import { readClientSecret } from './inspect.ts'
import { DEFAULT_CONNECTIONS, type HmsOptions } from './options.ts'
import { isPossibleToken } from './token.ts'

const PUSH_KIT = 'https://push-api.cloud.huawei.com'
const OAUTH = 'https://oauth-login.cloud.huawei.com'
const TOKEN_PATH = '/oauth2/v3/token'
const DEADLINE_MS = 10_000
/** Whether a message was taken stands in the body, also where the status is 200. */
const RULES: ConnectionRules = {
  protocols: ['h2', 'http/1.1'],
  reading: { isEnough: () => false, maxBytes: 64 * 1024, takesPart: false },
  connectMs: 4000,
  pingEveryMs: 30_000,
  pingMs: 5000,
  idleMs: 60_000,
}
/** No device has it, so a message that is only checked tells a good credential from a bad one and nothing else. */
const CHECK_TOKEN = 'credential-check'

export async function openSender(options: HmsOptions, context: ProviderContext): Promise<Sender> {
  const secret = await readOrFail((report) => readClientSecret(options, report))
  const authorities = await readAuthorities(options, fail)
  return new HmsSender(secret, options, authorities, context)
}

class HmsSender implements Sender {
  readonly #posts: AuthorizedPosts
  readonly #attempts = new Attempts(DEADLINE_MS)

  constructor(secret: Secret, options: HmsOptions, authorities: string | undefined, context: ProviderContext) {
    const { dial, answered, nowMs } = context
    const endpoint = new URL(options.endpoint ?? PUSH_KIT)
    const source = tokenSource(options, secret)
    const pushKit = { ...hostAndPort(endpoint), dial, answered, authorities }
    const oauth = { ...hostAndPort(source.address), dial, authorities }
    const maxConnections = options.max_connections ?? DEFAULT_CONNECTIONS
    this.#posts = new AuthorizedPosts({
      connections: new Connections(() => openConnection(pushKit, RULES), { maxConnections }),
      tokenConnections: new Connections(() => openConnection(oauth, RULES), { maxConnections: 1 }),
      source,
      authority: endpoint.host,
      path: `/v2/${options.project_id}/messages:send`,
      contentType: 'application/json;charset=UTF-8',
      outcomeOf,
      refusesAccessToken,
      nowMs,
    })
  }

  async send({ body }: Message, pushkey: Secret, signal: AbortSignal, answered?: Answered): Promise<Outcome> {
    const token = pushkey.reveal()
    if (!isPossibleToken(token)) return { kind: 'rejected', reason: 'not a push token', isLocal: true }
    // The message is a JSON object already: its target is appended to its text. Anything else was left by an app of another type.
    if (!body.startsWith('{"') || !body.endsWith('}')) return { kind: 'failed', reason: 'not a message of Push Kit' }
    const whole = `{"message":${body.slice(0, -1)},"token":[${JSON.stringify(token)}]}}`
    return this.#attempts.run(signal, (attempt) => this.#posts.post(whole, attempt), answered)
  }

  async check(signal: AbortSignal): Promise<CheckResult> {
    const body = JSON.stringify({ validate_only: true, message: { data: '{"sync":"1"}', token: [CHECK_TOKEN] } })
    const outcome = await this.#attempts.run(signal, (attempt) => this.#posts.post(body, attempt))
    // Whatever Huawei finds wrong with a message to a made-up token, it has let us in.
    return outcome.kind === 'retry' || outcome.kind === 'blocked' ? { ok: false, reason: outcome.reason } : { ok: true }
  }

  async close(): Promise<void> {
    await this.#attempts.close()
    await this.#posts.close()
  }
}

/** OAuth 2.0 client credentials (RFC 6749 §4.4), in the body as Huawei asks. */
function tokenSource({ client_id, oauth_endpoint = OAUTH }: HmsOptions, secret: Secret): TokenSource {
  return {
    address: new URL(TOKEN_PATH, oauth_endpoint),
    form: () => ({ grant_type: 'client_credentials', client_id, client_secret: secret.reveal() }),
    outcomeOf: tokenOutcome,
  }
}
