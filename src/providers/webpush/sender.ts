/** Sends to whatever push services the browsers use: web-push encrypts and signs, the connections are ours. The only import of web-push. */
import webPush from 'web-push'
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { CheckResult, Dial, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import type { LostRequest } from '../shared/answers.ts'
import { DialingAgent } from '../shared/dialing-agent.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { InFlight } from '../shared/in-flight.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { isUnknownToProxy, outcomeOf } from './answers.ts'
import { HostPauses } from './host-pauses.ts'
import { createDnsResolve, createLookup, createPublicLookup, resolveLocally, type Resolve } from './lookup.ts'
import { DEFAULT_CONNECTIONS, type WebPushOptions } from './options.ts'
import { post } from './request.ts'
import { createTargetReader, type BadTarget, type Target } from './target.ts'
import { unifiedPushBody } from './unified-push.ts'
import { readVapidKey, type VapidKey } from './vapid-key.ts'
import { VapidHeaders } from './vapid.ts'

/** Idle connections are closed after this; push services keep them for about a minute. */
const IDLE_MS = 55_000
/** For a check: nobody's push service. */
const EXAMPLE_ORIGIN = 'https://push.example.org'

/** `resolve`: how names of hosts become addresses, before these are checked. */
export async function openSender(
  options: WebPushOptions,
  { nowMs, dial }: ProviderContext,
  resolve = createDnsResolve(),
): Promise<Sender> {
  const key = await readOrFail((report) => readVapidKey(options, report))
  const ca = await readAuthorities(options, fail)
  return new WebPushSender(key, options, createAgents(options, ca, dial, resolve), nowMs)
}

interface Agents {
  /** Connects to public addresses only. Behind a proxy names are the proxy's business: it must not lead into our network. */
  readonly open: DialingAgent
  /** Connects to wherever the operator allows. */
  readonly trusted: DialingAgent
}

function createAgents(options: WebPushOptions, ca: string | undefined, dial: Dial, resolve: Resolve): Agents {
  const maxConnections = options.max_connections ?? DEFAULT_CONNECTIONS
  const common = { dial, maxConnections, keepAlive: true, timeout: IDLE_MS, ...(ca === undefined ? {} : { ca }) }
  return {
    open: new DialingAgent({ ...common, lookup: createPublicLookup(resolve) }),
    trusted: new DialingAgent({ ...common, lookup: createLookup(resolveLocally) }),
  }
}

class WebPushSender implements Sender {
  readonly #vapid: VapidHeaders
  readonly #agents: Agents
  readonly #nowMs: () => number
  readonly #pauses: HostPauses
  readonly #readTarget: (target: string) => Target | BadTarget
  readonly #endpoint: URL | undefined
  readonly #inFlight = new InFlight()

  constructor(key: VapidKey, options: WebPushOptions, agents: Agents, nowMs: () => number) {
    this.#vapid = new VapidHeaders(key, options.vapid_subject, webPush.getVapidHeaders, nowMs)
    this.#agents = agents
    this.#nowMs = nowMs
    this.#pauses = new HostPauses(nowMs)
    this.#readTarget = createTargetReader(options)
    this.#endpoint = options.endpoint === undefined ? undefined : new URL(options.endpoint)
  }

  send(message: Message, target: Secret, signal: AbortSignal): Promise<Outcome> {
    return this.#inFlight.run(async () => {
      const found = this.#readTarget(target.reveal())
      if (found.kind === 'rejected') return found
      const pauseMs = this.#pauses.pauseMs(found.endpoint.host)
      return pauseMs > 0 ? hostPaused(pauseMs) : this.#attempt(message, found, signal)
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
    await this.#inFlight.close()
    this.#agents.open.destroy()
    this.#agents.trusted.destroy()
  }

  async #attempt(message: Message, target: Target, signal: AbortSignal): Promise<Outcome> {
    const { endpoint, mayBePrivate } = target
    const { host, origin, pathname, search } = endpoint
    const body = bodyFor(message.body, target)
    const answer = await post(
      {
        agent: mayBePrivate || this.#endpoint !== undefined ? this.#agents.trusted : this.#agents.open,
        ...hostAndPort(this.#endpoint ?? endpoint),
        path: pathname + search,
        headers: {
          ...message.headers,
          host,
          authorization: this.#vapid.get(origin),
          'content-encoding': 'aes128gcm',
          'content-type': 'application/octet-stream',
          'content-length': body.length,
        },
        body,
      },
      signal,
    )
    if (answer.kind === 'answer') this.#pauses.answered(host)
    else if (!signal.aborted && isAway(answer)) this.#pauses.lost(host)
    if (answer.kind === 'answer' && (answer.status === 401 || answer.status === 403)) this.#vapid.drop(origin)
    return outcomeOf(answer, this.#nowMs())
  }
}

function hostPaused(pauseMs: number): Outcome {
  return { kind: 'retry', reason: 'host_paused', scope: 'target', ambiguous: false, floorMs: pauseMs }
}

/** Not a connection that broke: that cost no time, and when a proxy ends, all of them break. */
function isAway(lost: LostRequest): boolean {
  const isFaultOfProxy = lost.isProxyAway === true || isUnknownToProxy(lost)
  return !isFaultOfProxy && (!lost.written || lost.code === 'deadline')
}

function bodyFor(json: string, { keys }: Target): Buffer {
  if (keys === undefined) return Buffer.from(unifiedPushBody(json))
  return webPush.encrypt(keys.p256dh, keys.auth, json, 'aes128gcm').cipherText
}
