/** The reverse proxies of docs/deploying.md and docs/unifiedpush.md: the lines there, in the real programs, before a gateway. Only addresses are the test's own. Those with certificates: certificates.test.ts. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { proxies } from '../../scripts/image-tools.ts'
import { freePort } from '../helpers/free-port.ts'
import type { LoggedProcess } from '../helpers/logged-process.ts'
import { newPushkey } from '../helpers/push-services.ts'
import {
  ask,
  notification,
  NOTIFY,
  PROXY,
  startGatewayBehindProxy,
  startInFolder,
  STRANGER,
  type GatewayBehindProxy,
} from './behind-proxy.ts'

let gateway: GatewayBehindProxy
/** What is at 127.0.0.1:2586 in the document. */
let pushServer: Server
let pushServerPort: number
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-proxies-'))
  gateway = await startGatewayBehindProxy()
  pushServerPort = await freePort()
  pushServer = createServer((_, response) => response.end('the push server')).listen(pushServerPort, PROXY)
})
afterAll(async () => {
  pushServer.closeAllConnections()
  pushServer.close()
  await gateway[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

interface Proxy extends AsyncDisposable {
  readonly port: number
}

/** Starts a proxy at this port with the lines of a document. */
type Run = (lines: string, port: number) => LoggedProcess

function write(name: string, content: string): string {
  writeFileSync(join(folder, name), content)
  return join(folder, name)
}

const nginx: Run = (lines, port) => {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder};`)
  const config = `user root; daemon off; pid ${folder}/nginx.pid; events {}
http {
  access_log ${folder}/nginx.log;
  ${temporary.join(' ')}
  server {
    listen ${PROXY}:${port};
    ${lines}
  }
}
`
  return startInFolder(folder, [proxies.nginx, '-e', 'stderr', '-p', folder, '-c', write('nginx.conf', config)])
}
/** Without a certificate, which nobody would give it here. */
const caddy: Run = (lines, port) => {
  const config = lines.replace(/^\S+ \{$/m, `http://${PROXY}:${port} {`)
  const file = write('Caddyfile', `{\nadmin off\n}\n${config}`)
  return startInFolder(folder, [proxies.caddy, 'run', '--adapter', 'caddyfile', '--config', file])
}
const apache: Run = (lines, port) => {
  const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http'].map(
    (name) => `LoadModule ${name}_module ${proxies.modules}/mod_${name}.so`,
  )
  const config = `ServerRoot ${folder}\nServerName localhost\nPidFile ${folder}/apache.pid\nErrorLog ${folder}/apache.log
User #65534\nGroup #65534\nListen ${PROXY}:${port}\n${modules.join('\n')}
<VirtualHost *:${port}>\n${lines}\n</VirtualHost>\n`
  return startInFolder(folder, [proxies.apache, '-DFOREGROUND', '-f', write('apache.conf', config)])
}

async function startProxy(run: Run, lines: string): Promise<Proxy> {
  const port = await freePort()
  const here = lines.replaceAll('127.0.0.1:5000', `127.0.0.1:${gateway.port}`).replaceAll(':2586', `:${pushServerPort}`)
  const started = run(here, port)
  await started.ready(() => fetch(`http://${PROXY}:${port}/`))
  return { port, [Symbol.asyncDispose]: () => started.end('SIGTERM') }
}

describe.each([
  ['nginx', nginx, codeOf('docs/deploying.md', 'location ~ ^/(_matrix')],
  ['Caddy with a Caddyfile', caddy, codeOf('docs/deploying.md', '{\n\treverse_proxy 127.0.0.1:5000')],
  [
    'Caddy without a file',
    (line: string, port: number) =>
      startInFolder(folder, [
        proxies.caddy,
        ...line.replace('--from push.example.com', `--from :${port}`).split(' ').slice(1),
      ]),
    codeOf('docs/deploying.md', 'caddy reverse-proxy --from push.example.com'),
  ],
])('%s, before the whole gateway', (_name, run, lines) => {
  let proxy: Proxy
  beforeAll(async () => {
    proxy = await startProxy(run, lines)
  })
  afterAll(() => proxy[Symbol.asyncDispose]())

  it('passes on what a homeserver posts, and its address', async () => {
    const { token, apns } = newPushkey()
    const posted = await ask(proxy.port, NOTIFY, { body: notification(apns) })
    expect(posted).toEqual({ status: 200, body: '{"rejected":[]}' })
    await gateway.services.waitFor(token, 1)
    expect(await ask(proxy.port, NOTIFY, { body: notification(apns), from: STRANGER })).toMatchObject({ status: 403 })
  })

  it('says to the line of docs/troubleshooting.md that a gateway is there', async () => {
    const line = codeOf('docs/troubleshooting.md', 'curl https://push.example.com/_matrix')
    const { pathname } = new URL(line.split(' ')[1] ?? '')
    expect((await ask(proxy.port, pathname)).body).toContain('"gateway":"matrix"')
  })

  it('leaves it to the gateway how long a body may be', async () => {
    const { status, body } = await ask(proxy.port, NOTIFY, { body: `{"notification":"${'x'.repeat(600 * 1024)}"}` })
    expect(status).toBe(413)
    expect(JSON.parse(body)).toHaveProperty('errcode')
  })

  it('has the page for people, and what is for web apps and the relay', async () => {
    expect(await ask(proxy.port, '/', { from: STRANGER })).toMatchObject({
      status: 200,
      body: expect.stringContaining('<html'),
    })
    expect(JSON.parse((await ask(proxy.port, '/_hushgate/privacy')).body)).toHaveProperty('apps')
    const others = await Promise.all(
      ['/_hushgate/vapid/none', '/_hushgate/webpush/none'].map((path) => ask(proxy.port, path)),
    )
    for (const { body } of others) expect(JSON.parse(body)).toHaveProperty('errcode')
  })
})

it('nginx writes no URL of them into its log', () => {
  expect(readFileSync(join(folder, 'nginx.log'), 'utf8')).toBe('')
})

describe.each([
  [
    'nginx',
    nginx,
    `${codeOf('docs/unifiedpush.md', 'location = /_matrix')}\nlocation / { proxy_pass http://127.0.0.1:2586; }`,
  ],
  ['Caddy', caddy, codeOf('docs/unifiedpush.md', 'reverse_proxy 127.0.0.1:2586')],
  ['Apache', apache, `${codeOf('docs/unifiedpush.md', 'ProxyPassReverse')}\nProxyPass / http://127.0.0.1:2586/`],
])('%s, at the host of a push server', (_name, run, lines) => {
  it('leads the one path to the gateway, and all else to the push server', async () => {
    await using proxy = await startProxy(run, lines)
    expect((await ask(proxy.port, NOTIFY)).body).toContain('"gateway":"matrix"')
    expect((await ask(proxy.port, NOTIFY, { body: notification(newPushkey().apns) })).body).toBe('{"rejected":[]}')
    expect((await ask(proxy.port, '/upEndpoint')).body).toBe('the push server')
    expect((await ask(proxy.port, '/')).body).toBe('the push server')
  })
})
