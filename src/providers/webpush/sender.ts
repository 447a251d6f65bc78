/** Sends to whatever push services the browsers use. The only import of web-push, which signs; encryption and connections are ours. */
import webPush from 'web-push'
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import type { LostRequest } from '../shared/answers.ts'
import { Attempts } from '../shared/attempts.ts'
import type { Attempt } from '../shared/connections/attempt.ts'
import type { Target as ConnectionTarget } from '../shared/connections/connect.ts'
import { FLOOD } from '../shared/connections/flood.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { isUnknownToProxy, outcomeOf } from './answers.ts'
import { encrypt } from '../../core/encrypt.ts'
import { HostPauses } from './host-pauses.ts'
import { createDnsResolve, createLookup, createPublicLookup, resolveLocally } from './lookup.ts'
import { DEFAULT_CONNECTIONS, type WebPushOptions } from './options.ts'
import { Origins } from './origins.ts'
import { createTargetReader, type BadTarget, type Target } from './target.ts'
import { unifiedPushBody } from './unified-push.ts'
import { readVapidKey, type VapidKey } from './vapid-key.ts'
import { VapidHeaders } from './vapid.ts'

const DEADLINE_MS = 10_000
/** For a push to a host that keeps many others waiting. */
const SLOW_FLOOR_MS = 2000
const HOST_SLOW: Outcome = {
  kind: 'retry',
  reason: 'host_slow',
  scope: 'target',
  ambiguous: false,
  floorMs: SLOW_FLOOR_MS,
}
/** For a check: nobody's push service. */
const EXAMPLE_ORIGIN = 'https://push.example.org'

/** `resolve`: how names of hosts become addresses, before these are checked. */
export async function openSender(
  options: WebPushOptions,
  { nowMs, dial }: ProviderContext,
  resolve = createDnsResolve(),
): Promise<Sender> {
  const key = await readOrFail((report) => readVapidKey(options, report))
  const authorities = await readAuthorities(options, fail)
  const way = options.endpoint === undefined ? undefined : hostAndPort(new URL(options.endpoint))
  // Behind a proxy names are the proxy's business: it must not lead into our network.
  const toPublic = createPublicLookup(resolve)
  const toAny = createLookup(resolveLocally)
  const targetFor = ({ endpoint, mayBePrivate }: Target): ConnectionTarget => {
    const { host: name, port } = hostAndPort(endpoint)
    const lookup = mayBePrivate || way !== undefined ? toAny : toPublic
    return { ...(way ?? { host: name, port }), name, dial, lookup, authorities }
  }
  return new WebPushSender(key, options, targetFor, nowMs)
}

class WebPushSender implements Sender {
  readonly #vapid: VapidHeaders
  readonly #targetFor: (target: Target) => ConnectionTarget
  readonly #origins: Origins
  readonly #nowMs: () => number
  readonly #pauses: HostPauses
  readonly #readTarget: (target: string) => Target | BadTarget
  readonly #attempts = new Attempts(DEADLINE_MS)

  constructor(
    key: VapidKey,
    options: WebPushOptions,
    targetFor: (target: Target) => ConnectionTarget,
    nowMs: () => number,
  ) {
    this.#vapid = new VapidHeaders(key, options.vapid_subject, webPush.getVapidHeaders, nowMs)
    this.#targetFor = targetFor
    this.#origins = new Origins(options.max_connections ?? DEFAULT_CONNECTIONS)
    this.#nowMs = nowMs
    this.#pauses = new HostPauses(nowMs)
    this.#readTarget = createTargetReader(options)
  }

  send(message: Message, target: Secret, signal: AbortSignal): Promise<Outcome> {
    return this.#attempts.run(signal, async (attempt) => {
      const found = this.#readTarget(target.reveal())
      if (found.kind === 'rejected') return found
      const { host } = found.endpoint
      if (this.#pauses.isSlow(host)) return HOST_SLOW
      const pause = this.#pauses.pauseOf(host)
      if (pause !== undefined) return { kind: 'waits', reason: 'host_paused', group: host, ...pause }
      const body = bodyFor(message.body, found)
      return body === undefined ? { kind: 'rejected', reason: 'bad_keys' } : this.#send(message, body, found, attempt)
    })
  }

  /** There is no push service to ask: each browser has its own. */
  async check(): Promise<CheckResult> {
    try {
      this.#vapid.get(EXAMPLE_ORIGIN)
      return { ok: true }
    } catch {
      return { ok: false, reason: 'cannot sign with the VAPID key' }
    }
  }

  async close(): Promise<void> {
    await this.#attempts.close()
    await this.#origins.close()
  }

  async #send(message: Message, body: Buffer, target: Target, attempt: Attempt): Promise<Outcome> {
    const { host, origin, pathname, search } = target.endpoint
    const headers = [
      'authorization',
      this.#vapid.get(origin),
      'content-encoding',
      'aes128gcm',
      'content-type',
      'application/octet-stream',
      'content-length',
      String(body.length),
    ]
    for (const [name, value] of Object.entries(message.headers)) headers.push(name, value)
    const connections = this.#origins.of(origin, () => this.#targetFor(target))
    const end = this.#pauses.begin(host)
    const answer = await connections
      .post({ authority: host, path: pathname + search, headers, body }, attempt)
      .finally(end)
    const isBack = answer.kind === 'answer' && this.#pauses.answered(host)
    if (answer.kind === 'lost' && attempt.cutOffBy !== 'aborted' && isAway(answer)) this.#pauses.lost(host, answer)
    if (answer.kind === 'answer' && (answer.status === 401 || answer.status === 403)) this.#vapid.drop(origin)
    const outcome = outcomeOf(answer, this.#nowMs())
    return isBack ? { ...outcome, revives: host } : outcome
  }
}

/** It cost us time. Not a connection that broke: when a proxy ends, all of them break. */
function isAway(lost: LostRequest): boolean {
  const isFaultOfProxy = lost.isProxyAway === true || isUnknownToProxy(lost)
  const hasNoWay = !lost.written && lost.isUnprocessed !== true
  return !isFaultOfProxy && (hasNoWay || lost.code === 'deadline' || lost.code === FLOOD)
}

/** Undefined when there is no encrypting for these keys. */
function bodyFor(json: string, { keys }: Target): Buffer | undefined {
  return keys === undefined ? Buffer.from(unifiedPushBody(json)) : encrypt(json, keys)
}
