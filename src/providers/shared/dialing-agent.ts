/**
 * An HTTPS agent over connections that are dialled for it. It counts them itself: Node's agent counts a connection only once it is there, and when
 * one does not come about, forgets the requests that wait for it.
 */
import type { ClientRequest, RequestOptions } from 'node:http'
import { Agent, type AgentOptions } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { DialError } from '../../core/errors.ts'
import type { Dial } from '../../core/provider.ts'

export interface DialingAgentOptions extends Omit<AgentOptions, 'maxSockets' | 'lookup'> {
  readonly dial: Dial
  /** Connections to one host and port at once; the others wait. */
  readonly maxConnections?: number | undefined
  readonly lookup?: LookupFunction | undefined
  /** For TCP, a proxy's answer and TLS together. */
  readonly connectMs?: number | undefined
}

interface Waiting {
  readonly request: ClientRequest
  readonly options: RequestOptions
}

/** The requests to one host and port. */
interface Line {
  busy: number
  readonly waiting: Waiting[]
}

type OnConnection = NonNullable<Parameters<Agent['createConnection']>[1]>

const CONNECT_MS = 4000

/**
 * What every agent inherits and what calls `createConnection`. Undocumented, but what agent-base and others build upon;
 * test/providers/shared/dialing-agent.test.ts fails the day it goes.
 */
const addRequest: unknown = Reflect.get(Agent.prototype, 'addRequest')

export class DialingAgent extends Agent {
  readonly #dial: Dial
  readonly #lookup: LookupFunction | undefined
  readonly #maxConnections: number
  readonly #connectMs: number
  readonly #lines = new Map<string, Line>()

  constructor({ dial, maxConnections = Infinity, lookup, connectMs = CONNECT_MS, ...options }: DialingAgentOptions) {
    super({ ...options, maxFreeSockets: maxConnections })
    this.#dial = dial
    this.#lookup = lookup
    this.#maxConnections = maxConnections
    this.#connectMs = connectMs
  }

  /** Called by Node for each request that uses this agent, before it has a socket. */
  addRequest(request: ClientRequest, options: RequestOptions): void {
    const name = `${options.host}:${options.port}`
    const line = this.#lines.get(name) ?? { busy: 0, waiting: [] }
    this.#lines.set(name, line)
    line.waiting.push({ request, options })
    this.#admit(name, line)
  }

  /** Called by Node when no connection is free. */
  override createConnection(options: RequestOptions, onConnection: OnConnection = () => {}): undefined {
    this.#connect(options).then(
      (connection) => onConnection(null, connection),
      // Node's types leave out that there is no connection then.
      (error: unknown) => Reflect.apply(onConnection, undefined, [error]),
    )
  }

  async #connect(options: RequestOptions): Promise<Duplex> {
    const limit = AbortSignal.timeout(this.#connectMs)
    const socket = await this.#dial(options.host ?? '', Number(options.port), limit, this.#lookup)
    const overSocket: RequestOptions & Pick<ConnectionOptions, 'socket'> = { ...options, socket }
    const connection = super.createConnection(overSocket)
    if (connection === null || connection === undefined) throw new TypeError('no TLS connection')
    // A proxy may let us through to somebody who does not speak.
    const cutOff = (): void => void connection.destroy(new DialError('timed out'))
    limit.addEventListener('abort', cutOff)
    connection.once('secureConnect', () => limit.removeEventListener('abort', cutOff))
    return connection
  }

  #admit(name: string, line: Line): void {
    while (line.busy < this.#maxConnections) {
      const next = line.waiting.shift()
      if (next === undefined) break
      if (!next.request.destroyed) this.#start(next, name, line)
    }
    if (line.busy === 0 && this.#lines.get(name) === line) this.#lines.delete(name)
  }

  #start({ request, options }: Waiting, name: string, line: Line): void {
    if (typeof addRequest !== 'function') throw new TypeError('this Node.js has no Agent.addRequest')
    line.busy += 1
    request.once('close', () => {
      line.busy -= 1
      // Its connection is free right after this event.
      process.nextTick(() => this.#admit(name, line))
    })
    Reflect.apply(addRequest, this, [request, options])
  }
}
