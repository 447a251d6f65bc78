/** The TCP side of a simulated push service, where connections can be made to fail as networks fail: silently. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import { SocketPairs } from './socket-pairs.ts'

export interface Front {
  readonly port: number
  /** Connections accepted so far. */
  readonly accepted: number
  /** New connections are accepted, and then nothing comes. */
  stall(isStalled: boolean): void
  /** Every connection of now stays open, and nothing passes any more. */
  freeze(): void
  /** Every connection of now is reset. */
  reset(): void
  close(): Promise<void>
}

/** Passes everything on to a server on this port of loopback. */
export async function startFront(host: string, port: number, behindPort: number): Promise<Front> {
  const pairs = new SocketPairs()
  let isStalled = false
  let accepted = 0

  const server = createServer((outer) => {
    accepted += 1
    pairs.join(outer, isStalled ? undefined : connect(behindPort, '127.0.0.1'))
  })
  await listen(server, host, port)

  return {
    port: portOf(server),
    get accepted() {
      return accepted
    },
    stall(next) {
      isStalled = next
    },
    freeze: () => pairs.freeze(),
    reset: () => pairs.reset(),
    async close() {
      server.close()
      pairs.destroy()
      await once(server, 'close')
    },
  }
}

export async function listen(server: Server, host: string, port: number): Promise<void> {
  server.listen(port, host)
  await once(server, 'listening')
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server has no port')
  return address.port
}
