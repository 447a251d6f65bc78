/** The heads of answers, put together from their frames and read (RFC 9113 §6.2, §6.10). */
import { ConnectionFault, ERROR, fault, FLAG, FRAME, payloadOf, type Frame } from './frames.ts'
import { HpackDecoder } from './hpack-decoder.ts'

/** Of a head with all its parts, before HPACK is undone. */
export const MAX_HEAD_BYTES = 32 * 1024
const MAX_PARTS = 16
const PRIORITY_BYTES = 5
const WANTED: ReadonlySet<string> = new Set([':status', 'retry-after'])

export interface Head {
  readonly streamId: number
  /** Nothing follows it. */
  readonly isOver: boolean
  /** Undefined: there is none, as in a head after the body. */
  readonly status: number | undefined
  readonly retryAfter: string | undefined
}

export class Heads {
  // One for all: its table changes with each head, also of those that nobody waits for.
  readonly #decoder = new HpackDecoder(WANTED)
  #begun: { readonly streamId: number; readonly flags: number; readonly parts: Buffer[] } | undefined

  /** What must come next, before anything else, for the head that has begun. */
  get isBegun(): boolean {
    return this.#begun !== undefined
  }

  /** Takes HEADERS or CONTINUATION: the head, when it is whole. */
  take(frame: Frame): Head | undefined {
    return frame.type === FRAME.headers ? this.#begin(frame) : this.#continue(frame)
  }

  #begin(frame: Frame): Head | undefined {
    const { flags, streamId, bytes } = frame
    const [from, end] = payloadOf(frame)
    const start = from + ((flags & FLAG.priority) === 0 ? 0 : PRIORITY_BYTES)
    if (start > end) throw new ConnectionFault(ERROR.frameSize, 'a head is too short')
    if ((flags & FLAG.endHeaders) !== 0) return this.#read(streamId, flags, bytes, start, end)
    this.#begun = { streamId, flags, parts: [bytes.subarray(start, end)] }
    return undefined
  }

  #continue({ flags, streamId, bytes, start, end }: Frame): Head | undefined {
    const begun = this.#begun
    if (begun?.streamId !== streamId) throw fault('a head was continued that had not begun')
    begun.parts.push(bytes.subarray(start, end))
    const size = begun.parts.reduce((sum, part) => sum + part.length, 0)
    if (size > MAX_HEAD_BYTES || begun.parts.length > MAX_PARTS)
      throw new ConnectionFault(ERROR.enhanceYourCalm, 'a head is too long')
    if ((flags & FLAG.endHeaders) === 0) return undefined
    this.#begun = undefined
    return this.#read(streamId, begun.flags, Buffer.concat(begun.parts), 0, size)
  }

  #read(streamId: number, flags: number, bytes: Buffer, start: number, end: number): Head {
    const fields = this.#decoder.decode(bytes, start, end)
    const text = fields.get(':status')
    const status = text !== undefined && /^[1-9]\d\d$/.test(text) ? Number(text) : undefined
    return { streamId, isOver: (flags & FLAG.endStream) !== 0, status, retryAfter: fields.get('retry-after') }
  }
}
