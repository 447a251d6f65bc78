/** What a simulated push service over HTTPS stands on: a port with a certificate, and bodies that are read whole. */
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { Authority } from './certificate.ts'

export interface HttpsFrontOptions {
  readonly authority: Authority
  /** What the certificate is for, beside loopback and `host`. */
  readonly names: readonly string[]
  readonly host?: string | undefined
  /** Default: any free one. */
  readonly port?: number | undefined
  readonly answer: (request: IncomingMessage, response: ServerResponse) => Promise<void>
}

export interface HttpsFront {
  readonly server: Server
  readonly port: number
  readonly url: string
  close(): Promise<void>
}

const MAX_BODY_BYTES = 1024 * 1024

export async function startHttpsFront(options: HttpsFrontOptions): Promise<HttpsFront> {
  const { authority, names, host = '127.0.0.1', port = 0, answer } = options
  const hosts = [...new Set([...names, 'localhost', '127.0.0.1', '::1', host])]
  const server = createServer(authority.issue({ commonName: hosts[0] ?? host, hosts }), (request, response) => {
    // A client that goes away in the middle is nothing to a server.
    answer(request, response).catch(() => request.destroy())
  })
  server.listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the simulated push service has no port')
  return {
    server,
    port: address.port,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    if (!Buffer.isBuffer(chunk)) continue
    bytes += chunk.length
    if (bytes > MAX_BODY_BYTES) throw new Error('body too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
