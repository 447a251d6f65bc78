/** Sends to endpoints that pushers name: Web Push and UnifiedPush. What differs between these is passed in. */
import { Deadlines } from '../../../core/deadlines.ts'
import type { Message } from '../../../core/message.ts'
import type { Outcome } from '../../../core/outcome.ts'
import type { Answered, CheckResult, ProviderContext, Sender } from '../../../core/provider.ts'
import type { Secret } from '../../../core/secret.ts'
import { Throttle } from '../../../core/throttle.ts'
import type { AnswerHead, LostRequest } from '../answers.ts'
import { Attempts } from '../attempts.ts'
import type { Attempt } from '../connections/attempt.ts'
import type { Target as ConnectionTarget } from '../connections/connect.ts'
import { FLOOD } from '../connections/flood.ts'
import { hostAndPort } from '../host-and-port.ts'
import { fail, readAuthorities } from '../inspect.ts'
import { isUnknownToProxy } from './answers.ts'
import { Destinations, type Visit } from './destinations.ts'
import { createLookup, createPublicLookup, resolveLocally, type Resolve } from './lookup.ts'
import { Origins } from './origins.ts'
import { ProxyRefusals } from './proxy-refusals.ts'
import { createTargetReader, type BadTarget, type EndpointRules, type Target } from './target.ts'

const DEADLINE_MS = 10_000
/** For a host that has never taken a push. Longer than a connection may take to open, so that it is heard of why one did not. */
const FIRST_DEADLINE_MS = 5000
const WARNING_INTERVAL_MS = 3600_000
const BAD_KEYS: Outcome = { kind: 'rejected', reason: 'bad_keys', isLocal: true }
const REFUSED_BY_PROXY =
  'The proxy answers 401 or 407 for a host that an endpoint names; its pushes wait, and those of other hosts go on'

/** How this push service wants it. */
export interface EndpointProtocol {
  readonly rules: EndpointRules
  readonly maxConnections: number
  /** For the log, of endpoints that the rules keep pushes from. */
  readonly notAllowed: string
  /** The `Authorization` header for an origin, where it wants one. */
  readonly authorizationFor?: ((origin: string) => string) | undefined
  /** It was refused. */
  readonly dropAuthorization?: ((origin: string) => void) | undefined
  /** What is sent of a message; undefined when there is no encrypting for the target's keys. */
  readonly bodyFor: (body: string, target: Target) => Buffer | undefined
  readonly outcomeOf: (answer: AnswerHead | LostRequest, nowMs: number) => Outcome
  readonly check: (signal: AbortSignal) => Promise<CheckResult>
}

interface WayOptions {
  /** Connect there, whatever host an endpoint names. */
  readonly endpoint?: string | undefined
  readonly ca_file?: string | undefined
}

/** Whom to connect to for a target. `resolve`: how names of hosts become addresses, before these are checked. */
export async function openWay(
  options: WayOptions,
  { dial, answered }: Pick<ProviderContext, 'dial' | 'answered'>,
  resolve: Resolve,
): Promise<(target: Target) => ConnectionTarget> {
  const authorities = await readAuthorities(options, fail)
  const way = options.endpoint === undefined ? undefined : hostAndPort(new URL(options.endpoint))
  // Behind a proxy names are the proxy's business: it must not lead into our network.
  const toPublic = createPublicLookup(resolve)
  const toAny = createLookup(resolveLocally)
  return ({ endpoint, mayBePrivate, isNamed }) => {
    const { host: name, port } = hostAndPort(endpoint)
    const lookup = mayBePrivate || way !== undefined ? toAny : toPublic
    const isStranger = !isNamed && way === undefined
    return { ...(way ?? { host: name, port }), name, dial, answered, lookup, isStranger, authorities }
  }
}

/** A message as it goes out. */
interface Sealed extends Pick<Message, 'headers'> {
  readonly body: Buffer
}

export class EndpointSender implements Sender {
  readonly #protocol: EndpointProtocol
  readonly #targetFor: (target: Target) => ConnectionTarget
  readonly #origins: Origins
  readonly #nowMs: () => number
  readonly #destinations: Destinations
  readonly #proxyRefusals = new ProxyRefusals()
  readonly #readTarget: (target: Secret) => Target | BadTarget
  readonly #warn: (message: string) => void
  readonly #warnings: Throttle
  readonly #attempts = new Attempts(DEADLINE_MS)
  readonly #firstDeadlines = new Deadlines(FIRST_DEADLINE_MS)

  constructor(
    protocol: EndpointProtocol,
    targetFor: (target: Target) => ConnectionTarget,
    { nowMs, concurrency, warn }: Pick<ProviderContext, 'nowMs' | 'concurrency' | 'warn'>,
  ) {
    this.#protocol = protocol
    this.#targetFor = targetFor
    this.#origins = new Origins(protocol.maxConnections)
    this.#nowMs = nowMs
    this.#destinations = new Destinations(concurrency, nowMs)
    this.#readTarget = createTargetReader(protocol.rules)
    this.#warn = warn
    this.#warnings = new Throttle(WARNING_INTERVAL_MS, nowMs)
  }

  async send(message: Message, target: Secret, signal: AbortSignal, answered?: Answered): Promise<Outcome> {
    const outcome = await this.#attempts.run(
      signal,
      async (attempt) => {
        const found = this.#readTarget(target)
        if (found.kind === 'rejected') return { ...found, isLocal: true }
        if (found.kind !== 'target') return found
        const visit = this.#destinations.admit(found)
        if ('kind' in visit) return visit
        const first = visit.isFirst ? this.#firstDeadlines.add(() => attempt.cutOff('deadline')) : undefined
        try {
          const body = this.#protocol.bodyFor(message.body, found)
          return body === undefined ? BAD_KEYS : await this.#send({ ...message, body }, found, visit, attempt)
        } finally {
          first?.cancel()
          visit.end()
        }
      },
      answered,
    )
    if (outcome.kind === 'dropped') this.#warnOf(this.#protocol.notAllowed)
    return outcome
  }

  check(signal: AbortSignal): Promise<CheckResult> {
    return this.#protocol.check(signal)
  }

  async close(): Promise<void> {
    await this.#attempts.close()
    await this.#origins.close()
  }

  async #send({ headers, body }: Sealed, target: Target, visit: Visit, attempt: Attempt): Promise<Outcome> {
    const { host, origin, pathname, search } = target.endpoint
    const authorization = this.#protocol.authorizationFor?.(origin)
    const fields = authorization === undefined ? [] : ['authorization', authorization]
    fields.push(
      'content-encoding',
      'aes128gcm',
      'content-type',
      'application/octet-stream',
      'content-length',
      String(body.length),
    )
    for (const [name, value] of Object.entries(headers)) fields.push(name, value)
    const connections = this.#origins.of(origin, () => this.#targetFor(target))
    const answer = await connections.post({ authority: host, path: pathname + search, headers: fields, body }, attempt)
    if (answer.kind === 'lost') return this.#outcomeOfLost(answer, target, visit, attempt)
    this.#proxyRefusals.letThrough()
    if (answer.status === 401 || answer.status === 403) this.#protocol.dropAuthorization?.(origin)
    const revives = visit.answered(answer)
    const outcome = this.#protocol.outcomeOf(answer, this.#nowMs())
    return revives === undefined ? outcome : { ...outcome, revives }
  }

  #outcomeOfLost(lost: LostRequest, { endpoint, isNamed }: Target, visit: Visit, attempt: Attempt): Outcome {
    if (isUnknownToProxy(lost) && !this.#proxyRefusals.isProof(endpoint.hostname, isNamed)) {
      this.#warnOf(REFUSED_BY_PROXY)
      return visit.leaveAlone()
    }
    if (attempt.cutOffBy !== 'aborted' && isAway(lost)) visit.lost(lost)
    return this.#protocol.outcomeOf(lost, this.#nowMs())
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
