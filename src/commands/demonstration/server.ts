/** The demonstration's own port on loopback: its page, and the way of a notification past it to the gateway, so that what was sent is known. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { codeOf } from '../../core/error-code.ts'
import { jsonObjectOf, type JsonObject } from '../../core/json.ts'
import { createHostCheck } from '../../http/browser-checks.ts'
import { NOTIFY_PATH } from '../../http/notify-server.ts'
import { ACTIONS, type Action } from './actions.ts'
import { demonstrationPage, PAGE_HEADERS } from './page.ts'

export interface DemonstrationServer extends AsyncDisposable {
  readonly url: string
  /** To every page that is open. */
  tell(event: JsonObject): void
}

export interface ServerParts {
  readonly port: number
  /** Where the page leads to: what the gateway tells its users. */
  readonly gatewayUrl: string
  /** Passes the body of a notify request on; resolves with the answer. */
  readonly forward: (body: string) => Promise<{ readonly status: number; readonly text: string }>
  readonly act: (action: Action) => Promise<void>
  /** For a page that is opened now. */
  readonly state: () => JsonObject
}

const MAX_BODY_LENGTH = 1024 * 1024
const isOurHost = createHostCheck([])

export async function startDemonstrationServer(parts: ServerParts): Promise<DemonstrationServer> {
  const pages = new Set<ServerResponse>()
  const server = createServer((request, response) => {
    answer(request, response, parts, pages).catch(() => {
      if (!response.headersSent) response.writeHead(500)
      response.end()
    })
  })
  await listenOn(server, parts.port)
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : parts.port
  return {
    url: `http://127.0.0.1:${port}`,
    tell(event) {
      for (const page of pages) page.write(eventText(event))
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

/** Another port where somebody was faster. */
async function listenOn(server: Server, port: number): Promise<void> {
  const listening = once(server, 'listening')
  server.listen(port, '127.0.0.1')
  try {
    await listening
  } catch (error) {
    if (port === 0 || codeOf(error) !== 'EADDRINUSE') throw error
    await listenOn(server, 0)
  }
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  parts: ServerParts,
  pages: Set<ServerResponse>,
): Promise<void> {
  const { method, url, headers } = request
  const isForeign = headers.origin !== undefined && headers.origin !== `http://${headers.host}`
  // A page of the internet that the same browser shows has no business here.
  if (isForeign || !isOurHost(headers.host)) return end(response, 403, 'This is for the pages of the demonstration')
  if (method === 'GET' && url === '/')
    return void response.writeHead(200, PAGE_HEADERS).end(demonstrationPage(parts.gatewayUrl))
  if (method === 'GET' && url === '/events') return listen(response, parts, pages)
  if (method !== 'POST') return end(response, 404, 'There is nothing at this path')
  const body = await bodyOf(request)
  if (url === NOTIFY_PATH) {
    const { status, text } = await parts.forward(body)
    return end(response, status, text, 'application/json')
  }
  const { action } = jsonObjectOf(body) ?? {}
  const known = ACTIONS.find((each) => each === action)
  if (url !== '/act' || known === undefined) return end(response, 404, 'There is nothing at this path')
  await parts.act(known)
  return end(response, 204)
}

/** Server-sent events. */
function listen(response: ServerResponse, { state }: ServerParts, pages: Set<ServerResponse>): void {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  response.write(eventText(state()))
  pages.add(response)
  response.once('close', () => pages.delete(response))
}

function eventText(event: JsonObject): string {
  return `data: ${JSON.stringify(event)}\n\n`
}

function end(response: ServerResponse, status: number, text = '', type = 'text/plain'): void {
  response.writeHead(status, { 'content-type': type }).end(text)
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  let body = ''
  for await (const chunk of request.setEncoding('utf8')) {
    body += String(chunk)
    if (body.length > MAX_BODY_LENGTH) throw new Error('the body is too large')
  }
  return body
}
