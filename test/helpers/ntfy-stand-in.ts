/**
 * What ntfy 2.13.0 does with a message, its subscribers and its limits (`limitRequestsWithTopic` in server/server_middleware.go, `handlePublishInternal` and `maybeSetRateVisitors` in
 * server/server.go). Its settings are as those of ntfy's server.yml, and one that it does not know is an error.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { parse } from 'yaml'
import type { StartPushServer } from './push-server.ts'

/** `DefaultVisitorRequestLimitBurst`, and `…Replenish`. */
const BURST = 60
const REPLENISH_MS = 5000
const UNIFIEDPUSH_TOPIC = /^up.{12}$/

interface Settings {
  readonly exempt: readonly string[]
  readonly bySubscriber: boolean
}

/** Of an address: what is left of its requests. */
class Visitor {
  #left = BURST
  #seenMs = performance.now()

  mayAsk(): boolean {
    const nowMs = performance.now()
    this.#left = Math.min(BURST, this.#left + (nowMs - this.#seenMs) / REPLENISH_MS)
    this.#seenMs = nowMs
    if (this.#left < 1) return false
    this.#left -= 1
    return true
  }
}

/** What is gone with the process. */
class Limits {
  readonly #settings: Settings
  readonly #visitors = new Map<string, Visitor>()
  /** By topic: who has subscribed, where it counts. */
  readonly #subscribers = new Map<string, Visitor>()

  constructor(settings: Settings) {
    this.#settings = settings
  }

  ofSubscriber(address: string, topics: readonly string[]): number {
    const visitor = this.#visitor(address)
    if (!this.#mayAsk(address, visitor)) return 429
    if (this.#settings.bySubscriber)
      for (const topic of topics) if (UNIFIEDPUSH_TOPIC.test(topic)) this.#subscribers.set(topic, visitor)
    return 200
  }

  ofPublisher(address: string, topic: string): number {
    const subscriber = this.#subscribers.get(topic)
    if (!this.#mayAsk(address, subscriber ?? this.#visitor(address))) return 429
    return this.#settings.bySubscriber && subscriber === undefined ? 507 : 200
  }

  #mayAsk(address: string, counted: Visitor): boolean {
    return this.#settings.exempt.includes(address) || counted.mayAsk()
  }

  #visitor(address: string): Visitor {
    const visitor = this.#visitors.get(address) ?? new Visitor()
    this.#visitors.set(address, visitor)
    return visitor
  }
}

export const startStandIn: StartPushServer = async ({ port, settings }) => {
  const taken = new Map<string, string[]>()
  let server: Server | undefined
  const start = async (): Promise<void> => {
    const limits = new Limits(settingsOf(settings))
    server = createServer((request, response) => {
      answer(request, response, limits, taken).catch(() => response.destroy())
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const kill = async (): Promise<void> => {
    if (server?.listening !== true) return
    const closed = once(server, 'close')
    server.close()
    server.closeAllConnections()
    await closed
  }
  await start()
  return { start, kill, [Symbol.asyncDispose]: kill }
}

/** `POST /TOPIC?up=1` publishes, `GET /TOPIC,TOPIC/json?poll=1` is what a subscriber gets. */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  limits: Limits,
  taken: Map<string, string[]>,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
  const [, names = '', format, ...more] = pathname.split('/')
  const address = String(request.headers['x-forwarded-for'])
  if (request.method === 'POST' && format === undefined && searchParams.get('up') === '1') {
    const message = await text(request)
    const status = limits.ofPublisher(address, names)
    if (status === 200) taken.set(names, [...(taken.get(names) ?? []), message])
    response.writeHead(status).end('{}')
  } else if (request.method === 'GET' && format === 'json' && more.length === 0 && searchParams.get('poll') === '1') {
    const topics = names.split(',')
    const status = limits.ofSubscriber(address, topics)
    const messages = status === 200 ? topics.flatMap((topic) => taken.get(topic) ?? []) : []
    response.writeHead(status).end(messages.map((message) => `${JSON.stringify({ message })}\n`).join(''))
  } else response.writeHead(404).end()
}

function settingsOf(yaml: string): Settings {
  const {
    'visitor-request-limit-exempt-hosts': exempt = '',
    'visitor-subscriber-rate-limiting': bySubscriber = false,
    ...others
  }: Record<string, unknown> = parse(yaml) ?? {}
  if (typeof exempt !== 'string' || typeof bySubscriber !== 'boolean' || Object.keys(others).length > 0)
    throw new Error(`what stands in for ntfy cannot take these settings:\n${yaml}`)
  return { exempt: exempt.split(','), bySubscriber }
}
