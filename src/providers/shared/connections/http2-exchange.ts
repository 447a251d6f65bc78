/** One request on one stream of HTTP/2, and what became of it. */
import { constants, type ClientHttp2Stream } from 'node:http2'
import type { Deadline, Deadlines } from '../../../core/deadlines.ts'
import type { Answer, LostRequest } from '../answers.ts'
import type { Attempt } from './attempt.ts'
import type { Reading } from './connection.ts'
import { Reply } from './reply.ts'

export interface Exchange {
  readonly stream: ClientHttp2Stream
  readonly body: string | Uint8Array
  readonly attempt: Attempt
  readonly reading: Reading
  /** For what follows the head of an answer that says it all. */
  readonly drains: Deadlines
  /** Called when no answer came in time. */
  readonly onSilence: () => void
  /** What it means that the stream closed without an answer. */
  readonly lossOf: (stream: ClientHttp2Stream) => LostRequest
}

const { NGHTTP2_CANCEL, NGHTTP2_FLAG_END_STREAM, NGHTTP2_NO_ERROR } = constants

/** Always resolves. */
export function exchange({ stream, body, attempt, reading, ...more }: Exchange): Promise<Answer | LostRequest> {
  return new Promise((resolve) => {
    let drain: Deadline | undefined
    const reply = new Reply(reading, (answer) => {
      attempt.onCutOff = undefined
      resolve(answer)
    })
    const cutOff = (code: string): void => {
      reply.end(false, () => ({ kind: 'lost', code, written: stream.id !== undefined }))
      stream.close(NGHTTP2_CANCEL)
    }
    attempt.onCutOff = (code) => {
      cutOff(code)
      if (code !== 'aborted') more.onSilence()
    }
    stream.on('response', ({ ':status': status = 0, 'retry-after': retryAfter }, flags) => {
      reply.begin(status, retryAfter)
      const isOver = (flags & NGHTTP2_FLAG_END_STREAM) !== 0
      if (reply.isSettled && !isOver) drain = more.drains.add(() => stream.close(NGHTTP2_CANCEL))
    })
    stream.on('data', (chunk: Buffer) => {
      if (!reply.add(chunk)) cutOff('answer too long')
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      drain?.cancel()
      reply.end(stream.rstCode === NGHTTP2_NO_ERROR, () => more.lossOf(stream))
    })
    stream.end(body)
  })
}
