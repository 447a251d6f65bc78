/** HTTP/2's frames (RFC 9113 §4, §6, §7): their names and numbers, and how they are cut out of what comes. */

export const FRAME = {
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
} as const

export const FLAG = { endStream: 0x1, ack: 0x1, endHeaders: 0x4, padded: 0x8, priority: 0x20 } as const

export const SETTING = {
  headerTableBytes: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowBytes: 4,
  maxFrameBytes: 5,
  maxHeaderListBytes: 6,
} as const

/** Name and value. */
export const SETTING_BYTES = 6

export const ERROR = {
  none: 0,
  protocol: 1,
  flowControl: 3,
  frameSize: 6,
  refusedStream: 7,
  cancel: 8,
  compression: 9,
  enhanceYourCalm: 11,
} as const

export const FRAME_HEAD_BYTES = 9
/** The largest that may be sent without asking, and that we take. */
export const MAX_FRAME_BYTES = 16_384
/** What may be sent before the peer grants more, and the most that it may grant (RFC 9113 §6.9). */
export const WINDOW_BYTES = 65_535
export const MAX_WINDOW_BYTES = 0x7fffffff

/** The peer broke the rules of the whole connection, which ends with the code (RFC 9113 §5.4.1). */
export class ConnectionFault extends Error {
  override readonly name = 'ConnectionFault'
  readonly code: number

  constructor(code: number, what: string) {
    super(what)
    this.code = code
  }
}

/** A frame; its payload is `bytes` from `start` to `end`, no longer written to. */
export interface Frame {
  readonly type: number
  readonly flags: number
  readonly streamId: number
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** … of RFC 9113 §5.4.1 that has no code of its own. */
export function fault(what: string): ConnectionFault {
  return new ConnectionFault(ERROR.protocol, what)
}

/** Throws a ConnectionFault for a payload of another size. */
export function mustHave(bytes: number, { start, end }: Frame): void {
  if (end - start !== bytes) throw new ConnectionFault(ERROR.frameSize, 'a frame has another size')
}

/** Throws a ConnectionFault for a frame of a stream where only the connection can be meant. */
export function mustBeOfConnection({ streamId }: Frame): void {
  if (streamId !== 0) throw fault('a frame is of the connection')
}

/** Without the padding (RFC 9113 §6.1). */
export function payloadOf({ flags, bytes, start, end }: Frame): readonly [from: number, to: number] {
  if ((flags & FLAG.padded) === 0) return [start, end]
  const padding = end > start ? (bytes[start] ?? 0) : 0
  if (start + 1 + padding > end) throw fault('padding is longer than its frame')
  return [start + 1, end - padding]
}

/** Of SETTINGS: names and values. */
export function settingsOf({ bytes, start, end }: Frame): readonly (readonly [name: number, value: number])[] {
  const settings: [number, number][] = []
  for (let at = start; at < end; at += SETTING_BYTES)
    settings.push([bytes.readUInt16BE(at), bytes.readUInt32BE(at + 2)])
  return settings
}

const MAX_PIECES = 64

/** Cuts frames out of what comes, in pieces of any size. Holds back at most one. */
export class FrameReader {
  readonly #onFrame: (frame: Frame) => void
  /** Of a frame that is not whole yet; joined once it is, for they may be of a byte each. */
  #pieces: Buffer[] = []
  #piecesBytes = 0
  /** With how many bytes there is more to be read. */
  #neededBytes = FRAME_HEAD_BYTES

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame
  }

  /** Throws a ConnectionFault, also one that `onFrame` throws. */
  read(chunk: Buffer): void {
    this.#pieces.push(chunk)
    this.#piecesBytes += chunk.length
    if (this.#piecesBytes < this.#neededBytes) {
      // Each costs more than a byte.
      if (this.#pieces.length >= MAX_PIECES) this.#pieces = [Buffer.concat(this.#pieces)]
      return
    }
    const bytes = this.#pieces.length === 1 ? chunk : Buffer.concat(this.#pieces)
    let at = 0
    this.#neededBytes = FRAME_HEAD_BYTES
    while (bytes.length - at >= FRAME_HEAD_BYTES) {
      const payloadBytes = bytes.readUIntBE(at, 3)
      if (payloadBytes > MAX_FRAME_BYTES) throw new ConnectionFault(ERROR.frameSize, 'a frame is too long')
      const start = at + FRAME_HEAD_BYTES
      const end = start + payloadBytes
      if (end > bytes.length) {
        this.#neededBytes = end - at
        break
      }
      const [type, flags] = [bytes.readUInt8(at + 3), bytes.readUInt8(at + 4)]
      // Without the reserved bit.
      const streamId = bytes.readUInt32BE(at + 5) & 0x7fffffff
      this.#onFrame({ type, flags, streamId, bytes, start, end })
      at = end
    }
    this.#pieces = at === bytes.length ? [] : [bytes.subarray(at)]
    this.#piecesBytes = bytes.length - at
  }
}
