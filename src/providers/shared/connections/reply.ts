/** What comes back for one request: collected by the rules of reading, and settled once. */
import type { Answer, LostRequest } from '../answers.ts'
import type { Attempt } from './attempt.ts'
import type { Reading } from './connection.ts'

export class Reply {
  readonly #reading: Reading
  readonly #attempt: Attempt
  readonly #settle: (answer: Answer | LostRequest) => void
  #head: Pick<Answer, 'status' | 'retryAfter'> | undefined
  #isSettled = false
  #bytes = 0
  readonly #chunks: Buffer[] = []

  constructor(reading: Reading, attempt: Attempt, settle: (answer: Answer | LostRequest) => void) {
    this.#reading = reading
    this.#attempt = attempt
    this.#settle = settle
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** The head of the answer has come. */
  begin(status: number, retryAfter: string | undefined): void {
    this.#head = { status, retryAfter }
    if (this.#reading.isEnough(status)) this.#end(this.#head)
  }

  /** A piece of the body has come. False: that was too much, and no more should be read. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length
    if (this.#bytes > this.#reading.maxBytes) return false
    if (!this.#isSettled) this.#chunks.push(chunk)
    return true
  }

  /** Nothing more comes. `isWhole`: the peer ended its answer; `loss` is asked for what it means where there is none that counts. */
  end(isWhole: boolean, loss: () => LostRequest): void {
    if (this.#isSettled) return
    if (this.#head !== undefined && (isWhole || this.#takesPart(this.#head.status))) return this.#end(this.#head)
    this.#settleWith(loss())
  }

  #takesPart(status: number): boolean {
    const { takesPart } = this.#reading
    return typeof takesPart === 'function' ? takesPart(status) : takesPart
  }

  #end(head: Pick<Answer, 'status' | 'retryAfter'>): void {
    const body = this.#chunks.length === 0 ? '' : Buffer.concat(this.#chunks).toString()
    this.#attempt.status = head.status
    this.#settleWith({ kind: 'answer', ...head, body })
  }

  #settleWith(answer: Answer | LostRequest): void {
    this.#isSettled = true
    this.#attempt.onCutOff = undefined
    this.#settle(answer)
  }
}
