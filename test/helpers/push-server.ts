/**
 * The host of a push server of UnifiedPush: a reverse proxy with TLS which passes one path on to Hushgate (docs/unifiedpush.md), and behind it the push server (ntfy.ts).
 */
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request as ask, type IncomingHttpHeaders } from 'node:http'
import { createServer, request as askSecurely } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { freePort } from './free-port.ts'
import type { HttpAnswer } from './stock-apps.ts'

/** It asks nobody, and can be killed: what it had taken stays. */
export interface PushServer extends AsyncDisposable {
  start(): Promise<void>
  kill(): Promise<void>
}

/** `url`: of the host; `port`: where the push server itself is to listen, without TLS; `settings`: of ntfy's server.yml, besides those that it needs to run. */
export type StartPushServer = (options: {
  readonly url: string
  readonly port: number
  readonly folder: string
  readonly settings: string
}) => Promise<PushServer>

/** What the push server answered to who published. */
export interface Answer {
  readonly topic: string
  readonly status: number
}

export interface PushServerHost extends AsyncDisposable {
  readonly server: PushServer
  /** As apps see it. */
  readonly url: string
  readonly caFile: string
  /** So far. Those that it was away for have 502. */
  readonly answers: readonly Answer[]
  /** Where the one path leads. */
  passTo(gatewayUrl: string): void
  /** As apps and homeservers ask. */
  ask(method: 'GET' | 'POST', url: string, body?: object): Promise<HttpAnswer>
  /** What was published to a topic so far, or to several (`one,two`), as a subscriber at this address gets it. */
  messages(topics: string, address?: string): Promise<readonly string[]>
}

export const NOTIFY_PATH = '/_matrix/push/v1/notify'

const ADDRESS = '127.0.0.1'
/** How often a test looks would count against what an address may ask, and the gateway's address is the same. */
const NO_LIMIT = `visitor-request-limit-exempt-hosts: ${ADDRESS}`

/** As an operator configures it who runs the push server himself. */
export function unifiedPushApp(caFile: string): object {
  return {
    type: 'unifiedpush',
    privacy: 'event_id_only',
    catch_all: true,
    allowed_endpoints: ['localhost'],
    allow_private_endpoints: ['localhost'],
    ca_file: caFile,
  }
}

export async function startPushServerHost(
  startServer: StartPushServer,
  settings: string = NO_LIMIT,
): Promise<PushServerHost> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-push-server-'))
  const [port, innerPort] = [await freePort(), await freePort()]
  const inner = `http://${ADDRESS}:${innerPort}`
  const url = `https://localhost:${port}`
  const authority = createAuthority()
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, authority.certificate)
  let gatewayUrl = inner
  const answers: Answer[] = []
  const { key, cert } = authority.issue({ commonName: 'localhost', hosts: ['localhost'] })
  const proxy = createServer({ key, cert }, (request, response) => {
    const [path = ''] = (request.url ?? '').split('?')
    const isForGateway = path === NOTIFY_PATH
    const to = new URL(request.url ?? '/', isForGateway ? gatewayUrl : inner)
    const answer = (status: number, headers?: IncomingHttpHeaders): void => {
      if (!isForGateway && request.method === 'POST') answers.push({ topic: path.slice(1), status })
      response.writeHead(status, headers)
    }
    const headers = { ...request.headers, 'x-forwarded-for': request.socket.remoteAddress }
    const passed = ask(to, { method: request.method, headers }, (answered) => {
      answer(answered.statusCode ?? 502, answered.headers)
      answered.pipe(response)
    })
    passed.on('error', () => {
      answer(502)
      response.end()
    })
    request.pipe(passed)
  })
  proxy.listen(port, ADDRESS)
  await once(proxy, 'listening')
  const server = await startServer({ url, port: innerPort, folder, settings })
  return {
    server,
    url,
    caFile,
    answers,
    passTo: (next) => {
      gatewayUrl = next
    },
    async ask(method, at, body) {
      const headers = { 'content-type': 'application/json' }
      const asked = askSecurely(at, { method, ca: await readFile(caFile), headers, agent: false })
      asked.end(body === undefined ? undefined : JSON.stringify(body))
      const [answer] = await once(asked, 'response')
      return { status: answer.statusCode, body: await text(answer) }
    },
    async messages(topics, address = ADDRESS) {
      const answer = await fetch(`${inner}/${topics}/json?poll=1`, { headers: { 'x-forwarded-for': address } })
      if (!answer.ok) throw new Error(`the push server answered ${answer.status} to a subscriber`)
      const lines = (await answer.text()).split('\n').filter(Boolean)
      return lines.map((line) => {
        const { message }: { message: string } = JSON.parse(line)
        return message
      })
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      proxy.close()
      proxy.closeAllConnections()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
