/** A TCP relay to a port on loopback, over which answers take as long as one says. */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface SlowRelay extends AsyncDisposable {
  readonly port: number
  /** 0 at first. */
  delayMs: number
}

export async function startSlowRelay(port: number): Promise<SlowRelay> {
  const sockets = new Set<Socket>()
  const server = createServer((inner) => {
    const outer = connect(port, '127.0.0.1')
    for (const [socket, other] of [
      [inner, outer],
      [outer, inner],
    ] as const) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => other.destroy())
    }
    inner.pipe(outer)
    // In order, as on one line.
    let sent = Promise.resolve()
    outer.on('data', (chunk) => {
      const due = new Promise((resolve) => setTimeout(resolve, relay.delayMs))
      sent = Promise.all([sent, due]).then(() => void inner.write(chunk))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const relay: SlowRelay = {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    port: (server.address() as AddressInfo).port,
    delayMs: 0,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
  return relay
}
