/** A registry of OCI on loopback with one chart in it, as `helm push` leaves it there. It only serves. */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { parse } from 'yaml'
import { chartTools } from '../../../scripts/helm-tools.ts'
import { freePort } from '../../helpers/free-port.ts'
import { chartFolder, pickText, readChartFile, runTool } from './chart.ts'

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json'

export interface Registry extends AsyncDisposable {
  /** Host and port. */
  readonly address: string
}

/** `repository`: the chart's name in there. `folder`: where it is packed. */
export async function startRegistry(repository: string, folder: string): Promise<Registry> {
  const version = pickText(readChartFile('Chart.yaml'), 'version')
  await runTool(chartTools.helm, ['package', chartFolder, '--destination', folder], { HOME: folder })
  const layer = await readFile(join(folder, `hushgate-${version}.tgz`))
  const config = Buffer.from(JSON.stringify(parse(await readFile(join(chartFolder, 'Chart.yaml'), 'utf8'))))
  const described = (mediaType: string, content: Buffer): object => ({
    mediaType,
    digest: digestOf(content),
    size: content.length,
  })
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: described('application/vnd.cncf.helm.config.v1+json', config),
      layers: [described('application/vnd.cncf.helm.chart.content.v1.tar+gzip', layer)],
    }),
  )
  const root = `/v2/${repository}`
  const tags = Buffer.from(JSON.stringify({ name: repository, tags: [version] }))
  const files: Readonly<Record<string, readonly [type: string, content: Buffer]>> = {
    [`${root}/tags/list`]: ['application/json', tags],
    [`${root}/manifests/${version}`]: [MANIFEST, manifest],
    [`${root}/manifests/${digestOf(manifest)}`]: [MANIFEST, manifest],
    [`${root}/blobs/${digestOf(config)}`]: ['application/octet-stream', config],
    [`${root}/blobs/${digestOf(layer)}`]: ['application/octet-stream', layer],
  }
  const server = createServer((request, response) => {
    const [type, content] = files[new URL(request.url ?? '', 'http://registry').pathname] ?? []
    if (type === undefined || content === undefined || !['GET', 'HEAD'].includes(request.method ?? ''))
      return void response.writeHead(404).end()
    const headers = {
      'content-type': type,
      'content-length': content.length,
      'docker-content-digest': digestOf(content),
    }
    response.writeHead(200, headers).end(request.method === 'GET' ? content : undefined)
  })
  const port = await freePort()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    address: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function digestOf(content: Buffer): string {
  return `sha256:${createHash('sha256').update(content).digest('hex')}`
}
