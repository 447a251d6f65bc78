/** A proxy that answers CONNECT as a test says: for what a real one does only on a bad day. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'

/** `nothing`: keeps whoever asks waiting. `hang up`: closes. Other text is sent as it is. */
export type ProxyAnswer = number | 'tunnel' | 'nothing' | 'hang up' | (string & {})

export interface FakeProxy extends AsyncDisposable {
  readonly port: number
  readonly asked: readonly { readonly authority: string | undefined; readonly authorization: string | undefined }[]
  /** The same to all, or by the `host:port` that is asked for. */
  answer: ProxyAnswer | ((authority: string) => ProxyAnswer)
}

/** `addresses`: of hosts that it does not look up, each with a port where it is another. */
export async function startFakeProxy(
  answer: FakeProxy['answer'] = 'tunnel',
  addresses: Readonly<Record<string, string>> = {},
): Promise<FakeProxy> {
  const asked: FakeProxy['asked'][number][] = []
  const open = new Set<Duplex>()
  const server = createServer()
  server.on('connection', (socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => open.delete(socket))
  })
  server.on('connect', ({ url = '', headers }, socket) => {
    asked.push({ authority: url, authorization: headers['proxy-authorization'] })
    const said = typeof proxy.answer === 'function' ? proxy.answer(url) : proxy.answer
    if (said === 'tunnel') tunnel(url, socket, addresses)
    else if (said === 'hang up') socket.destroy()
    else if (typeof said === 'number') socket.end(`HTTP/1.1 ${said} So\r\ncontent-length: 2\r\n\r\nno`)
    else if (said !== 'nothing') socket.write(said)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const proxy: FakeProxy = {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    asked,
    answer,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of open) socket.destroy()
    },
  }
  return proxy
}

function tunnel(authority: string, socket: Duplex, addresses: Readonly<Record<string, string>>): void {
  const { hostname, port } = new URL(`tcp://${authority}`)
  const to = new URL(`tcp://${addresses[hostname] ?? hostname}`)
  const other = connect({ host: to.hostname.replaceAll(/[[\]]/g, ''), port: Number(to.port || port) })
  other.once('connect', () => {
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    socket.pipe(other).pipe(socket)
  })
  other.on('error', () => socket.destroy())
  other.once('close', () => socket.destroy())
  socket.once('close', () => other.destroy())
}
