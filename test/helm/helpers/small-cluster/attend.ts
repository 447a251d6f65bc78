/** What a kubelet does for `kubectl exec` and `kubectl port-forward`. */
import type { IncomingMessage } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import type { RunningPod } from './containers.ts'
import { serveSpdy, type SpdyStream } from './spdy.ts'

const PROTOCOLS = { exec: 'v4.channel.k8s.io', portforward: 'portforward.k8s.io' } as const

/** Refuses what is not one of these, or has an input or a terminal. */
export async function attend(pod: RunningPod, what: string, request: IncomingMessage, socket: Duplex): Promise<void> {
  const { searchParams: query } = new URL(request.url ?? '', 'http://server')
  const isKnown = (what === 'exec' || what === 'portforward') && !query.has('stdin') && !query.has('tty')
  const protocol = isKnown ? PROTOCOLS[what] : undefined
  const offered = String(request.headers['x-stream-protocol-version']).split(/, */)
  if (protocol === undefined || !offered.includes(protocol)) {
    socket.end('HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    return
  }
  const lines = ['Connection: Upgrade', 'Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`]
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`)
  await serveSpdy(socket, what === 'exec' ? executor(pod, query) : forwarder(pod))
}

/** Runs the command once the client has opened a stream for each thing that it asks for. */
function executor(pod: RunningPod, query: URLSearchParams): (stream: SpdyStream) => void {
  const wanted = ['error', 'stdout', 'stderr'].filter((name) => name === 'error' || query.has(name))
  const streams = new Map<string, SpdyStream>()
  const run = async (): Promise<void> => {
    const command = query.getAll('command')
    const { code, stdout, stderr } = await pod.run(query.get('container') ?? undefined, command).ended
    streams.get('stdout')?.end(stdout)
    streams.get('stderr')?.end(stderr)
    const cause = { reason: 'ExitCode', message: String(code) }
    const failure = { status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [cause] }, message: 'failed' }
    streams.get('error')?.end(JSON.stringify({ metadata: {}, ...(code === 0 ? { status: 'Success' } : failure) }))
  }
  return (stream) => {
    streams.set(stream.headers.get('streamtype') ?? '', stream)
    stream.resume()
    if (streams.size === wanted.length)
      run().catch((error: unknown) =>
        streams.get('error')?.end(JSON.stringify({ status: 'Failure', message: String(error) })),
      )
  }
}

/** Each connection of the client is two streams: one for what is said, one for what went wrong. */
function forwarder(pod: RunningPod): (stream: SpdyStream) => void {
  const errors = new Map<string | undefined, SpdyStream>()
  return (stream) => {
    const id = stream.headers.get('requestid')
    if (stream.headers.get('streamtype') === 'error') {
      stream.resume()
      errors.set(id, stream)
      return
    }
    const port = Number(stream.headers.get('port'))
    const peer = connect(pod.portOf(port) ?? 0, '127.0.0.1')
    peer.on('error', (error) => errors.get(id)?.end(`port ${port}: ${error.message}`))
    peer.on('close', () => errors.get(id)?.end())
    stream
      .on('error', () => peer.destroy())
      .pipe(peer)
      .pipe(stream)
  }
}
