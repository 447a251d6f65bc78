/** The bodies of requests, sent as the peer has room for them (flow control, RFC 9113 §5.2). Nearly all go at once. */
import {
  ConnectionFault,
  ERROR,
  FLAG,
  FRAME,
  FRAME_HEAD_BYTES,
  MAX_FRAME_BYTES,
  MAX_WINDOW_BYTES,
  WINDOW_BYTES,
} from './frames.ts'
import type { Output } from './output.ts'

/** Of UTF-8, for a unit of UTF-16. */
const MAX_BYTES_OF_UNIT = 3

export interface BodyUnderWay {
  readonly id: number
  /** What the peer takes of it more; below zero when it has taken room back. */
  windowBytes: number
  /** What has not been sent; undefined: all has. */
  rest: Uint8Array | undefined
}

export class BodiesUnderWay {
  readonly #output: Output
  /** Those with a rest, in the order of their requests. */
  readonly #waiting = new Set<BodyUnderWay>()
  #initialWindowBytes = WINDOW_BYTES
  #adjustedBytes = WINDOW_BYTES
  /** For all together. */
  #windowBytes = WINDOW_BYTES

  constructor(output: Output) {
    this.#output = output
  }

  /** Sends what there is room for; the rest follows by itself. */
  begin(stream: BodyUnderWay, body: string | Uint8Array): void {
    stream.windowBytes = this.#initialWindowBytes
    if (body.length === 0) return
    const maxBytes = typeof body === 'string' ? body.length * MAX_BYTES_OF_UNIT : body.length
    const room = Math.min(MAX_FRAME_BYTES, stream.windowBytes, this.#windowBytes)
    if (maxBytes <= room && this.#waiting.size === 0) return this.#sendWhole(stream, body, maxBytes)
    stream.rest = typeof body === 'string' ? Buffer.from(body) : body
    this.#waiting.add(stream)
    this.#continue()
  }

  /** What is left of it is not sent. */
  drop(stream: BodyUnderWay): void {
    stream.rest = undefined
    this.#waiting.delete(stream)
  }

  /** For requests that begin later, and by the difference for those under way (RFC 9113 §6.9.2), when `adjust` is called. Throws a ConnectionFault. */
  setInitialWindow(bytes: number): void {
    if (bytes > MAX_WINDOW_BYTES) throw new ConnectionFault(ERROR.flowControl, 'a window is too large')
    this.#initialWindowBytes = bytes
  }

  /** Once for all settings of a frame: it looks at all that waits. */
  adjust(): void {
    const difference = this.#initialWindowBytes - this.#adjustedBytes
    this.#adjustedBytes = this.#initialWindowBytes
    if (difference === 0) return
    for (const stream of this.#waiting) stream.windowBytes += difference
    this.#continue()
  }

  widenConnection(bytes: number): void {
    this.#windowBytes = Math.min(MAX_WINDOW_BYTES, this.#windowBytes + bytes)
    this.#continue()
  }

  /** False: that is more than a window may be. */
  widen(stream: BodyUnderWay, bytes: number): boolean {
    if (stream.rest === undefined) return true
    stream.windowBytes += bytes
    if (stream.windowBytes > MAX_WINDOW_BYTES) return false
    this.#continue()
    return true
  }

  #sendWhole(stream: BodyUnderWay, body: string | Uint8Array, maxBytes: number): void {
    const output = this.#output
    output.reserve(FRAME_HEAD_BYTES + maxBytes)
    const frameAt = output.at
    const start = frameAt + FRAME_HEAD_BYTES
    let bytes = body.length
    if (typeof body === 'string') bytes = output.bytes.write(body, start)
    else output.bytes.set(body, start)
    output.writeHead(bytes, FRAME.data, FLAG.endStream, stream.id)
    output.at = start + bytes
    this.#count(stream, bytes)
  }

  #continue(): void {
    for (const stream of this.#waiting) {
      if (this.#windowBytes <= 0) return
      while (stream.rest !== undefined && this.#sendPart(stream, stream.rest));
      if (stream.rest === undefined) this.#waiting.delete(stream)
    }
  }

  /** False: there is no room for more of it. */
  #sendPart(stream: BodyUnderWay, rest: Uint8Array): boolean {
    const bytes = Math.min(rest.length, MAX_FRAME_BYTES, stream.windowBytes, this.#windowBytes)
    if (bytes <= 0) return false
    const isLast = bytes === rest.length
    const output = this.#output
    output.reserve(FRAME_HEAD_BYTES + bytes)
    output.writeHead(bytes, FRAME.data, isLast ? FLAG.endStream : 0, stream.id)
    output.bytes.set(rest.subarray(0, bytes), output.at)
    output.at += bytes
    output.send()
    stream.rest = isLast ? undefined : rest.subarray(bytes)
    this.#count(stream, bytes)
    return true
  }

  #count(stream: BodyUnderWay, bytes: number): void {
    stream.windowBytes -= bytes
    this.#windowBytes -= bytes
  }
}
