/** What goes out on a connection: collected over a turn of the event loop, and written at once. */
import type { Duplex } from 'node:stream'
import { ConnectionFault, ERROR, FLAG, FRAME, FRAME_HEAD_BYTES, SETTING_BYTES } from './frames.ts'

/** RFC 9113 §3.4. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** To a peer that does not read them. */
const MAX_REPLIES = 1000
const PIECE_BYTES = 64 * 1024

export class Output {
  readonly #socket: Duplex
  readonly #maxWaitingBytes: number
  /** Whoever writes reserves room first, writes at `at`, and moves it on. */
  bytes = Buffer.allocUnsafeSlow(PIECE_BYTES)
  at = 0
  /** What is before has been handed to the socket. */
  #from = 0
  #isDue = false
  /** Since all that was written had been read last. */
  #replies = 0

  /** `maxWaitingBytes`: a peer that reads so little loses the connection. */
  constructor(socket: Duplex, maxWaitingBytes: number) {
    this.#socket = socket
    this.#maxWaitingBytes = maxWaitingBytes
  }

  reserve(bytes: number): void {
    if (this.bytes.length - this.at >= bytes) return
    this.flush()
    this.bytes = Buffer.allocUnsafeSlow(Math.max(PIECE_BYTES, bytes))
    this.at = this.#from = 0
  }

  /** What a client begins with. `settings`: names and values. */
  writePreface(settings: readonly (readonly [name: number, value: number])[]): void {
    const settingsBytes = settings.length * SETTING_BYTES
    this.reserve(PREFACE.length + FRAME_HEAD_BYTES + settingsBytes)
    this.at += this.bytes.write(PREFACE, this.at, 'latin1')
    this.writeHead(settingsBytes, FRAME.settings, 0, 0)
    for (const [name, value] of settings)
      this.at = this.bytes.writeUInt32BE(value, this.bytes.writeUInt16BE(name, this.at))
    this.send()
  }

  /** A frame's head. Its payload follows in the room that was reserved for both. */
  writeHead(payloadBytes: number, type: number, flags: number, streamId: number): void {
    const { bytes, at } = this
    bytes.writeUIntBE(payloadBytes, at, 3)
    bytes.writeUInt8(type, at + 3)
    bytes.writeUInt8(flags, at + 4)
    this.at = bytes.writeUInt32BE(streamId, at + 5)
  }

  /** A frame whose payload is these numbers, of 32 bits each. */
  writeFrame(type: number, flags: number, streamId: number, ...payload: readonly number[]): void {
    this.reserve(FRAME_HEAD_BYTES + payload.length * 4)
    this.writeHead(payload.length * 4, type, flags, streamId)
    for (const number of payload) this.at = this.bytes.writeUInt32BE(number, this.at)
    this.send()
  }

  /** Acknowledges what the peer asks for. Throws a ConnectionFault when it asks without reading. */
  reply(type: number, ...payload: readonly number[]): void {
    const isRead = this.at === this.#from && this.#socket.writableLength === 0
    this.#replies = isRead ? 1 : this.#replies + 1
    if (this.#replies > MAX_REPLIES) throw new ConnectionFault(ERROR.enhanceYourCalm, 'what was asked for is not read')
    this.writeFrame(type, FLAG.ack, 0, ...payload)
  }

  /** What was written goes with all else of this turn. */
  send(): void {
    if (this.#isDue) return
    this.#isDue = true
    // After the promises that are settled by now, each of which may lead to a request.
    process.nextTick(() => this.flush())
  }

  flush(): void {
    this.#isDue = false
    if (this.at === this.#from) return
    if (!this.#socket.writableEnded) this.#socket.write(this.bytes.subarray(this.#from, this.at))
    this.#from = this.at
    if (this.#socket.writableLength > this.#maxWaitingBytes) this.#socket.destroy()
  }
}
