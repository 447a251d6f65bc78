/** One of Apple's two environments: a push goes out on one of its connections, with the token of the moment. */
import { Deadlines } from '../../core/deadlines.ts'
import type { Message } from '../../core/message.ts'
import type { Outcome } from '../../core/outcome.ts'
import type { Attempt } from '../shared/connections/attempt.ts'
import type { Target } from '../shared/connections/connect.ts'
import type { ConnectionRules, Reading } from '../shared/connections/connection.ts'
import { Connections, type ConnectionLimits } from '../shared/connections/connections.ts'
import { openConnection } from '../shared/connections/open-connection.ts'
import { outcomeOf } from './answers.ts'
import type { ProviderToken } from './provider-token.ts'

type Times = Pick<ConnectionRules, 'connectMs' | 'pingEveryMs' | 'pingMs'>

export interface Limits extends Times, ConnectionLimits {
  /** From the moment a request is written. */
  readonly answerMs: number
  /** For all of an attempt. */
  readonly attemptMs: number
}

/** A push is accepted with the head of its answer; of a refusal there is as much of the body as came. Apple's answers are far below 1 KiB. */
const READING: Reading = { isEnough: (status) => status === 200, maxBytes: 8192, takesPart: true }

interface Requested {
  readonly outcome: Outcome
  readonly authorization?: string | undefined
}

export class Environment {
  readonly #authority: string
  readonly #connections: Connections
  readonly #answers: Deadlines
  /** Absent where the connection itself carries the credential. */
  readonly #token: ProviderToken | undefined
  readonly #nowMs: () => number

  constructor(target: Target, token: ProviderToken | undefined, nowMs: () => number, limits: Limits) {
    // Only with a token does Apple begin with one stream: the certificate was proven before the first.
    const rules: ConnectionRules = { ...limits, protocols: ['h2'], reading: READING, startsCold: token !== undefined }
    this.#authority = `${target.host}:${target.port}`
    this.#connections = new Connections(() => openConnection(target, rules), limits)
    this.#answers = new Deadlines(limits.answerMs)
    this.#token = token
    this.#nowMs = nowMs
  }

  /** `device`: a device token in hex. */
  async send(message: Message, device: string, attempt: Attempt): Promise<Outcome> {
    const first = await this.#request(message, device, attempt)
    const { outcome, authorization } = first
    if (!('reason' in outcome) || outcome.reason !== 'ExpiredProviderToken') return outcome
    // Nothing was sent, and a fresh token settles it: no reason to wait for the queue.
    if (authorization === undefined || this.#token?.replace(authorization) !== true) return outcome
    return (await this.#request(message, device, attempt)).outcome
  }

  async close(): Promise<void> {
    await this.#connections.close()
  }

  async #request({ headers, body }: Message, device: string, attempt: Attempt): Promise<Requested> {
    const connection = await this.#connections.lease(attempt)
    if ('kind' in connection) return { outcome: outcomeOf(connection, this.#nowMs()) }
    const authorization = this.#token?.current()
    const list = authorization === undefined ? [] : ['authorization', authorization]
    for (const [name, value] of Object.entries(headers)) list.push(name, value)
    const request = { authority: this.#authority, path: `/3/device/${device}`, headers: list, body }
    const deadline = this.#answers.add(() => attempt.cutOff('no answer in time'))
    const answer = await connection.exchange(request, attempt)
    deadline.cancel()
    const outcome = outcomeOf(answer, this.#nowMs())
    // Apple: both are about this connection alone.
    if ('reason' in outcome && ['UnrelatedKeyIdInToken', 'Shutdown'].includes(outcome.reason)) connection.leave()
    return { outcome: withServiceId(outcome, headers['apns-id']), authorization }
  }
}

/** APNs answers with the `apns-id` that it was given. */
function withServiceId(outcome: Outcome, serviceId: string | undefined): Outcome {
  return outcome.kind === 'delivered' && serviceId !== undefined ? { ...outcome, serviceId } : outcome
}
