/** Opens a connection to APNs: TLS over what is dialled for us. */
import { isIP } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { codeOf } from '../../core/error-code.ts'
import { ProxyRefusedError } from '../../core/errors.ts'
import type { Dial } from '../../core/provider.ts'
import type { Secret } from '../../core/secret.ts'

export interface Target {
  readonly host: string
  readonly port: number
  readonly dial: Dial
  /** PEM of the authorities to trust instead of the public ones. */
  readonly authorities?: string | undefined
  /** The client certificate, where that is the credential. */
  readonly identity?: Secret<ConnectionOptions> | undefined
}

/** No connection came about, so nothing was sent. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  /**
   * Proof about our credential or configuration: APNs refused our certificate during the handshake, and only the real peer can say so; or the
   * proxy does not let us through.
   */
  readonly isRefused: boolean

  constructor(message: string, isRefused = false) {
    super(message)
    this.isRefused = isRefused
  }
}

/** RFC 8446 §6.2: what a server says about a client's certificate. */
const CERTIFICATE_ALERT =
  /^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|CERTIFICATE_REQUIRED|UNKNOWN_CA|ACCESS_DENIED)$/

export function connectErrorOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error
  const code = codeOf(error, 'connection closed')
  return new ConnectError(code, error instanceof ProxyRefusedError || CERTIFICATE_ALERT.test(code))
}

/** Resolves when TLS is up and speaks HTTP/2; rejects with a ConnectError. */
export async function connect(target: Target, signal: AbortSignal): Promise<TLSSocket> {
  const { host, port, dial, authorities, identity } = target
  const stream = await dial(host, port, signal).catch((error: unknown) => {
    throw connectErrorOf(error)
  })
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: stream,
      host,
      // Neither sent nor wanted for an address (RFC 6066 §3).
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ALPNProtocols: ['h2'],
      minVersion: 'TLSv1.2',
      ...(authorities === undefined ? {} : { ca: authorities }),
      ...identity?.reveal(),
    })
    const fail = (error: ConnectError): void => {
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(new ConnectError('connecting timed out'))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    socket.once('error', (error) => fail(connectErrorOf(error)))
    socket.once('close', () => {
      signal.removeEventListener('abort', onAbort)
      fail(new ConnectError('connection closed'))
    })
    socket.once('secureConnect', () => {
      signal.removeEventListener('abort', onAbort)
      if (socket.alpnProtocol !== 'h2') fail(new ConnectError('the peer does not speak HTTP/2'))
      else resolve(socket)
    })
  })
}
