/**
 * A simulated Push Kit with its OAuth token endpoint, on one HTTPS port: strict as Huawei's documents (docs/facts/hms.md), and answering as the push token says
 * (script.ts; `r80300007` is a code), or with a status for all that comes.
 */
import { randomUUID } from 'node:crypto'
import { isJsonObject, jsonObjectOf, type JsonObject } from '../core/json.ts'
import type { Authority } from './certificate.ts'
import { startHttpsFront, type FrontAnswer, type FrontRequest, type HttpsFront } from './https-front.ts'
import { ScriptedAnswers, type Script } from './script.ts'

/** One request to send a message, refused or not. */
export interface ReceivedHmsPush {
  /** '' when the request was refused before it was read. */
  readonly token: string
  readonly message?: JsonObject | undefined
  readonly validateOnly: boolean
  readonly status?: number | undefined
  /** Push Kit's code. */
  readonly code?: string | undefined
  readonly atMs: number
}

export interface HmsSimulatorOptions {
  readonly authority: Authority
  readonly projectId: string
  readonly clientId: string
  readonly clientSecret: string
  /** Default: loopback. */
  readonly host?: string | undefined
  /** Default: any free one. */
  readonly port?: number | undefined
  readonly onPush?: ((push: ReceivedHmsPush) => void) | undefined
  readonly nowMs?: (() => number) | undefined
}

interface Reply {
  readonly status: number
  readonly code: string
  readonly msg?: string
}

const LIFETIME_SECONDS = 3600
const MAX_BYTES = 4096
const MAX_TTL_SECONDS = 1_296_000
/** What goes with a code, where it is not 400. */
const STATUSES: Readonly<Record<string, number>> = { 80000000: 200, 80200001: 401, 80200003: 401, 81000001: 500 }
const SUCCESS: Reply = { status: 200, code: '80000000', msg: 'Success' }

export async function startHmsSimulator(options: HmsSimulatorOptions): Promise<HmsSimulator> {
  const simulator = new HmsSimulator(options)
  await simulator.listen()
  return simulator
}

export class HmsSimulator {
  readonly received: ReceivedHmsPush[] = []
  readonly #options: HmsSimulatorOptions
  readonly #nowMs: () => number
  readonly #scripts = new ScriptedAnswers()
  readonly #tokens = new Map<string, number>()
  #front: HttpsFront | undefined
  tokenRequests = 0

  constructor(options: HmsSimulatorOptions) {
    this.#options = options
    this.#nowMs = options.nowMs ?? Date.now
  }

  /** For `endpoint` and `oauth_endpoint`. */
  get url(): string {
    return this.#front?.url ?? ''
  }

  async listen(): Promise<void> {
    const names = ['push-api.cloud.huawei.com', 'oauth-login.cloud.huawei.com']
    this.#front = await startHttpsFront({
      authority: this.#options.authority,
      names,
      host: this.#options.host,
      port: this.#options.port,
      answer: (request) => this.#answer(request),
    })
  }

  /** Every access token given out so far is refused from here on. */
  revokeTokens(): void {
    this.#tokens.clear()
  }

  /** Until it is called again every push is answered by this script, whatever its token says: `s503`. */
  answerAll(options: string | undefined): void {
    this.#scripts.answerAll(options)
  }

  async close(): Promise<void> {
    await this.#front?.close()
  }

  async #answer(request: FrontRequest): Promise<FrontAnswer | undefined> {
    const body = request.body.toString()
    if (request.url === '/oauth2/v3/token') return this.#giveToken(new URLSearchParams(body))
    if (request.url !== `/v2/${this.#options.projectId}/messages:send` || request.method !== 'POST')
      return { status: 404, body: '' }
    const expiresAtMs = this.#tokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '')
    if (expiresAtMs === undefined) return this.#end({ status: 401, code: '80200001' })
    if (expiresAtMs <= this.#nowMs()) return this.#end({ status: 401, code: '80200003' })
    const checked = checkRequest(body)
    if (!('token' in checked)) return this.#end(checked)
    const script = this.#scripts.next(checked.token)
    if (script?.hang === true) return undefined
    if (script?.reset === true) request.reset()
    if (script?.delayMs !== undefined) await new Promise((resolve) => setTimeout(resolve, script.delayMs))
    const code = script?.reason ?? (script?.status === undefined ? SUCCESS.code : undefined)
    const status = script?.status ?? STATUSES[code ?? ''] ?? 400
    const reply = code === SUCCESS.code && status === 200 ? SUCCESS : { status, code: code ?? '' }
    return this.#end(reply, checked, script)
  }

  #end(reply: Reply, push?: Checked, script: Script = {}): FrontAnswer {
    const { status, code, msg = 'refused' } = reply
    const received = { token: '', validateOnly: false, ...push, status, code, atMs: this.#nowMs() }
    this.received.push(received)
    this.#options.onPush?.(received)
    const json = code === '' ? '' : JSON.stringify({ code, msg, requestId: randomUUID() })
    const body = script.emptyBody === true ? '' : script.badJson === true ? '{"code":' : json
    return { status, headers: { 'content-type': 'application/json', 'retry-after': script.retryAfter }, body }
  }

  #giveToken(form: URLSearchParams): FrontAnswer {
    this.tokenRequests += 1
    const { clientId, clientSecret } = this.#options
    const headers = { 'content-type': 'application/json' }
    const isRight =
      form.get('grant_type') === 'client_credentials' &&
      form.get('client_id') === clientId &&
      form.get('client_secret') === clientSecret
    if (!isRight) {
      const refusal = { sub_error: 20044, error_description: 'invalid client', error: 1101 }
      return { status: 400, headers, body: JSON.stringify(refusal) }
    }
    const token = `DQ${randomUUID()}==`
    this.#tokens.set(token, this.#nowMs() + LIFETIME_SECONDS * 1000)
    const granted = { access_token: token, expires_in: LIFETIME_SECONDS, token_type: 'Bearer' }
    return { status: 200, headers, body: JSON.stringify(granted) }
  }
}

type Checked = Omit<ReceivedHmsPush, 'status' | 'code' | 'atMs'>

function checkRequest(body: string): Checked | Reply {
  const whole = jsonObjectOf(body)
  const message = whole?.['message']
  if (!isJsonObject(message)) return refused('80100001')
  const { token, data, android = {}, ...others } = message
  if (!Array.isArray(token) || token.length !== 1) return refused('80300010')
  const [target] = token
  const bytes = Buffer.byteLength(body) - Buffer.byteLength(JSON.stringify(target))
  if (bytes > MAX_BYTES) return refused('80300008')
  if (typeof target !== 'string' || !/^[\x21-\x7e]+$/.test(target)) return refused('80300007')
  if (Object.keys(others).length > 0 || !isJsonObject(android) || !isData(data, android)) return refused('80100003')
  const fault = faultOf(android)
  return fault ?? { token: target, message, validateOnly: whole?.['validate_only'] === true }
}

function faultOf(android: JsonObject): Reply | undefined {
  const { urgency = 'NORMAL', ttl, notification } = android
  if (urgency !== 'NORMAL' && urgency !== 'HIGH') return refused('80100003')
  if (ttl !== undefined && !isTtl(ttl)) return refused('80100004')
  return notification === undefined || isNotification(notification) ? undefined : refused('80100003')
}

/** One text; of a notification message it has to be JSON. */
function isData(data: unknown, { notification }: JsonObject): boolean {
  if (notification === undefined) return typeof data === 'string'
  return data === undefined || (typeof data === 'string' && jsonObjectOf(data) !== undefined)
}

function isTtl(ttl: unknown): boolean {
  const seconds = typeof ttl === 'string' ? /^(\d{1,7})s?$/.exec(ttl)?.[1] : undefined
  return seconds !== undefined && Number(seconds) > 0 && Number(seconds) <= MAX_TTL_SECONDS
}

function isNotification(value: unknown): boolean {
  if (!isJsonObject(value)) return false
  const { title, body, click_action: action, badge, importance = 'NORMAL' } = value
  const isClick = isJsonObject(action) && [1, 2, 3].includes(Number(action['type']))
  const isBadge =
    badge === undefined || (isJsonObject(badge) && typeof badge['class'] === 'string' && isBadgeNumber(badge))
  return (
    typeof title === 'string' &&
    typeof body === 'string' &&
    isClick &&
    isBadge &&
    (importance === 'LOW' || importance === 'NORMAL')
  )
}

function isBadgeNumber({ set_num: number = 0 }: JsonObject): boolean {
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number < 100
}

function refused(code: string): Reply {
  return { status: 400, code }
}
