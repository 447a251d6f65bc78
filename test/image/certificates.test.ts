/**
 * Proxies that get a certificate by themselves, with the lines of docs/deploying.md and docs/unifiedpush.md, in the real programs. In the place of Let's Encrypt is Pebble, its own
 * server for tests, and in that of the Internet a name server that has every name at loopback. Traefik reads the labels of containers, over Podman's socket.
 */
import { createServer, type Server } from 'node:http'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { codeOf } from '../../scripts/document-code.ts'
import { bases, pebble, podman, proxies, traefik } from '../../scripts/image-tools.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
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
  type HttpsHost,
} from './behind-proxy.ts'
import { CONTAINER_LIMITS, engineCommand } from './container.ts'

/** What the documents call the two hosts. */
const [GATEWAY_HOST, PUSH_SERVER_HOST] = ['push.example.com', 'ntfy.example.com']

let folder: string
let gateway: GatewayBehindProxy
let nameServer: LoggedProcess
let nameServerPort: number
/** Of Pebble's own address. */
let ca: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-certificates-'))
  gateway = await startGatewayBehindProxy()
  const authority = createAuthority()
  ca = authority.certificate
  const { key, cert } = authority.issue({ commonName: 'pebble', hosts: [PROXY] })
  for (const [name, content] of [
    ['ca.pem', ca],
    ['key.pem', key],
    ['cert.pem', cert],
  ] as const)
    writeFileSync(join(folder, name), content)
  nameServerPort = await freePort()
  const others = ['-http01', '', '-https01', '', '-tlsalpn01', '', '-management', '', '-defaultIPv6', '']
  const dns = ['-dns01', `${PROXY}:${nameServerPort}`, '-defaultIPv4', PROXY]
  nameServer = startInFolder(folder, [pebble.nameServer, ...dns, ...others])
})
afterAll(async () => {
  await nameServer.end('SIGKILL')
  await gateway[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

interface Acme extends AsyncDisposable {
  readonly directory: string
  /** Resolves with the certificate of whom it signs with. */
  root(): Promise<string>
}

/** It gives a certificate to whoever answers for the name at these ports. */
async function startAcme(ports: { readonly httpPort: number; readonly tlsPort: number }): Promise<Acme> {
  const [port, managementPort] = [await freePort(), await freePort()]
  const config = {
    listenAddress: `${PROXY}:${port}`,
    managementListenAddress: `${PROXY}:${managementPort}`,
    certificate: 'cert.pem',
    privateKey: 'key.pem',
    ...ports,
  }
  writeFileSync(join(folder, 'pebble.json'), JSON.stringify({ pebble: config }))
  const args = ['-config', 'pebble.json', '-dnsserver', `${PROXY}:${nameServerPort}`]
  const running = startInFolder(folder, [pebble.server, ...args], { PEBBLE_VA_NOSLEEP: '1' })
  const root = async (): Promise<string> =>
    (await ask(managementPort, '/roots/0', { from: PROXY, tls: { servername: '', ca } })).body
  await running.ready(root)
  return { directory: `https://${PROXY}:${port}/dir`, root, [Symbol.asyncDispose]: () => running.end('SIGKILL') }
}

/** A gateway behind it takes a push of a homeserver, and knows whose address it came from. */
async function expectGateway(port: number, tls: HttpsHost): Promise<void> {
  const { token, apns } = newPushkey()
  const posted = await ask(port, NOTIFY, { body: notification(apns), tls })
  expect(posted).toEqual({ status: 200, body: '{"rejected":[]}' })
  await gateway.services.waitFor(token, 1)
  expect(await ask(port, NOTIFY, { body: notification(apns), from: STRANGER, tls })).toMatchObject({ status: 403 })
}

it('Caddy gets a certificate for the host of the Caddyfile, and a homeserver that asks for it is let through', async () => {
  const [httpPort, tlsPort] = [await freePort(), await freePort()]
  await using acme = await startAcme({ httpPort, tlsPort })
  const lines = codeOf('docs/deploying.md', '{\n\treverse_proxy 127.0.0.1:5000').replace(':5000', `:${gateway.port}`)
  const own = `admin off
http_port ${httpPort}
https_port ${tlsPort}
default_bind ${PROXY}
acme_ca ${acme.directory}
acme_ca_root ca.pem
storage file_system caddy`
  writeFileSync(join(folder, 'Caddyfile'), `{\n${own}\n}\n${lines}`)
  await using caddy = startInFolder(folder, [proxies.caddy, 'run', '--adapter', 'caddyfile', '--config', 'Caddyfile'])
  const tls = { servername: GATEWAY_HOST, ca: await acme.root() }
  await caddy.ready(() => ask(tlsPort, '/', { tls }))
  await expectGateway(tlsPort, tls)
})

describe('Traefik', () => {
  let engine: LoggedProcess
  let socket: string
  beforeAll(async () => {
    socket = join(folder, 'podman.sock')
    engine = startInFolder(folder, [...podman, 'system', 'service', '--time=0', `unix://${socket}`], {
      HOME: process.env['HOME'],
      PATH: process.env['PATH'],
      LD_LIBRARY_PATH: '',
    })
  })
  afterAll(() => engine.end('SIGTERM'))

  /** It and its containers share the network of this machine, so the port of a label is one of the machine. */
  function startTraefik(port: number, more: readonly string[] = []): LoggedProcess {
    return startInFolder(folder, [
      traefik.program,
      `--providers.docker.endpoint=unix://${socket}`,
      '--providers.docker.watch=false',
      `--entrypoints.websecure.address=${PROXY}:${port}`,
      '--global.checknewversion=false',
      ...more,
    ])
  }

  /** A container that has these labels and does nothing. */
  async function startLabelled(labels: readonly string[]): Promise<AsyncDisposable> {
    const name = `hushgate-labels-${await freePort()}`
    const options = ['--detach', '--network=host', ...CONTAINER_LIMITS]
    const { code } = await engineCommand(
      'run',
      ...options,
      ...labels.map((label) => `--label=${label}`),
      `--name=${name}`,
      bases.build,
      'sleep',
      '600',
    )
    expect(code).toBe(0)
    return {
      [Symbol.asyncDispose]: async () => void (await engineCommand('rm', '--force', '--time', '0', name)),
    }
  }

  it('gets a certificate for the host of the labels, and a homeserver that asks for it is let through', async () => {
    const port = await freePort()
    await using acme = await startAcme({ httpPort: await freePort(), tlsPort: port })
    const { labels }: { labels: Readonly<Record<string, string>> } = parse(
      codeOf('docs/deploying.md', 'traefik.enable').replace("'5000'", String(gateway.port)),
    )
    await using _ = await startLabelled(Object.entries(labels).map(([name, value]) => `${name}=${value}`))
    const resolver = '--certificatesresolvers.letsencrypt.acme'
    await using proxy = startTraefik(port, [
      `${resolver}.caserver=${acme.directory}`,
      `${resolver}.cacertificates=ca.pem`,
      `${resolver}.storage=acme.json`,
      `${resolver}.email=operator@example.com`,
      `${resolver}.tlschallenge=true`,
    ])
    const tls = { servername: GATEWAY_HOST, ca: await acme.root() }
    await proxy.ready(() => ask(port, '/', { tls }))
    await expectGateway(port, tls)
  })

  it('leads the one path at the host of a push server to the gateway, and all else to the push server', async () => {
    const [port, pushServerPort] = [await freePort(), await freePort()]
    const pushServer: Server = createServer((_request, response) => response.end('the push server'))
    pushServer.listen(pushServerPort, PROXY)
    const { labels }: { labels: readonly string[] } = parse(
      codeOf('docs/unifiedpush.md', 'traefik.http.routers').replace('=5000', `=${gateway.port}`),
    )
    await using _gateway = await startLabelled(labels)
    await using _ntfy = await startLabelled([
      `traefik.http.routers.ntfy.rule=Host(\`${PUSH_SERVER_HOST}\`)`,
      'traefik.http.routers.ntfy.tls=true',
      `traefik.http.services.ntfy.loadbalancer.server.port=${pushServerPort}`,
    ])
    await using proxy = startTraefik(port)
    // With the certificate that Traefik makes where no resolver is named.
    const tls = { servername: PUSH_SERVER_HOST, rejectUnauthorized: false }
    await proxy.ready(async () => expect((await ask(port, '/', { tls })).status).toBe(200))
    expect((await ask(port, '/upEndpoint', { tls })).body).toBe('the push server')
    await expectGateway(port, tls)
    pushServer.closeAllConnections()
    pushServer.close()
  })
})
