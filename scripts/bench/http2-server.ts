/**
 * The server's end of an HTTP/2 connection (RFC 9113) that reads only where requests begin and end, and answers each with the same bytes: a server that
 * reads headers takes several times as much CPU, and on a small machine takes it from the gateway that is measured.
 */
import type { Duplex } from 'node:stream'

const PREFACE_BYTES = 24
const HEADER_BYTES = 9
const FRAME = { data: 0, headers: 1, settings: 4, ping: 6, windowUpdate: 8 } as const
const ACK = 1
const END_STREAM = 1
const END_HEADERS = 4
const PADDED = 8
const PRIORITY = 32
const SETTING_MAX_CONCURRENT_STREAMS = 3
/** What a client may send before it waits for more; it is given so much again whenever it has used it up. */
const WINDOW_BYTES = 2 ** 30

export interface Http2Answer {
  /** HPACK, with nothing that depends on what was said before. */
  readonly headerBlock: Buffer
  readonly body?: string
}

export interface Http2ServerOptions {
  readonly maxStreams: number
  readonly answer: Http2Answer
  /** Whether `onRequest` is given what was sent. */
  readonly isRead: () => boolean
  readonly onRequest: (connection: Http2Connection, streamId: number, headerBlock: Buffer, body: Buffer) => void
}

interface Unfinished {
  headerBlock: Buffer
  body: Buffer
}

const NOTHING: Buffer = Buffer.alloc(0)

export class Http2Connection {
  readonly #socket: Duplex
  readonly #options: Http2ServerOptions
  readonly #template: Buffer
  /** Where in the template the ID of the stream stands. */
  readonly #idOffsets: readonly number[]
  readonly #unfinished = new Map<number, Unfinished>()
  #rest = NOTHING
  #hasPreface = false
  #receivedBytes = 0
  #due: number[] = []

  constructor(socket: Duplex, options: Http2ServerOptions) {
    this.#socket = socket
    this.#options = options
    const { headerBlock, body } = options.answer
    const isWithBody = body !== undefined
    const headers = frame(FRAME.headers, END_HEADERS | (isWithBody ? 0 : END_STREAM), 0, headerBlock)
    const data = isWithBody ? [frame(FRAME.data, END_STREAM, 0, Buffer.from(body))] : []
    this.#template = Buffer.concat([headers, ...data])
    this.#idOffsets = isWithBody ? [5, headers.length + 5] : [5]
    const settings = Buffer.alloc(6)
    settings.writeUInt16BE(SETTING_MAX_CONCURRENT_STREAMS, 0)
    settings.writeUInt32BE(options.maxStreams, 2)
    socket.write(Buffer.concat([frame(FRAME.settings, 0, 0, settings), windowUpdate(WINDOW_BYTES)]))
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => socket.destroy())
  }

  /** To be sent with the next `flush`. */
  answer(streamId: number): void {
    this.#due.push(streamId)
  }

  flush(): void {
    if (this.#due.length === 0) return
    const bytes = Buffer.allocUnsafe(this.#template.length * this.#due.length)
    let offset = 0
    for (const streamId of this.#due) {
      this.#template.copy(bytes, offset)
      for (const idOffset of this.#idOffsets) bytes.writeUInt32BE(streamId, offset + idOffset)
      offset += this.#template.length
    }
    this.#due = []
    if (!this.#socket.destroyed) this.#socket.write(bytes)
  }

  #read(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let offset = 0
    if (!this.#hasPreface && bytes.length >= PREFACE_BYTES) {
      this.#hasPreface = true
      offset = PREFACE_BYTES
    }
    while (this.#hasPreface && bytes.length >= offset + HEADER_BYTES) {
      const end = offset + HEADER_BYTES + bytes.readUIntBE(offset, 3)
      if (bytes.length < end) break
      const streamId = bytes.readUInt32BE(offset + 5) & 0x7fff_ffff
      this.#take(bytes.readUInt8(offset + 3), bytes.readUInt8(offset + 4), streamId, bytes.subarray(offset + 9, end))
      offset = end
    }
    this.#rest = offset === bytes.length ? NOTHING : bytes.subarray(offset)
    this.flush()
  }

  #take(type: number, flags: number, streamId: number, payload: Buffer): void {
    if (type === FRAME.data) {
      this.#receivedBytes += payload.length
      if (this.#receivedBytes > WINDOW_BYTES / 2) {
        this.#socket.write(windowUpdate(this.#receivedBytes))
        this.#receivedBytes = 0
      }
      const request = this.#unfinished.get(streamId)
      if (request !== undefined)
        request.body = request.body.length === 0 ? payload : Buffer.concat([request.body, payload])
    } else if (type === FRAME.headers) {
      if (this.#options.isRead())
        this.#unfinished.set(streamId, { headerBlock: blockOf(flags, payload), body: NOTHING })
    } else if (type === FRAME.settings && (flags & ACK) === 0)
      this.#socket.write(frame(FRAME.settings, ACK, 0, NOTHING))
    else if (type === FRAME.ping && (flags & ACK) === 0) this.#socket.write(frame(FRAME.ping, ACK, 0, payload))
    if (type <= FRAME.headers && (flags & END_STREAM) !== 0) this.#end(streamId)
  }

  #end(streamId: number): void {
    const { headerBlock, body } = this.#unfinished.get(streamId) ?? { headerBlock: NOTHING, body: NOTHING }
    this.#unfinished.delete(streamId)
    this.#options.onRequest(this, streamId, headerBlock, body)
  }
}

function blockOf(flags: number, payload: Buffer): Buffer {
  const padding = (flags & PADDED) === 0 ? 0 : payload.readUInt8(0)
  const start = ((flags & PADDED) === 0 ? 0 : 1) + ((flags & PRIORITY) === 0 ? 0 : 5)
  return payload.subarray(start, payload.length - padding)
}

function frame(type: number, flags: number, streamId: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUIntBE(payload.length, 0, 3)
  header.writeUInt8(type, 3)
  header.writeUInt8(flags, 4)
  header.writeUInt32BE(streamId, 5)
  return Buffer.concat([header, payload])
}

function windowUpdate(bytes: number): Buffer {
  const increment = Buffer.alloc(4)
  increment.writeUInt32BE(bytes)
  return frame(FRAME.windowUpdate, 0, 0, increment)
}
