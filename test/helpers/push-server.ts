/**
 * The host of a push server of UnifiedPush: a reverse proxy with TLS which passes one path on to Hushgate (docs/unifiedpush.md), and behind it the push server:
 * a real ntfy (test/ntfy/ntfy.ts), or here one that does what ntfy does with a message and its subscribers.
 */
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer as createHttpServer, request as ask, type Server } from 'node:http'
import { createServer, request as askSecurely } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { freePort } from './free-port.ts'
import type { HttpAnswer } from './stock-apps.ts'

export interface PushServer extends AsyncDisposable {
  /** What was published to a topic so far, as its subscribers get it. */
  messages(topic: string): Promise<readonly string[]>
  start(): Promise<void>
  /** What it had taken stays. */
  kill(): Promise<void>
}

/** `url`: of the host, `port`: where the push server itself is to listen, without TLS. */
export type StartPushServer = (options: {
  readonly url: string
  readonly port: number
  readonly folder: string
}) => Promise<PushServer>

export interface PushServerHost extends AsyncDisposable {
  readonly server: PushServer
  /** As apps see it. */
  readonly url: string
  readonly caFile: string
  /** How often somebody was told that the push server is away. */
  readonly refusals: () => number
  /** Where the one path leads. */
  passTo(gatewayUrl: string): void
  /** As apps and homeservers ask. */
  ask(method: 'GET' | 'POST', url: string, body?: object): Promise<HttpAnswer>
}

export const NOTIFY_PATH = '/_matrix/push/v1/notify'

export async function startPushServerHost(startServer: StartPushServer): Promise<PushServerHost> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-push-server-'))
  const [port, innerPort] = [await freePort(), await freePort()]
  const inner = `http://127.0.0.1:${innerPort}`
  const url = `https://localhost:${port}`
  const authority = createAuthority()
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, authority.certificate)
  let gatewayUrl = inner
  let refusals = 0
  const { key, cert } = authority.issue({ commonName: 'localhost', hosts: ['localhost'] })
  const proxy = createServer({ key, cert }, (request, response) => {
    const [path] = (request.url ?? '').split('?')
    const to = new URL(request.url ?? '/', path === NOTIFY_PATH ? gatewayUrl : inner)
    const passed = ask(to, { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => {
      refusals += 1
      response.writeHead(502).end()
    })
    request.pipe(passed)
  })
  proxy.listen(port, '127.0.0.1')
  await once(proxy, 'listening')
  const server = await startServer({ url, port: innerPort, folder })
  return {
    server,
    url,
    caFile,
    refusals: () => refusals,
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
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      proxy.close()
      proxy.closeAllConnections()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Takes what is posted to `/TOPIC?up=1` and answers 200, as ntfy does. */
export const startStandIn: StartPushServer = async ({ port }) => {
  const taken = new Map<string, string[]>()
  let server: Server | undefined
  const start = async (): Promise<void> => {
    server = createHttpServer((request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost')
      if (request.method !== 'POST' || searchParams.get('up') !== '1') return void response.writeHead(404).end()
      const take = async (): Promise<void> => {
        taken.set(pathname, [...(taken.get(pathname) ?? []), await text(request)])
        response.end('{}')
      }
      take().catch(() => response.destroy())
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
  return { messages: async (topic) => taken.get(`/${topic}`) ?? [], start, kill, [Symbol.asyncDispose]: kill }
}
