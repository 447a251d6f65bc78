/** As much of api.github.com and ghcr.io as gh needs to verify an attestation, on loopback, behind a proxy that reaches nothing else. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startFakeProxy } from '../network/fake-proxy.ts'

export interface GitHub extends AsyncDisposable {
  /** For HTTPS_PROXY. */
  readonly proxy: string
  /** For SSL_CERT_FILE. */
  readonly caFile: string
  /** Hosts that somebody wanted to reach besides. */
  others(): readonly string[]
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
  await once(hosts.listen(0, '127.0.0.1'), 'listening')
  const { port }: Pick<AddressInfo, 'port'> = Object(hosts.address())
  const isOurs = (wanted: string): boolean => [`${API}:443`, `${REGISTRY}:443`].includes(wanted)
  const address = `127.0.0.1:${port}`
  const proxy = await startFakeProxy((wanted) => (isOurs(wanted) ? 'tunnel' : 403), {
    [API]: address,
    [REGISTRY]: address,
  })

  return {
    proxy: `http://127.0.0.1:${proxy.port}`,
    caFile,
    others: () => proxy.asked.map((each) => each.authority ?? '').filter((wanted) => !isOurs(wanted)),
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
      await proxy[Symbol.asyncDispose]()
      hosts.closeAllConnections()
      await once(hosts.close(), 'close')
    },
  }
}
