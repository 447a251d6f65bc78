/** A real ntfy on loopback behind a reverse proxy with TLS, which passes one path on to Hushgate (docs/unifiedpush.md). */
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { request as ask, type IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { freePort } from '../helpers/free-port.ts'
import { startLoggedProcess, type LoggedProcess } from '../helpers/logged-process.ts'

const NOTIFY_PATH = '/_matrix/push/v1/notify'

export interface Ntfy extends AsyncDisposable {
  /** As apps see it. */
  readonly url: string
  readonly caFile: string
  /** Where the one path leads. */
  passTo(gatewayUrl: string): void
  /** What was published to a topic so far. */
  messages(topic: string): Promise<readonly string[]>
  start(): Promise<void>
  kill(): Promise<void>
}

export async function startNtfy(): Promise<Ntfy> {
  const program = process.env['HUSHGATE_NTFY'] ?? ''
  if (!existsSync(program)) throw new Error('Set HUSHGATE_NTFY to the path of an ntfy (https://docs.ntfy.sh/install)')
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-ntfy-'))
  const [port, innerPort] = [await freePort(), await freePort()]
  const inner = `http://127.0.0.1:${innerPort}`
  const url = `https://localhost:${port}`
  const settings = {
    'base-url': url,
    'listen-http': `127.0.0.1:${innerPort}`,
    'cache-file': join(folder, 'cache.db'),
    'behind-proxy': true,
    'log-level': 'debug',
  }
  await writeFile(join(folder, 'server.yml'), JSON.stringify(settings))
  const authority = createAuthority()
  const caFile = join(folder, 'ca.pem')
  await writeFile(caFile, authority.certificate)
  let gatewayUrl = inner
  const { key, cert } = authority.issue({ commonName: 'localhost', hosts: ['localhost'] })
  const proxy = createServer({ key, cert }, (request, response) => {
    const [path] = (request.url ?? '').split('?')
    const to = new URL(request.url ?? '/', path === NOTIFY_PATH ? gatewayUrl : inner)
    const passed = ask(to, { method: request.method, headers: request.headers }, (answer: IncomingMessage) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(response)
    })
    passed.on('error', () => response.writeHead(502).end())
    request.pipe(passed)
  })
  await new Promise<void>((resolve) => proxy.listen(port, '127.0.0.1', resolve))

  let ntfy: LoggedProcess
  const start = async (): Promise<void> => {
    ntfy = startLoggedProcess(program, ['serve', '--config', join(folder, 'server.yml')], folder)
    await ntfy.ready(async () => {
      await fetch(`${inner}/v1/health`)
    }, 20_000)
  }
  await start()
  return {
    url,
    caFile,
    passTo: (next) => {
      gatewayUrl = next
    },
    async messages(topic) {
      const lines = (await (await fetch(`${inner}/${topic}/json?poll=1`)).text()).split('\n').filter(Boolean)
      return lines.map((line) => {
        const { message }: { message: string } = JSON.parse(line)
        return message
      })
    },
    start,
    kill: async () => {
      await ntfy.end('SIGKILL')
    },
    async [Symbol.asyncDispose]() {
      await ntfy.end('SIGKILL')
      proxy.closeAllConnections()
      proxy.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
