/** Opens a connection to a push service: TLS over what is dialled for us. */
import { isIP, Socket, type LookupFunction } from 'node:net'
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { codeOf } from '../../../core/error-code.ts'
import { DialError, ProxyRefusedError } from '../../../core/errors.ts'
import type { Dial } from '../../../core/provider.ts'
import type { Secret } from '../../../core/secret.ts'
import type { LostRequest } from '../answers.ts'

export interface Target {
  readonly host: string
  readonly port: number
  readonly dial: Dial
  /** Told of the status of each answer. */
  readonly answered?: ((status: number) => void) | undefined
  /** How the addresses of the host are found; default: as the machine does. */
  readonly lookup?: LookupFunction | undefined
  /** A stranger has named the host. */
  readonly isStranger?: boolean | undefined
  /** Whom the certificate must be for; default: `host`. */
  readonly name?: string | undefined
  /** PEM of the authorities to trust instead of the public ones. */
  readonly authorities?: string | undefined
  /** The client certificate, where that is the credential. */
  readonly identity?: Secret<ConnectionOptions> | undefined
}

/** By ALPN (RFC 7301). A peer that does not know ALPN speaks HTTP/1.1. */
export type Protocol = 'h2' | 'http/1.1'

/** No connection came about, so nothing was sent. */
export class ConnectError extends Error {
  override readonly name = 'ConnectError'
  readonly loss: LostRequest

  constructor(code: string, more: Partial<LostRequest> = {}) {
    super(code)
    this.loss = { ...more, kind: 'lost', code, written: false }
  }
}

/** RFC 8446 §6.2: what a server says about a client's certificate. */
const CERTIFICATE_ALERT =
  /^ERR_SSL_.*ALERT_(BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|CERTIFICATE_REQUIRED|UNKNOWN_CA|ACCESS_DENIED)$/

export function connectErrorOf(error: unknown): ConnectError {
  if (error instanceof ConnectError) return error
  const code = codeOf(error, 'connection closed')
  return new ConnectError(code, {
    proxyRefusal: error instanceof ProxyRefusedError ? error.status : undefined,
    isProxyAway: error instanceof DialError && error.isProxyAway,
    isCertificateRefused: CERTIFICATE_ALERT.test(code),
  })
}

export interface Connected {
  readonly socket: TLSSocket
  readonly protocol: Protocol
  /** Bytes that came so far, with those of TLS. */
  readonly receivedBytes: () => number
}

/** Resolves when TLS is up and speaks one of the protocols, of which the first is preferred; rejects with a ConnectError. */
export async function connect(target: Target, protocols: readonly Protocol[], signal: AbortSignal): Promise<Connected> {
  const { host, port, dial, lookup, isStranger } = target
  const stream = await dial(host, port, signal, { lookup, isStranger }).catch((error: unknown) => {
    throw connectErrorOf(error)
  })
  const { name = host, authorities, identity } = target
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: stream,
      host: name,
      // Neither sent nor wanted for an address (RFC 6066 §3).
      ...(isIP(name) === 0 ? { servername: name } : {}),
      ALPNProtocols: [...protocols],
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
      const protocol = protocols.find((each) => each === (socket.alpnProtocol || 'http/1.1'))
      if (protocol === undefined) fail(new ConnectError('the peer does not speak HTTP/2'))
      else resolve({ socket, protocol, receivedBytes: () => (stream instanceof Socket ? stream : socket).bytesRead })
    })
  })
}
