/**
 * How a simulated push service says goodbye on a connection (GOAWAY, RFC 9113 §6.8): it answers what came before, and does not look at what comes after. A client may
 * send that again at once. Node alone hands out what was read together with what came before (docs/facts/node.md#other-http2-peers).
 */
import { constants, type Http2Session, type ServerHttp2Stream } from 'node:http2'

const { NGHTTP2_NO_ERROR, NGHTTP2_REFUSED_STREAM } = constants
const LARGEST_STREAM_ID = 2 ** 31 - 1

export class Goodbye {
  readonly #session: Http2Session
  #lastId = 0
  #isSaid = false

  constructor(session: Http2Session) {
    this.#session = session
  }

  /** To be asked of each request when it comes. False: the goodbye was before it, and it is refused. */
  takes(stream: ServerHttp2Stream): boolean {
    if (this.#isSaid) stream.close(NGHTTP2_REFUSED_STREAM)
    else this.#lastId = stream.id ?? this.#lastId
    return !this.#isSaid
  }

  /** In so many frames: all but the last name no last request. */
  say(frames = 1): void {
    this.#isSaid = true
    for (let left = frames; left > 1; left -= 1) this.#session.goaway(NGHTTP2_NO_ERROR, LARGEST_STREAM_ID)
    this.#session.goaway(NGHTTP2_NO_ERROR, this.#lastId)
  }
}
