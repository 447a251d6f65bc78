/** As much of api.github.com and ghcr.io as gh needs to verify an attestation, on loopback, behind a proxy that reaches nothing else. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type Server } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { freePort } from '../helpers/free-port.ts'

export interface GitHub extends AsyncDisposable {
  /** For HTTPS_PROXY. */
  readonly proxy: string
  /** For SSL_CERT_FILE. */
  readonly caFile: string
  /** Hosts that somebody wanted to reach besides. */
  readonly others: readonly string[]
  /** The paths that were asked for at api.github.com since the last call, with their `?…`. */
  asked(): readonly string[]
  /** Has the image, or chart, at ghcr.io, and resolves with its digest. */
  publish(name: string, tag: string, manifest: object): string
  /** What the API lists for a digest of a repository; by default nothing. */
  readonly attestations: Map<string, readonly object[]>
}

const [API, REGISTRY] = ['api.github.com', 'ghcr.io']

export async function startGitHub(folder: string): Promise<GitHub> {
  const authority = createAuthority()
  const caFile = join(folder, 'ca.pem')
  writeFileSync(caFile, authority.certificate)
  const manifests = new Map<string, string>()
  const attestations = new Map<string, readonly object[]>()
  const others: string[] = []
  let asked: string[] = []

  const { key, cert } = authority.issue({ commonName: API, hosts: [API, REGISTRY] })
  const hosts = createServer({ key, cert }, ({ url = '', headers: { host } }, response) => {
    const answer = (status: number, body: string, type = 'application/json'): void =>
      void response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) }).end(body)
    if (host === REGISTRY) {
      const manifest = manifests.get(url)
      if (url === '/v2/') answer(200, '{}')
      else if (manifest === undefined) answer(404, '{"errors":[{"code":"MANIFEST_UNKNOWN"}]}')
      else answer(200, manifest, 'application/vnd.oci.image.index.v1+json')
      return
    }
    asked.push(url)
    const [, about = ''] = /^\/repos\/([^?]*)\?/.exec(url) ?? []
    const listed = attestations.get(about.replace('/attestations/', ' '))
    if (listed === undefined) answer(404, '{"message":"Not Found"}')
    else answer(200, JSON.stringify({ attestations: listed }))
  })
  const port = await listen(hosts)

  const proxy = createHttpServer()
  proxy.on('connect', ({ url = '' }, client) => {
    if (![`${API}:443`, `${REGISTRY}:443`].includes(url)) {
      others.push(url)
      client.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      return
    }
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(client).pipe(upstream)
    })
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const)
      one.on('error', () => other.destroy())
  })
  const proxyPort = await listen(proxy)

  return {
    proxy: `http://127.0.0.1:${proxyPort}`,
    caFile,
    others,
    attestations,
    asked() {
      const found = asked
      asked = []
      return found
    },
    publish(name, tag, manifest) {
      const text = JSON.stringify(manifest)
      manifests.set(`/v2/${name}/manifests/${tag}`, text)
      return `sha256:${createHash('sha256').update(text).digest('hex')}`
    },
    async [Symbol.asyncDispose]() {
      hosts.closeAllConnections()
      for (const server of [proxy, hosts]) await once(server.close(), 'close')
    },
  }
}

async function listen(server: Server | ReturnType<typeof createHttpServer>): Promise<number> {
  const port = await freePort()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return port
}
