/** The reverse proxies of docs/deploying.md and docs/unifiedpush.md: the lines there, in the real programs, before a gateway. Only addresses are the test's own. */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { proxies } from '../../scripts/image-tools.ts'
import { freePort } from '../helpers/free-port.ts'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { keepLog, type LoggedProcess } from '../helpers/logged-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'

const NOTIFY = '/_matrix/push/v1/notify'
/** The proxy connects from the first, homeservers from the second, strangers from the third. */
const [PROXY, HOMESERVER, STRANGER] = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

let services: PushServices
let home: HushgateFolder
let gateway: HushgateProcess
/** What is at 127.0.0.1:2586 in the document. */
let pushServer: Server
let ports: { readonly gateway: number; readonly pushServer: number }
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-proxies-'))
  services = await startPushServices()
  home = await createHushgateFolder()
  ports = { gateway: await freePort(), pushServer: await freePort() }
  await home.write(
    'hushgate.yaml',
    `http: { host: 127.0.0.1, port: ${ports.gateway}, trust_proxy: [${PROXY}], allow_from: [${HOMESERVER}] }
admin: { port: 0, token_file: token }
store: { url: "sqlite:./hushgate.db" }
queue: { encryption_key_file: keys }
${services.appsYaml}`,
  )
  gateway = startHushgate(['serve'], { folder: home.path })
  pushServer = createServer((_, response) => response.end('the push server')).listen(ports.pushServer, PROXY)
  await gateway.running()
})
afterAll(async () => {
  pushServer.closeAllConnections()
  pushServer.close()
  await gateway[Symbol.asyncDispose]()
  await Promise.all([home[Symbol.asyncDispose](), services[Symbol.asyncDispose]()])
  rmSync(folder, { recursive: true })
})

interface Proxy extends AsyncDisposable {
  readonly port: number
}

/** Starts a proxy at this port with the lines of a document. */
type Run = (lines: string, port: number) => LoggedProcess

function start(program: string, args: readonly string[]): LoggedProcess {
  const env = { HOME: folder, LD_LIBRARY_PATH: proxies.libraries }
  return keepLog(spawn(program, args, { cwd: folder, env }))
}

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
  return start(proxies.nginx, ['-e', 'stderr', '-p', folder, '-c', write('nginx.conf', config)])
}
/** Without a certificate, which nobody would give it here. */
const caddy: Run = (lines, port) => {
  const config = lines.replace(/^\S+ \{$/m, `http://${PROXY}:${port} {`)
  return start(proxies.caddy, [
    'run',
    '--adapter',
    'caddyfile',
    '--config',
    write('Caddyfile', `{\nadmin off\n}\n${config}`),
  ])
}
const apache: Run = (lines, port) => {
  const modules = ['mpm_event', 'authz_core', 'proxy', 'proxy_http'].map(
    (name) => `LoadModule ${name}_module ${proxies.modules}/mod_${name}.so`,
  )
  const config = `ServerRoot ${folder}\nServerName localhost\nPidFile ${folder}/apache.pid\nErrorLog ${folder}/apache.log
User #65534\nGroup #65534\nListen ${PROXY}:${port}\n${modules.join('\n')}
<VirtualHost *:${port}>\n${lines}\n</VirtualHost>\n`
  return start(proxies.apache, ['-DFOREGROUND', '-f', write('apache.conf', config)])
}

async function startProxy(run: Run, lines: string): Promise<Proxy> {
  const port = await freePort()
  const here = lines
    .replaceAll('127.0.0.1:5000', `127.0.0.1:${ports.gateway}`)
    .replaceAll(':2586', `:${ports.pushServer}`)
  const started = run(here, port)
  await started.ready(() => fetch(`http://${PROXY}:${port}/`))
  return { port, [Symbol.asyncDispose]: () => started.end('SIGTERM') }
}

interface Answer {
  readonly status: number | undefined
  readonly body: string
}

function ask(port: number, path: string, options: { from?: string; body?: string } = {}): Promise<Answer> {
  const { from = HOMESERVER, body } = options
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const method = body === undefined ? 'GET' : 'POST'
  const asked = request({ host: PROXY, port, path, method, localAddress: from, agent: false }, (response) => {
    text(response).then((answer) => resolve({ status: response.statusCode, body: answer }), reject)
  })
  asked.on('error', reject).end(body)
  return promise
}

const notification = (pushkey: string): string =>
  JSON.stringify({
    notification: {
      event_id: '$event',
      room_id: '!room:example.org',
      devices: [{ app_id: 'com.example.ios', pushkey }],
    },
  })

describe.each([
  ['nginx', nginx, codeOf('docs/deploying.md', 'location ~ ^/(_matrix')],
  ['Caddy with a Caddyfile', caddy, codeOf('docs/deploying.md', '{\n\treverse_proxy 127.0.0.1:5000')],
  [
    'Caddy without a file',
    (line: string, port: number) =>
      start(proxies.caddy, line.replace('--from push.example.com', `--from :${port}`).split(' ').slice(1)),
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
    await services.waitFor(token, 1)
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
