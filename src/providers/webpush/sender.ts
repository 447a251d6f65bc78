/** Sends to whatever push services the browsers use. The only import of web-push, which signs; encryption and connections are ours. */
import webPush from 'web-push'
import { Deadlines } from '../../core/deadlines.ts'
import { encrypt } from '../../core/encrypt.ts'
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'
import { Throttle } from '../../core/throttle.ts'
import type { LostRequest } from '../shared/answers.ts'
import { Attempts } from '../shared/attempts.ts'
import type { Attempt } from '../shared/connections/attempt.ts'
import type { Target as ConnectionTarget } from '../shared/connections/connect.ts'
import { FLOOD } from '../shared/connections/flood.ts'
import { hostAndPort } from '../shared/host-and-port.ts'
import { fail, readAuthorities, readOrFail } from '../shared/inspect.ts'
import { isUnknownToProxy, outcomeOf } from './answers.ts'
import { Destinations, type Visit } from './destinations.ts'
import { createDnsResolve, createLookup, createPublicLookup, resolveLocally } from './lookup.ts'
import { DEFAULT_CONNECTIONS, type WebPushOptions } from './options.ts'
import { Origins } from './origins.ts'
import { ProxyRefusals } from './proxy-refusals.ts'
import { createTargetReader, NOT_ALLOWED, type BadTarget, type Target } from './target.ts'
import { unifiedPushBody } from './unified-push.ts'
import { readVapidKey, type VapidKey } from './vapid-key.ts'
import { VapidHeaders } from './vapid.ts'

const DEADLINE_MS = 10_000
/** For a host that has never taken a push. Longer than a connection may take to open, so that it is heard of why one did not. */
const FIRST_DEADLINE_MS = 5000
const WARNING_INTERVAL_MS = 3600_000
const BAD_KEYS: Outcome = { kind: 'rejected', reason: 'bad_keys', isLocal: true }
const REFUSED_BY_PROXY =
  'The proxy answers 401 or 407 for a host that an endpoint names; its pushes wait, and those of other hosts go on'
/** For a check: nobody's push service. */
const EXAMPLE_ORIGIN = 'https://push.example.org'

/** `resolve`: how names of hosts become addresses, before these are checked. */
export async function openSender(
  options: WebPushOptions,
  context: ProviderContext,
  resolve = createDnsResolve(),
): Promise<Sender> {
  const key = await readOrFail((report) => readVapidKey(options, report))
  const authorities = await readAuthorities(options, fail)
  const way = options.endpoint === undefined ? undefined : hostAndPort(new URL(options.endpoint))
  // Behind a proxy names are the proxy's business: it must not lead into our network.
  const toPublic = createPublicLookup(resolve)
  const toAny = createLookup(resolveLocally)
  const targetFor = ({ endpoint, mayBePrivate, isNamed }: Target): ConnectionTarget => {
    const { host: name, port } = hostAndPort(endpoint)
    const lookup = mayBePrivate || way !== undefined ? toAny : toPublic
    const isStranger = !isNamed && way === undefined
    return {
      ...(way ?? { host: name, port }),
      name,
      dial: context.dial,
      answered: context.answered,
      lookup,
      isStranger,
      authorities,
    }
  }
  return new WebPushSender(key, options, targetFor, context)
}

/** A message as it goes out. */
interface Sealed extends Pick<Message, 'headers'> {
  readonly body: Buffer
}

class WebPushSender implements Sender {
  readonly #vapid: VapidHeaders
  readonly #targetFor: (target: Target) => ConnectionTarget
  readonly #origins: Origins
  readonly #nowMs: () => number
  readonly #destinations: Destinations
  readonly #proxyRefusals = new ProxyRefusals()
  readonly #readTarget: (target: string) => Target | BadTarget
  readonly #warn: (message: string) => void
  readonly #warnings: Throttle
  readonly #attempts = new Attempts(DEADLINE_MS)
  readonly #firstDeadlines = new Deadlines(FIRST_DEADLINE_MS)

  constructor(
    key: VapidKey,
    options: WebPushOptions,
    targetFor: (target: Target) => ConnectionTarget,
    { nowMs, concurrency, warn }: ProviderContext,
  ) {
    this.#vapid = new VapidHeaders(key, options.vapid_subject, webPush.getVapidHeaders, nowMs)
    this.#targetFor = targetFor
    this.#origins = new Origins(options.max_connections ?? DEFAULT_CONNECTIONS)
    this.#nowMs = nowMs
    this.#destinations = new Destinations(concurrency, nowMs)
    this.#readTarget = createTargetReader(options)
    this.#warn = warn
    this.#warnings = new Throttle(WARNING_INTERVAL_MS, nowMs)
  }

  async send(message: Message, target: Secret, signal: AbortSignal): Promise<Outcome> {
    const outcome = await this.#attempts.run(signal, async (attempt) => {
      const found = this.#readTarget(target.reveal())
      if (found.kind === 'rejected') return { ...found, isLocal: true }
      if (found.kind !== 'target') return found
      const visit = this.#destinations.admit(found)
      if ('kind' in visit) return visit
      const first = visit.isFirst ? this.#firstDeadlines.add(() => attempt.cutOff('deadline')) : undefined
      try {
        const body = bodyFor(message.body, found)
        return body === undefined ? BAD_KEYS : await this.#send({ ...message, body }, found, visit, attempt)
      } finally {
        first?.cancel()
        visit.end()
      }
    })
    if (outcome.kind === 'dropped') this.#warnOf(NOT_ALLOWED)
    return outcome
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

  async #send({ headers, body }: Sealed, target: Target, visit: Visit, attempt: Attempt): Promise<Outcome> {
    const { host, origin, pathname, search } = target.endpoint
    const fields = [
      'authorization',
      this.#vapid.get(origin),
      'content-encoding',
      'aes128gcm',
      'content-type',
      'application/octet-stream',
      'content-length',
      String(body.length),
    ]
    for (const [name, value] of Object.entries(headers)) fields.push(name, value)
    const connections = this.#origins.of(origin, () => this.#targetFor(target))
    const answer = await connections.post({ authority: host, path: pathname + search, headers: fields, body }, attempt)
    if (answer.kind === 'lost') return this.#outcomeOfLost(answer, target, visit, attempt)
    this.#proxyRefusals.letThrough()
    if (answer.status === 401 || answer.status === 403) this.#vapid.drop(origin)
    const revives = visit.answered(answer)
    const outcome = outcomeOf(answer, this.#nowMs())
    return revives === undefined ? outcome : { ...outcome, revives }
  }

  #outcomeOfLost(lost: LostRequest, { endpoint, isNamed }: Target, visit: Visit, attempt: Attempt): Outcome {
    if (isUnknownToProxy(lost) && !this.#proxyRefusals.isProof(endpoint.hostname, isNamed)) {
      this.#warnOf(REFUSED_BY_PROXY)
      return visit.leaveAlone()
    }
    if (attempt.cutOffBy !== 'aborted' && isAway(lost)) visit.lost(lost)
    return outcomeOf(lost, this.#nowMs())
  }

  #warnOf(message: string): void {
    if (this.#warnings.allows(message)) this.#warn(message)
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
