/** The network between the gateways and a push service, which fails as networks and wrong servers do. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Authority } from '../../src/simulators/certificate.ts'
import { SocketPairs } from '../../src/simulators/socket-pairs.ts'
import { freePort } from '../../test/helpers/free-port.ts'
import type { WireFault } from './faults.ts'

export interface Wire extends AsyncDisposable {
  readonly port: number
  begin(fault: WireFault): Promise<void>
  end(): Promise<void>
}

const NOT_TLS = 'HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n'

/** Passes everything on to a server on this port of loopback. `stranger`: who vouches for the certificate of a server that should not be there. */
export async function startWire(behindPort: number, stranger: Authority): Promise<Wire> {
  const pairs = new SocketPairs()
  const port = await freePort()
  const impostor = createTlsServer(stranger.issue({ commonName: 'stranger', hosts: ['localhost', '127.0.0.1'] }))
  impostor.on('tlsClientError', () => {}).listen(0, '127.0.0.1')
  await once(impostor, 'listening')
  let fault: WireFault | undefined
  const server = createServer((outer) => pairs.join(outer, innerOf(outer)))
  /** Undefined: nothing is passed on. */
  const innerOf = (outer: Socket): Socket | undefined => {
    if (fault === 'stall') return undefined
    if (fault === 'no-tls') {
      outer.end(NOT_TLS)
      return undefined
    }
    const address = impostor.address()
    const isImpostor = fault === 'untrusted' && address !== null && typeof address !== 'string'
    return connect(isImpostor ? address.port : behindPort, '127.0.0.1')
  }
  const listen = async (): Promise<void> => {
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
  }
  const close = async (): Promise<void> => {
    if (!server.listening) return
    const closed = once(server.close(), 'close')
    pairs.destroy()
    await closed
  }
  await listen()
  return {
    port,
    async begin(next) {
      fault = next
      if (next === 'refuse') await close()
      else if (next === 'reset') pairs.reset()
      else if (next === 'freeze') pairs.freeze()
      // So that there are new connections, which the fault is about.
      else pairs.destroy()
    },
    async end() {
      if (fault === 'refuse') await listen()
      fault = undefined
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([close(), once(impostor.close(), 'close')])
    },
  }
}
