/** The other end of `kubectl exec` and `port-forward`: SPDY/3.1 on a connection that was upgraded, as every kubectl speaks it. The client opens all streams. */
import { Duplex, type Transform } from 'node:stream'
import { constants, createDeflate, createInflate } from 'node:zlib'

const SYN_STREAM = 1
const SYN_REPLY = 2
const RST_STREAM = 3
const PING = 6
const FIN = 1
const VERSION = 0x80_03
const HEAD_BYTES = 8

/** The words that SPDY's headers are compressed with: each behind its length, then the rest as it is. */
const WORDS = [
  'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow authorization cache-control connection',
  'content-base content-encoding content-language content-length content-location content-md5 content-range content-type date etag expect expires from host',
  'if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma proxy-authenticate proxy-authorization',
  'range referer retry-after server te trailer transfer-encoding upgrade user-agent vary via warning www-authenticate method get status 200_OK version',
  'HTTP/1.1 url public set-cookie keep-alive origin',
]
const REST =
  '100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.'
const dictionary = Buffer.concat([
  ...WORDS.flatMap((line) => line.split(' ')).map((each) => lengthAnd(each.replace('_', ' '))),
  Buffer.from(REST),
])

/** One stream of the client: what it sends is read, what is written is sent. */
export class SpdyStream extends Duplex {
  /** By their names in small letters. */
  readonly headers: ReadonlyMap<string, string>
  readonly #send: (flags: number, data: Buffer) => void

  constructor(headers: ReadonlyMap<string, string>, send: (flags: number, data: Buffer) => void) {
    super()
    this.headers = headers
    this.#send = send
  }

  override _read(): void {
    // What comes is pushed.
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#send(0, chunk)
    done()
  }

  override _final(done: () => void): void {
    this.#send(FIN, Buffer.alloc(0))
    done()
  }
}

/** Reads the connection until it ends. */
export async function serveSpdy(socket: Duplex, onStream: (stream: SpdyStream) => void): Promise<void> {
  const inflate = createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH })
  const deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH })
  const streams = new Map<number, SpdyStream>()
  const take = async (control: boolean, type: number, flags: number, body: Buffer, head: Buffer): Promise<void> => {
    if (!control) {
      const stream = streams.get(head.readUInt32BE(0))
      if (body.length > 0) stream?.push(body)
      if (flags === FIN) stream?.push(null)
    } else if (type === SYN_STREAM) {
      const id = body.readUInt32BE(0)
      const headers = headersIn(await through(inflate, body.subarray(10)))
      const stream = new SpdyStream(headers, (flag, data) => void socket.write(dataFrame(id, flag, data)))
      streams.set(id, stream)
      if (flags === FIN) stream.push(null)
      socket.write(controlFrame(SYN_REPLY, Buffer.concat([word(id), await through(deflate, word(0))])))
      onStream(stream)
    } else if (type === PING) socket.write(controlFrame(PING, body))
    else if (type === RST_STREAM) streams.get(body.readUInt32BE(0))?.destroy()
  }
  let rest = Buffer.alloc(0)
  try {
    for await (const chunk of socket) {
      rest = Buffer.concat([rest, chunk])
      while (rest.length >= HEAD_BYTES && rest.length >= HEAD_BYTES + rest.readUIntBE(5, 3)) {
        const end = HEAD_BYTES + rest.readUIntBE(5, 3)
        const head = rest.subarray(0, HEAD_BYTES)
        const isControl = head.readUInt16BE(0) >= 0x80_00
        await take(isControl, head.readUInt16BE(2), head.readUInt8(4), rest.subarray(HEAD_BYTES, end), head)
        rest = rest.subarray(end)
      }
    }
  } finally {
    for (const stream of streams.values()) stream.destroy()
    inflate.close()
    deflate.close()
  }
}

function through(codec: Transform, block: Buffer): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const parts: Buffer[] = []
  const collect = (part: Buffer): void => void parts.push(part)
  codec.on('data', collect).once('error', reject)
  codec.write(block, () =>
    setImmediate(() => {
      codec.off('data', collect).off('error', reject)
      resolve(Buffer.concat(parts))
    }),
  )
  return promise
}

function headersIn(block: Buffer): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  let at = 4
  const next = (): string => {
    const length = block.readUInt32BE(at)
    at += 4 + length
    return block.toString('utf8', at - length, at)
  }
  for (let left = block.readUInt32BE(0); left > 0; left -= 1) headers.set(next(), next())
  return headers
}

function dataFrame(id: number, flags: number, data: Buffer): Buffer {
  return Buffer.concat([word(id), lengthWord(flags, data), data])
}

function controlFrame(type: number, body: Buffer): Buffer {
  const head = Buffer.alloc(4)
  head.writeUInt16BE(VERSION, 0)
  head.writeUInt16BE(type, 2)
  return Buffer.concat([head, lengthWord(0, body), body])
}

function lengthWord(flags: number, body: Buffer): Buffer {
  const bytes = word(body.length)
  bytes.writeUInt8(flags, 0)
  return bytes
}

function lengthAnd(text: string): Buffer {
  return Buffer.concat([word(text.length), Buffer.from(text)])
}

function word(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
