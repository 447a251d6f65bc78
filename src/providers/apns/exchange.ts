/** One request on one stream of a connection to APNs, and what became of it. */
import { constants, type ClientHttp2Stream } from 'node:http2'
import type { Answer, LostRequest } from '../shared/answers.ts'

export interface Exchange {
  readonly stream: ClientHttp2Stream
  readonly body: string
  readonly signal: AbortSignal
  /** From the moment the request is written. */
  readonly answerMs: number
  /** Called when the answer did not come in time. */
  readonly onSilence: () => void
  /** What it means that the stream closed without an answer. */
  readonly lossOf: (stream: ClientHttp2Stream) => LostRequest
}

/** Apple's answers are far below 1 KiB. */
const MAX_ANSWER_BYTES = 8192

/**
 * Always resolves. A push is accepted with the head of its answer; of a refusal there is as much of the body as came, for it may never end.
 */
export function exchange(request: Exchange): Promise<Answer | LostRequest> {
  const { stream, body, signal, answerMs, onSilence, lossOf } = request
  return new Promise((resolve) => {
    let head: Pick<Answer, 'status' | 'retryAfter'> | undefined
    let text = ''
    const settle = (loss: () => LostRequest): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      resolve(head === undefined ? loss() : { kind: 'answer', ...head, body: text })
    }
    const cutOff = (code: string): void => {
      settle(() => ({ kind: 'lost', code, written: stream.id !== undefined }))
      stream.close(constants.NGHTTP2_CANCEL)
    }
    const onAbort = (): void => cutOff('aborted')
    const timer = setTimeout(() => {
      cutOff('no answer in time')
      onSilence()
    }, answerMs)
    signal.addEventListener('abort', onAbort, { once: true })
    stream.setEncoding('utf8')
    stream.on('response', ({ ':status': status, 'retry-after': retryAfter }) => {
      if (status !== undefined) head = { status, retryAfter }
      if (status === 200) settle(() => lossOf(stream))
    })
    stream.on('data', (chunk: string) => {
      text += chunk
      if (text.length > MAX_ANSWER_BYTES) cutOff('answer too long')
    })
    stream.on('error', () => {})
    stream.on('close', () => settle(() => lossOf(stream)))
    stream.end(body)
  })
}
