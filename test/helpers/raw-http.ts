/** HTTP/1.1 to the byte: for requests as they were recorded, and for those that no client would send. */
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'

export interface RawAnswer {
  readonly status: number
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface RawConnection {
  write(bytes: string | Uint8Array): void
  /** The next answer on this connection, which must have a Content-Length; undefined when the connection ends before it is complete. */
  answer(): Promise<RawAnswer | undefined>
  /** Resolves when the connection is over, whoever ended it. */
  readonly closed: Promise<void>
  destroy(): void
}

export async function openConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const news = new EventEmitter()
  let received = Buffer.alloc(0)
  let isOver = false
  socket.on('error', () => {}) // a reset ends it too
  socket.on('data', (chunk) => {
    received = Buffer.concat([received, chunk])
    news.emit('news')
  })
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      isOver = true
      news.emit('news')
      resolve()
    })
  })
  await once(socket, 'connect')
  return {
    write: (bytes) => void socket.write(bytes),
    async answer() {
      for (;;) {
        const next = parseAnswer(received)
        if (next !== undefined) {
          received = next.rest
          return next.answer
        }
        if (isOver) return undefined
        await once(news, 'news')
      }
    },
    closed,
    destroy: () => void socket.destroy(),
  }
}

function parseAnswer(bytes: Buffer): { readonly answer: RawAnswer; readonly rest: Buffer<ArrayBuffer> } | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd < 0) return undefined
  const [statusLine = '', ...lines] = bytes.toString('latin1', 0, headEnd).split('\r\n')
  const headers = new Map(
    lines.map((line) => [line.split(':', 1).join('').toLowerCase(), line.replace(/^[^:]*:\s*/, '')]),
  )
  const bodyEnd = headEnd + 4 + Number(headers.get('content-length') ?? 0)
  if (bytes.length < bodyEnd) return undefined
  const answer = {
    status: Number(statusLine.split(' ')[1]),
    headers,
    body: bytes.toString('utf8', headEnd + 4, bodyEnd),
  }
  return { answer, rest: Buffer.from(bytes.subarray(bodyEnd)) }
}
