/** An HTTP/2 server to the frame (RFC 9113 §4.1), for what no library would send. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions } from 'node:tls'

export const TYPE = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
  altsvc: 10,
  origin: 12,
} as const
const END_HEADERS = 4
const END_STREAM = 1
const ACK = 1
const HEAD_BYTES = 9
const PREFACE_BYTES = 24

export interface Frame {
  readonly type: number
  readonly flags?: number | undefined
  readonly stream?: number | undefined
  readonly payload?: Buffer | undefined
}

export interface ReceivedFrame extends Frame {
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

function toBytes({ type, flags = 0, stream = 0, payload = Buffer.of() }: Frame): Buffer {
  const head = Buffer.alloc(HEAD_BYTES)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** SETTINGS with one of them, or none. */
export function settings(name?: 'streams' | 'window', value = 0): Frame {
  if (name === undefined) return { type: TYPE.settings }
  const payload = Buffer.alloc(6)
  payload.writeUInt16BE(name === 'streams' ? 3 : 4)
  payload.writeUInt32BE(value, 2)
  return { type: TYPE.settings, payload }
}

/** A head with this status, as HPACK's literal (RFC 7541 §6.2.2). */
export function answer(stream: number, status: number, isEnd = true): Frame {
  const payload = Buffer.concat([Buffer.of(0x08, 3), Buffer.from(String(status))])
  return { type: TYPE.headers, flags: END_HEADERS | (isEnd ? END_STREAM : 0), stream, payload }
}

export function goaway(lastStream: number): Frame {
  const payload = Buffer.alloc(8)
  payload.writeUInt32BE(lastStream)
  return { type: TYPE.goaway, payload }
}

export function resetStream(stream: number, code: number): Frame {
  const payload = Buffer.alloc(4)
  payload.writeUInt32BE(code)
  return { type: TYPE.reset, stream, payload }
}

/** A connection, seen from the peer. */
export interface PeerConnection {
  readonly socket: Socket
  send(...frames: readonly Frame[]): void
  /** The same again and again, as fast as it is read. */
  flood(frame: Frame): void
}

export interface Peer extends AsyncDisposable {
  readonly port: number
  /** All frames that came, on every connection. */
  readonly received: readonly ReceivedFrame[]
  readonly connections: ReadonlySet<PeerConnection>
  /** Connections so far. */
  readonly accepted: number
}

export interface PeerBehaviour {
  /** Default: SETTINGS without any. */
  readonly onConnection?: (connection: PeerConnection) => void
  /** For each request, when its head has come. */
  readonly onRequest?: (connection: PeerConnection, stream: number) => void
}

export async function startHttp2Peer(certificate: SecureContextOptions, behaviour: PeerBehaviour): Promise<Peer> {
  const { onConnection = (connection) => connection.send(settings()), onRequest } = behaviour
  const received: ReceivedFrame[] = []
  const connections = new Set<PeerConnection>()
  let accepted = 0
  const server = createServer({ ...certificate, ALPNProtocols: ['h2'] }, (socket) => {
    const connection = connectionOn(socket)
    accepted += 1
    connections.add(connection)
    socket.on('error', () => {}).on('close', () => connections.delete(connection))
    readFrames(socket, (frame) => {
      received.push(frame)
      // Whoever says nothing does not say that either.
      const isToAcknowledge = frame.type === TYPE.settings && frame.flags !== ACK && socket.bytesWritten > 0
      if (isToAcknowledge) connection.send({ type: TYPE.settings, flags: ACK })
      if (frame.type === TYPE.headers) onRequest?.(connection, frame.stream)
    })
    onConnection(connection)
  })
  server.on('tlsClientError', () => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the peer has no port')
  return {
    port: address.port,
    received,
    connections,
    get accepted() {
      return accepted
    },
    async [Symbol.asyncDispose]() {
      server.close()
      for (const { socket } of connections) socket.destroy()
      await once(server, 'close')
    },
  }
}

/** How often a frame is repeated in what is written at once. */
const REPETITIONS = 2000

function connectionOn(socket: Socket): PeerConnection {
  return {
    socket,
    send(...frames) {
      if (!socket.destroyed) socket.write(Buffer.concat(frames.map(toBytes)))
    },
    flood(frame) {
      const bytes = Buffer.concat(Array<Buffer>(REPETITIONS).fill(toBytes(frame)))
      const write = (): void => {
        if (socket.destroyed) return
        if (socket.write(bytes)) setImmediate(write)
        else socket.once('drain', write)
      }
      write()
    },
  }
}

function readFrames(socket: Socket, onFrame: (frame: ReceivedFrame) => void): void {
  let bytes = Buffer.of()
  let isBegun = false
  socket.on('data', (chunk: Buffer) => {
    bytes = Buffer.concat([bytes, chunk])
    if (!isBegun) {
      if (bytes.length < PREFACE_BYTES) return
      bytes = bytes.subarray(PREFACE_BYTES)
      isBegun = true
    }
    while (bytes.length >= HEAD_BYTES) {
      const end = HEAD_BYTES + bytes.readUIntBE(0, 3)
      if (bytes.length < end) return
      const frame = { type: bytes.readUInt8(3), flags: bytes.readUInt8(4), stream: bytes.readUInt32BE(5) }
      onFrame({ ...frame, payload: bytes.subarray(HEAD_BYTES, end) })
      bytes = bytes.subarray(end)
    }
  })
}
