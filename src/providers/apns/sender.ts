/** Sends to APNs: one attempt, one outcome. */
import { forgetOldest } from '../../core/forget-oldest.ts'
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Answered, CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import { OPERATOR_FLOOR_MS } from '../shared/answers.ts'
import { Attempts } from '../shared/attempts.ts'
import type { Attempt } from '../shared/connections/attempt.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { readCredential } from './credentials.ts'
import { deviceToken, type TokenFormat } from './device-token.ts'
import { Environment, type Limits } from './environment.ts'
import { fixedPushType, type ApnsOptions } from './options.ts'
import { providerTokenFor } from './provider-token.ts'

const LIMITS: Limits = {
  connectMs: 5000,
  pingEveryMs: 30_000,
  pingMs: 5000,
  answerMs: 10_000,
  waitMs: 30_000,
  attemptMs: 15_000,
  maxConnections: 4,
}
/** Apple, "Sending notification requests to APNs". */
const PRODUCTION = 'https://api.push.apple.com'
const SANDBOX = 'https://api.sandbox.push.apple.com'
/** With `platform: auto`, devices known to be in the sandbox; beyond that, the oldest costs one more request. */
const MAX_SANDBOX_DEVICES = 50_000
/** A device that does not exist. */
const NO_DEVICE = '0'.repeat(64)

/** Rejects when the files cannot be used, which `inspect` explains. */
export async function openSender(
  options: ApnsOptions,
  context: ProviderContext,
  limits: Limits = LIMITS,
): Promise<Sender> {
  const authorities = await readAuthorities(options, fail)
  const credential = await readOrFail((report) => readCredential(options, report))
  const isCertificate = credential.kind === 'certificate'
  // One expired certificate must not keep the other apps from starting: APNs refuses it, and this app alone waits.
  if (isCertificate && credential.expiresAtMs <= context.nowMs())
    context.warn(
      `cert_file: the certificate expired on ${new Date(credential.expiresAtMs).toISOString().slice(0, 10)}; renew it at developer.apple.com`,
    )
  const token = isCertificate ? undefined : providerTokenFor(credential, context.nowMs)
  const environmentAt = (address: string): Environment => {
    const identity = isCertificate ? credential.tls : undefined
    const target = {
      ...hostAndPort(new URL(address)),
      dial: context.dial,
      answered: context.answered,
      authorities,
      identity,
    }
    return new Environment(target, token, context.nowMs, limits)
  }
  const production = environmentAt(options.endpoint ?? PRODUCTION)
  const sandbox = environmentAt(options.sandbox_endpoint ?? SANDBOX)
  const { platform = 'production', token_format: format = 'auto' } = options
  const setup: Setup = {
    first: platform === 'sandbox' ? sandbox : production,
    second: platform === 'auto' ? sandbox : undefined,
    format,
    headers: headersOf(options, isCertificate ? credential.topic : undefined),
    credentialExpiresAtMs: isCertificate ? credential.expiresAtMs : undefined,
    nowMs: context.nowMs,
  }
  return new ApnsSender(setup, new Attempts(limits.attemptMs, 'aborted'))
}

/** What is on every push, whether it was rendered with it or not. */
function headersOf(options: ApnsOptions, certificateTopic: string | undefined): Message['headers'] {
  const topic = options.topic ?? certificateTopic
  const pushType = fixedPushType(options)
  return {
    ...(topic === undefined ? {} : { 'apns-topic': topic }),
    ...(pushType === undefined ? {} : { 'apns-push-type': pushType }),
  }
}

interface Setup {
  readonly first: Environment
  /** `platform: auto`: for devices that the first does not know. */
  readonly second: Environment | undefined
  readonly format: TokenFormat
  readonly headers: Message['headers']
  readonly credentialExpiresAtMs: number | undefined
  readonly nowMs: () => number
}

class ApnsSender implements Sender {
  readonly #setup: Setup
  readonly #attempts: Attempts
  readonly #inSecond = new Set<string>()
  readonly credentialExpiresAtMs: number | undefined

  constructor(setup: Setup, attempts: Attempts) {
    this.#setup = setup
    this.#attempts = attempts
    this.credentialExpiresAtMs = setup.credentialExpiresAtMs
  }

  async send(message: Message, pushkey: Secret, signal: AbortSignal, answered?: Answered): Promise<Outcome> {
    const device = deviceToken(pushkey.reveal(), this.#setup.format)
    if (device === undefined) return { kind: 'rejected', reason: 'not a device token', isLocal: true }
    const { headers, body } = message
    const whole = { headers: { ...this.#setup.headers, ...headers }, body }
    return this.#attempts.run(signal, (attempt) => this.#sendToEither(whole, device, attempt), answered)
  }

  async check(signal: AbortSignal): Promise<CheckResult> {
    const headers = { ...this.#setup.headers, 'apns-priority': '5', 'apns-expiration': '0' }
    for (const environment of this.#environments()) {
      const message = { headers, body: '{"aps":{"content-available":1}}' }
      const outcome = await this.#attempts.run(signal, (attempt) => environment.send(message, NO_DEVICE, attempt))
      // That the device is unknown is said by an APNs that has accepted the credential and the topic.
      if (outcome.kind !== 'rejected' && outcome.kind !== 'delivered')
        return { ok: false, reason: this.#hasExpired() ? `certificate expired (${outcome.reason})` : outcome.reason }
    }
    return { ok: true }
  }

  /** Apple then ends the connection, mostly without a word. */
  #hasExpired(): boolean {
    const { credentialExpiresAtMs = Infinity, nowMs } = this.#setup
    return credentialExpiresAtMs <= nowMs()
  }

  async close(): Promise<void> {
    await this.#attempts.close()
    await Promise.all(this.#environments().map((environment) => environment.close()))
  }

  async #sendToEither(message: Message, device: string, attempt: Attempt): Promise<Outcome> {
    const { first, second } = this.#setup
    if (second === undefined) return first.send(message, device, attempt)
    const wasInSecond = this.#inSecond.has(device)
    const toFirst = (): Promise<Outcome> => first.send(message, device, attempt)
    const toSecond = async (): Promise<Outcome> => ofSecond(await second.send(message, device, attempt))
    const expected = await (wasInSecond ? toSecond() : toFirst())
    if (!isUnknownDevice(expected)) return expected
    const other = await (wasInSecond ? toFirst() : toSecond())
    if (isUnknownDevice(other) || wasInSecond) this.#inSecond.delete(device)
    else this.#remember(device)
    return other
  }

  #remember(device: string): void {
    this.#inSecond.add(device)
    forgetOldest(this.#inSecond, MAX_SANDBOX_DEVICES)
  }

  #environments(): readonly Environment[] {
    const { first, second } = this.#setup
    return second === undefined ? [first] : [first, second]
  }
}

/**
 * Anybody can register a device that only the sandbox could know, so trouble with the sandbox does not make the app wait: not even a refusal of
 * our credential, for Apple has keys and certificates that are good for production alone (403 BadEnvironmentKeyInToken).
 */
function ofSecond(outcome: Outcome): Outcome {
  if (outcome.kind === 'blocked')
    return { kind: 'retry', reason: outcome.reason, scope: 'target', ambiguous: false, floorMs: OPERATOR_FLOOR_MS }
  if (outcome.kind !== 'retry' || outcome.scope !== 'app') return outcome
  return { ...outcome, scope: 'target', afterMs: undefined, floorMs: outcome.afterMs ?? outcome.floorMs }
}

function isUnknownDevice(outcome: Outcome): boolean {
  return outcome.kind === 'rejected' && outcome.reason === 'BadDeviceToken'
}
