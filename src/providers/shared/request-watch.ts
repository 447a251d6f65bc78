/** Follows an HTTPS request under way, so that, when no answer comes, it can be told what became of it. */
import type { ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import { DialError, ProxyRefusedError } from '../../core/errors.ts'
import type { LostRequest } from './answers.ts'

export class RequestWatch {
  #written = false
  #error: NodeJS.ErrnoException | undefined

  /** To be made before the request has a connection. */
  constructor(request: ClientRequest) {
    request.on('error', (error) => {
      this.#error = error
    })
    request.once('socket', (socket) => {
      onceWritable(socket, () => {
        this.#written = true
      })
    })
  }

  /** `code`: why it was cut off, by us; default: what its error says. */
  lost(code = this.#error?.code ?? 'closed'): LostRequest {
    const error = this.#error
    return {
      kind: 'lost',
      code,
      written: this.#written,
      proxyRefusal: error instanceof ProxyRefusedError ? error.status : undefined,
      isProxyAway: error instanceof DialError && error.isProxyAway,
    }
  }
}

/** Until the TLS handshake is done, nothing of a request has left. */
function onceWritable(socket: Socket, action: () => void): void {
  if ('secureConnecting' in socket && socket.secureConnecting === true) socket.once('secureConnect', action)
  else action()
}
