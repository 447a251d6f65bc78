/** A TCP relay to a port on loopback. While it is held, new connections get no answer; what is connected already goes on, unless it is muted. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface HeldRelay {
  readonly port: number
  hold(): void
  release(): void
  /** On connections on which this was asked nothing arrives any more, and neither side is told: as when a machine between them vanishes. */
  mute(text: string): void
  /** How often a text was sent to those who connected. */
  count(text: string): number
  stop(): Promise<void>
}

export async function startRelay(port: number): Promise<HeldRelay> {
  let held = Promise.withResolvers<void>()
  held.resolve()
  let sent = ''
  const sockets = new Set<Socket>()
  const connections = new Set<{ asked: string; isMuted: boolean; readonly inner: Socket; readonly outer: Socket }>()
  const server = createServer((inner) => {
    const outer = connect(port, '127.0.0.1')
    const connection = { asked: '', isMuted: false, inner, outer }
    connections.add(connection)
    inner.on('data', (chunk) => (connection.asked += chunk.toString()))
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => connection.isMuted || other.destroy())
    }
    inner.pipe(outer)
    void held.promise.then(() => outer.on('data', (chunk) => (sent += chunk.toString())).pipe(inner))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  const relay: HeldRelay = {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    port: (server.address() as AddressInfo).port,
    hold: () => {
      held = Promise.withResolvers()
    },
    release: () => held.resolve(),
    mute(text) {
      for (const connection of connections) {
        if (!connection.asked.includes(text)) continue
        connection.isMuted = true
        connection.inner.unpipe(connection.outer).resume()
        connection.outer.unpipe(connection.inner).resume()
      }
    },
    count: (text) => sent.split(text).length - 1,
    async stop() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => {
        server.close(resolve)
      })
    },
  }
  return relay
}
