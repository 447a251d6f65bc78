/** What came back on a connection, and what is wrong with it. Pure. */
import { isJsonObject } from '../../src/core/json.ts'
import type { FuzzCase } from './cases.ts'
import { CANARY } from './requests.ts'

export interface Answer {
  readonly status: number
  /** Of the first line and the headers. */
  readonly head: string
  readonly body: string
}

export interface Received {
  readonly answers: readonly Answer[]
  /** What came after the last whole answer. */
  readonly rest: Buffer
  readonly isClosed: boolean
}

/** What a machine that is too busy to store a push answers within a second, as documented; counted by itself. */
export const BUSY = 503
const MOST_ANSWERS = 100
const HEAD = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n/

/** The answers that are complete, but for those that only say that the body may come. */
export function readAnswers(bytes: Buffer): Pick<Received, 'answers' | 'rest'> {
  const answers: Answer[] = []
  let rest = bytes
  for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
    const head = rest.toString('latin1', 0, end + 2)
    const status = Number(HEAD.exec(head)?.[1])
    const length = Number(/^content-length: *(\d+)\r$/im.exec(head)?.[1] ?? 0)
    const bodyEnd = end + 4 + length
    if (!(status >= 100) || rest.length < bodyEnd) break
    if (status >= 200) answers.push({ status, head, body: rest.toString('utf8', end + 4, bodyEnd) })
    rest = rest.subarray(bodyEnd)
  }
  return { answers, rest }
}

/** Sentences, none where all is well. */
export function faultsOf({ answers: expected, port }: FuzzCase, { answers, rest, isClosed }: Received): string[] {
  const faults = answers.flatMap((answer) => faultsIn(answer, port))
  if (rest.length > 0) faults.push(`what came is no answer, or breaks off: ${describe(rest.toString('latin1'))}`)
  if (typeof expected === 'number') {
    // What comes after one that is too large is not read.
    const isCutShort = isClosed && answers.at(-1)?.status === 413
    if (answers.length > expected || (answers.length < expected && !isCutShort))
      faults.push(`${answers.length} answers instead of ${expected}`)
    return faults
  }
  if (answers.length > MOST_ANSWERS) faults.push(`${answers.length} answers`)
  if (!isClosed) faults.push('the connection stayed open, though nothing more could come')
  if (expected === 'refused' && answers.some(({ head }) => /^content-type: text\/plain/im.test(head)))
    faults.push('a request that was hidden in the body of another was answered')
  return faults
}

function faultsIn({ status, head, body }: Answer, port: FuzzCase['port']): string[] {
  if (status >= 500 && status !== BUSY) return [`answered ${status}: ${describe(body)}`]
  if (status < 400) return []
  const json = jsonOf(body)
  const isOurs = isJsonObject(json) && typeof json['error'] === 'string'
  const errcode = isOurs ? json['errcode'] : undefined
  const isMatrix = typeof errcode === 'string' && /^M_[A-Z_]+$/.test(errcode) && Object.keys(Object(json)).length === 2
  const faults: string[] = []
  if (port === 'notify' ? !isMatrix : !isOurs)
    faults.push(`${status} in another form than errors have: ${describe(body)}`)
  if (head.includes(CANARY) || body.includes(CANARY))
    faults.push(`${status} repeats what was sent: ${describe(head + body)}`)
  return faults
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function describe(text: string): string {
  return JSON.stringify(text.slice(0, 300))
}
