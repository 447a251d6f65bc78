/** A real HTTP proxy (tinyproxy) on loopback, which can be killed and brought back, and does not outlive the test. */
import { spawnSync } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.ts'
import { startLoggedProcess, type LoggedProcess } from './logged-process.ts'

export interface TestProxy extends AsyncDisposable {
  readonly port: number
  /** What it was asked to connect to, as `host:port`, by its own log. */
  asked(): string[]
  kill(): Promise<void>
  /** On the same port. */
  start(): Promise<void>
}

export interface TestProxyOptions {
  /** `user password`: letters and digits, as tinyproxy allows no others. */
  readonly basicAuth?: string
  /** The ports that it connects to; default: all. */
  readonly connectPorts?: readonly number[]
}

export async function startProxy({ basicAuth, connectPorts = [] }: TestProxyOptions = {}): Promise<TestProxy> {
  if (spawnSync('tinyproxy', ['-v']).status !== 0)
    throw new Error('tinyproxy is not installed: apt-get install tinyproxy')
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-proxy-'))
  const file = join(folder, 'tinyproxy.conf')
  const lines = [
    `Port ${port}`,
    'Listen 127.0.0.1',
    'LogLevel Info',
    'MaxClients 300',
    ...(basicAuth === undefined ? [] : [`BasicAuth ${basicAuth}`]),
    ...connectPorts.map((allowed) => `ConnectPort ${allowed}`),
  ]
  await writeFile(file, lines.join('\n'))
  let log = ''
  let running: LoggedProcess | undefined

  const proxy: TestProxy = {
    port,
    asked: () =>
      [...`${log}${running?.log() ?? ''}`.matchAll(/ CONNECT (\S+) HTTP/g)].map(([, authority = '']) => authority),
    async kill() {
      await running?.end('SIGKILL')
      log += running?.log() ?? ''
      running = undefined
    },
    async start() {
      const child = startLoggedProcess('tinyproxy', ['-d', '-c', file], folder)
      running = child
      const isListening = (): true | undefined => (child.log().includes('Accepting connections') ? true : undefined)
      await child.seen('tinyproxy listens', isListening)
    },
    async [Symbol.asyncDispose]() {
      await proxy.kill()
      await rm(folder, { recursive: true })
    },
  }
  await proxy.start()
  return proxy
}
