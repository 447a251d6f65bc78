/**
 * HTTP/2 as a client (RFC 9113), for requests whose bodies are whole and small and whose answers are short. It says what came; what follows from it is
 * decided in `../connections`. Why it is ours: docs/decisions.md#http2.
 */
import type { Duplex } from 'node:stream'
import { BodiesUnderWay, type BodyUnderWay } from './bodies.ts'
import type { Answering, SessionEvents, SessionLimits } from './contract.ts'
import {
  ConnectionFault,
  ERROR,
  fault,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  FrameReader,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  WINDOW_BYTES,
  mustBeOfConnection,
  mustHave,
  payloadOf,
  SETTING,
  SETTING_BYTES,
  settingsOf,
  type Frame,
} from './frames.ts'
import { Heads, MAX_HEAD_BYTES } from './heads.ts'
import { HpackEncoder } from './hpack-encoder.ts'
import { Output } from './output.ts'

const MAX_STREAM_ID = 0x7fffffff

interface Stream extends BodyUnderWay {
  readonly answering: Answering
  hasHead: boolean
}

export class Http2Session {
  isClosed = false
  /** Requests at once; undefined: the peer does not limit them. */
  maxConcurrentStreams: number | undefined
  readonly #socket: Duplex
  readonly #output: Output
  readonly #reader = new FrameReader((frame) => this.#take(frame))
  readonly #encoder = new HpackEncoder()
  readonly #heads = new Heads()
  readonly #bodies: BodiesUnderWay
  readonly #streams = new Map<number, Stream>()
  /** Whom to tell of the answer to a PING, by its number. */
  readonly #pongs = new Map<number, () => void>()
  #pings = 0
  #events: SessionEvents | undefined
  #nextId = 1
  #hasSettings = false
  #isLeft = false
  #receivedBytes = 0

  constructor(socket: Duplex, { maxAnswerBytes, maxWaitingBytes }: SessionLimits) {
    this.#socket = socket
    this.#output = new Output(socket, maxWaitingBytes)
    this.#bodies = new BodiesUnderWay(this.#output)
    this.#output.writePreface([
      [SETTING.enablePush, 0],
      [SETTING.initialWindowBytes, Math.max(WINDOW_BYTES, maxAnswerBytes + 1)],
      [SETTING.maxHeaderListBytes, MAX_HEAD_BYTES],
    ])
    socket.on('data', (chunk: Buffer) => this.#read(chunk))
    socket.on('error', () => {})
    // No answer can come any more.
    socket.once('end', () => socket.destroy())
    socket.once('close', () => this.#end())
  }

  /** Whom to tell. */
  listen(events: SessionEvents): void {
    this.#events = events
  }

  /** Whether a request has begun. */
  get isUsed(): boolean {
    return this.#nextId > 1
  }

  /** Whether a request may begin. After the peer's goodbye, or its last stream, none may. */
  get isOpen(): boolean {
    return !this.isClosed && !this.#isLeft && this.#socket.writable && this.#nextId <= MAX_STREAM_ID
  }

  /**
   * Sends a request on a connection that is open: the number of its stream, or undefined where no head may have these fields, and nothing was sent. `fields`:
   * names, in lower case, and values in turn.
   */
  request(fields: readonly string[], body: string | Uint8Array, answering: Answering): number | undefined {
    const headBytes = this.#encoder.maxBytes(fields)
    if (headBytes > MAX_FRAME_BYTES || !this.#encoder.canEncode(fields)) return undefined
    const id = this.#nextId
    this.#nextId += 2
    const output = this.#output
    output.reserve(FRAME_HEAD_BYTES + headBytes)
    const frameAt = output.at
    output.at += FRAME_HEAD_BYTES
    this.#encoder.encode(output, fields)
    const [endAt, isEmpty] = [output.at, body.length === 0]
    output.at = frameAt
    const flags = FLAG.endHeaders | (isEmpty ? FLAG.endStream : 0)
    output.writeHead(endAt - frameAt - FRAME_HEAD_BYTES, FRAME.headers, flags, id)
    output.at = endAt
    const stream: Stream = { id, answering, hasHead: false, windowBytes: 0, rest: undefined }
    this.#streams.set(id, stream)
    this.#bodies.begin(stream, body)
    output.send()
    return id
  }

  /** Gives up a request. */
  reset(streamId: number, code: number): void {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    this.#output.writeFrame(FRAME.reset, 0, streamId, code)
    this.#closeStream(stream, code)
  }

  /** Asks whether the peer is there. */
  ping(onPong: () => void): void {
    if (this.isClosed) return
    this.#pings += 1
    this.#pongs.set(this.#pings, onPong)
    this.#output.writeFrame(FRAME.ping, 0, 0, 0, this.#pings)
  }

  /** Says goodbye. What is under way is lost. */
  close(code: number = ERROR.none): void {
    if (this.isClosed || this.#socket.writableEnded) return
    this.#output.writeFrame(FRAME.goaway, 0, 0, 0, code)
    this.#output.flush()
    this.#socket.end()
  }

  #read(chunk: Buffer): void {
    if (this.isClosed) return
    try {
      this.#reader.read(chunk)
    } catch (error) {
      if (!(error instanceof ConnectionFault)) throw error
      this.close(error.code)
      this.#socket.destroy()
      this.#end()
    }
  }

  #end(): void {
    if (this.isClosed) return
    this.isClosed = true
    for (const stream of this.#streams.values()) this.#closeStream(stream, ERROR.cancel)
    this.#pongs.clear()
    this.#events?.closed()
  }

  #take(frame: Frame): void {
    if (this.isClosed) return
    if (!this.#hasSettings && frame.type !== FRAME.settings) throw fault('no settings came first')
    if (this.#heads.isBegun && frame.type !== FRAME.continuation) throw fault('a head was not ended')
    switch (frame.type) {
      case FRAME.data:
        return this.#takeData(frame)
      case FRAME.headers:
      case FRAME.continuation:
        return this.#takeHead(frame)
      case FRAME.reset:
        return this.#takeReset(frame)
      case FRAME.settings:
        return this.#takeSettings(frame)
      case FRAME.ping:
        return this.#takePing(frame)
      case FRAME.goaway:
        return this.#takeGoaway(frame)
      case FRAME.windowUpdate:
        return this.#takeWindowUpdate(frame)
      case FRAME.pushPromise:
        throw fault('a push was promised that is not allowed')
    }
    // What is not known is passed over (RFC 9113 §5.5), and so are priorities.
  }

  #takeData(frame: Frame): void {
    const { flags, streamId, bytes, start, end } = frame
    const stream = this.#streamOf(streamId)
    // What is dropped counts as well, or the connection would stand still one day.
    this.#receivedBytes += end - start
    if (this.#receivedBytes >= WINDOW_BYTES / 2) {
      this.#output.writeFrame(FRAME.windowUpdate, 0, 0, this.#receivedBytes)
      this.#receivedBytes = 0
    }
    const [from, to] = payloadOf(frame)
    if (stream === undefined) return
    if (!stream.hasHead) return this.reset(streamId, ERROR.protocol)
    if (to > from) stream.answering.data(bytes.subarray(from, to))
    if ((flags & FLAG.endStream) !== 0) this.#endAnswer(streamId)
  }

  #takeHead(frame: Frame): void {
    this.#streamOf(frame.streamId)
    const head = this.#heads.take(frame)
    const stream = head === undefined ? undefined : this.#streams.get(head.streamId)
    if (head === undefined || stream === undefined) return
    const { streamId, isOver, status = 0, retryAfter } = head
    // After the body only the end may come; before the answer's head interim ones, which have no end (RFC 9113 §8.1).
    const isAllowed = stream.hasHead ? isOver : status >= 200 || (status >= 100 && !isOver)
    if (!isAllowed) return this.reset(streamId, ERROR.protocol)
    if (!stream.hasHead && status >= 200) {
      stream.hasHead = true
      stream.answering.head(status, retryAfter, isOver)
    }
    if (isOver) this.#endAnswer(streamId)
  }

  /** The peer has said all. */
  #endAnswer(streamId: number): void {
    const stream = this.#streams.get(streamId)
    if (stream === undefined) return
    // It does not want the rest of the request (RFC 9113 §8.1).
    if (stream.rest !== undefined) this.#output.writeFrame(FRAME.reset, 0, streamId, ERROR.cancel)
    this.#closeStream(stream, ERROR.none)
  }

  #takeReset(frame: Frame): void {
    const { streamId, bytes, start } = frame
    mustHave(4, frame)
    const stream = this.#streamOf(streamId)
    if (stream !== undefined) this.#closeStream(stream, bytes.readUInt32BE(start))
  }

  #takeSettings(frame: Frame): void {
    mustBeOfConnection(frame)
    if ((frame.flags & FLAG.ack) !== 0) return mustHave(0, frame)
    if ((frame.end - frame.start) % SETTING_BYTES !== 0) mustHave(0, frame)
    for (const [name, value] of settingsOf(frame)) this.#takeSetting(name, value)
    this.#bodies.adjust()
    this.#hasSettings = true
    this.#output.reply(FRAME.settings)
    this.#events?.settings()
  }

  #takeSetting(name: number, value: number): void {
    if (name === SETTING.headerTableBytes) this.#encoder.setTableBytes(value)
    else if (name === SETTING.maxConcurrentStreams) this.maxConcurrentStreams = value
    else if (name === SETTING.initialWindowBytes) this.#bodies.setInitialWindow(value)
    else if (name === SETTING.maxFrameBytes && (value < MAX_FRAME_BYTES || value > 0xffffff))
      throw fault('a size of frames is not allowed')
  }

  #takePing(frame: Frame): void {
    const { flags, bytes, start } = frame
    mustBeOfConnection(frame)
    mustHave(8, frame)
    const [first, second] = [bytes.readUInt32BE(start), bytes.readUInt32BE(start + 4)]
    if ((flags & FLAG.ack) === 0) return this.#output.reply(FRAME.ping, first, second)
    this.#pongs.get(second)?.()
    this.#pongs.delete(second)
  }

  #takeGoaway(frame: Frame): void {
    const { bytes, start, end } = frame
    mustBeOfConnection(frame)
    if (end - start < 8) mustHave(8, frame)
    const lastStreamId = bytes.readUInt32BE(start) & MAX_STREAM_ID
    this.#isLeft = true
    this.#events?.goaway(lastStreamId)
    for (const stream of this.#streams.values())
      if (stream.id > lastStreamId) this.#closeStream(stream, ERROR.refusedStream)
  }

  #takeWindowUpdate(frame: Frame): void {
    const { streamId, bytes, start } = frame
    mustHave(4, frame)
    const more = bytes.readUInt32BE(start) & MAX_WINDOW_BYTES
    if (streamId === 0) {
      if (more === 0) throw fault('a window grew by nothing')
      return this.#bodies.widenConnection(more)
    }
    const stream = this.#streamOf(streamId)
    if (stream === undefined) return
    if (more === 0) return this.reset(streamId, ERROR.protocol)
    if (!this.#bodies.widen(stream, more)) this.reset(streamId, ERROR.flowControl)
  }

  /** The stream, or undefined where it is over. */
  #streamOf(streamId: number): Stream | undefined {
    if (streamId === 0 || streamId % 2 === 0 || streamId >= this.#nextId) throw fault('there is no such stream')
    return this.#streams.get(streamId)
  }

  #closeStream(stream: Stream, code: number): void {
    this.#streams.delete(stream.id)
    this.#bodies.drop(stream)
    stream.answering.closed(code)
  }
}
