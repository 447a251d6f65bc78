/** One of Apple's two environments: a push goes out on one of its connections, with the token of the moment. */
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import { outcomeOf } from './answers.ts'
import type { Target } from './connect.ts'
import { Connections, type ConnectionLimits } from './connections.ts'
import type { ProviderToken } from './provider-token.ts'
import { openSession, type SessionTimes } from './session.ts'

export type Limits = SessionTimes & ConnectionLimits

export class Environment {
  readonly #connections: Connections
  /** Absent where the connection itself carries the credential. */
  readonly #token: ProviderToken | undefined
  readonly #nowMs: () => number

  constructor(target: Target, token: ProviderToken | undefined, nowMs: () => number, limits: Limits) {
    // Only with a token does Apple begin with one stream: the certificate was proven before the first.
    const startsWarm = token === undefined
    this.#connections = new Connections(() => openSession(target, startsWarm, limits), limits)
    this.#token = token
    this.#nowMs = nowMs
  }

  /** `device`: a device token in hex. */
  async send(message: Message, device: string, signal: AbortSignal): Promise<Outcome> {
    const first = await this.#attempt(message, device, signal)
    const { outcome, authorization } = first
    if (!('reason' in outcome) || outcome.reason !== 'ExpiredProviderToken') return outcome
    // Nothing was sent, and a fresh token settles it: no reason to wait for the queue.
    if (authorization === undefined || this.#token?.replace(authorization) !== true) return outcome
    return (await this.#attempt(message, device, signal)).outcome
  }

  async close(): Promise<void> {
    await this.#connections.close()
  }

  async #attempt(
    message: Message,
    device: string,
    signal: AbortSignal,
  ): Promise<{ readonly outcome: Outcome; readonly authorization?: string | undefined }> {
    const lease = await this.#connections.lease(signal)
    if ('outcome' in lease) return lease
    const { session } = lease
    const authorization = this.#token?.current()
    const headers = {
      ':path': `/3/device/${device}`,
      ...message.headers,
      ...(authorization === undefined ? {} : { authorization }),
    }
    const outcome = outcomeOf(await session.exchange({ headers, body: message.body }, signal), this.#nowMs())
    // Apple: both are about this connection alone.
    if ('reason' in outcome && ['UnrelatedKeyIdInToken', 'Shutdown'].includes(outcome.reason)) session.leave()
    return { outcome, authorization }
  }
}
