/** The cases of `npm run test:fuzz`, and how what comes back is judged. */
import { describe, expect, it } from 'vitest'
import { faultsOf, readAnswers } from '../../scripts/fuzz/answers.ts'
import { caseOf, describeCase, type FuzzCase } from '../../scripts/fuzz/cases.ts'
import { isMistake } from '../../scripts/fuzz/gateway.ts'
import { mutate, textOf, treeOf } from '../../scripts/fuzz/json-tree.ts'
import { readOptions } from '../../scripts/fuzz/options.ts'
import { Random } from '../../scripts/fuzz/random.ts'
import { CANARY } from '../../scripts/fuzz/requests.ts'

const PLACES = { token: 'the-token', webPushPort: 54_321, endpoint: '/the-endpoint', vapid: 'vapid t=t, k=k' }
const cases = Array.from({ length: 3000 }, (_, index) => caseOf(7, index, PLACES))
const bytesOf = ({ steps }: FuzzCase): string =>
  steps.map((step) => (step.kind === 'write' ? step.bytes.toString('latin1') : '')).join('')

describe('the cases of a seed', () => {
  it('are the same for the same seed and index, and others for another', () => {
    for (const index of [0, 17, 2999])
      expect(bytesOf(caseOf(7, index, PLACES))).toBe(bytesOf(cases[index] ?? caseOf(7, -1, PLACES)))
    expect(bytesOf(caseOf(8, 17, PLACES))).not.toBe(bytesOf(caseOf(7, 17, PLACES)))
    expect(new Set(cases.map(bytesOf)).size).toBeGreaterThan(2000)
  })

  it('come to both ports, in all manners', () => {
    expect(new Set(cases.map(({ port }) => port))).toEqual(new Set(['notify', 'admin']))
    const kinds = new Set(cases.flatMap(({ steps }) => steps.map(({ kind }) => kind)))
    expect(kinds).toEqual(new Set(['write', 'wait', 'end', 'reset', 'hold']))
    for (const what of ['a body', 'a path', 'TLS', 'HTTP/2', 'a tunnel', 'a length and chunks', 'a request in pieces'])
      expect(cases.some((each) => each.what === what)).toBe(true)
  })

  it('have the token and the port of the gateway in them', () => {
    const all = cases.map(bytesOf).join('')
    expect(all).toContain('Authorization: Bearer the-token')
    expect(all).toContain('https://localhost:54321/x')
    expect(all).toMatch(/^POST \/the-endpoint HTTP\/1\.1\r\n/m)
    expect(all).toContain('Authorization: vapid t=t, k=k\r\n')
  })

  it('can be repeated one by one', () => {
    const [, one] = cases
    expect(describeCase(one ?? caseOf(7, 1, PLACES))).toContain('--seed 7 --first 1 --requests 1')
    expect(readOptions(['--seed', '7', '--first', '1', '--requests', '1'])).toEqual({ seed: 7, first: 1, requests: 1 })
  })
})

it('JSON can be written as no JavaScript value has it, and is else as it was', () => {
  const value = { notification: { devices: [{ app_id: 'a', pushkey: 'ü' }], counts: { unread: 1 }, content: null } }
  expect(JSON.parse(textOf(treeOf(value)))).toEqual(value)
  const mutated = Array.from({ length: 500 }, (_, index) => textOf(mutate(treeOf(value), new Random(1, index))))
  expect(mutated.some((text) => /"app_id":.*"app_id":/.test(text))).toBe(true)
  expect(mutated.some((text) => text.includes('1e999'))).toBe(true)
  // A value may be replaced by itself, but seldom.
  expect(mutated.filter((text) => text === textOf(treeOf(value))).length).toBeLessThan(25)
})

describe('what comes back', () => {
  const answer = (status: number, body: string, more = ''): string =>
    `HTTP/1.1 ${status} Words\r\ncontent-type: application/json\r\n${more}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`
  const MATRIX = '{"errcode":"M_NOT_JSON","error":"x"}'
  const judge = (
    text: string,
    { answers = 1, port = 'notify', isClosed = true }: Partial<FuzzCase> & { isClosed?: boolean } = {},
  ) =>
    faultsOf(
      { seed: 1, index: 1, what: 'x', steps: [], isPlain: false, answers, port },
      { ...readAnswers(Buffer.from(text)), isClosed },
    )

  it.each([
    ['200', answer(200, '{"rejected":[]}'), {}],
    ['an error as Matrix has it', answer(400, MATRIX), {}],
    ['an error of the admin port', answer(400, '{"error":"x"}'), { port: 'admin' }],
    ['100 Continue before it', `HTTP/1.1 100 Continue\r\n\r\n${answer(200, '{}')}`, {}],
    ['as many as were asked for', answer(200, '{}') + answer(400, MATRIX), { answers: 2 }],
    ['none to a half of a request', '', { answers: 'any' }],
  ] as const)('is right: %s', (_, text, how) => {
    expect(judge(text, how)).toEqual([])
  })

  it.each([
    ['500', answer(500, MATRIX), {}],
    ['503 in another form than errors have', answer(503, '{}'), {}],
    ['an error in another form', answer(400, '{"error":"x"}'), {}],
    ['an error with nothing', answer(400, ''), {}],
    ['an error that says more', answer(400, '{"errcode":"M_UNKNOWN","error":"x","stack":"y"}'), {}],
    ['an error that is no JSON', answer(404, '<html>'), { port: 'admin' }],
    ['an error that repeats what was sent', answer(404, `{"errcode":"M_UNRECOGNIZED","error":"${CANARY}"}`), {}],
    ['the same in a header', answer(404, MATRIX, `location: /${CANARY}\r\n`), {}],
    ['one too few', answer(200, '{}'), { answers: 2 }],
    ['one too many', answer(200, '{}') + answer(200, '{}'), {}],
    ['half of one', answer(200, '{"rejected":[]}').slice(0, -3), {}],
    ['what is no answer', 'hello\r\n\r\n', { answers: 'any' }],
    ['a connection that stays open', '', { answers: 'any', isClosed: false }],
    [
      'an answer to a hidden request',
      'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n',
      { answers: 'refused' },
    ],
  ] as const)('is wrong: %s', (_, text, how) => {
    expect(judge(text, how)).not.toEqual([])
  })
})

describe('a line of the log', () => {
  const late = 'the store did not answer within 900 ms'
  const triedAgain = 'A delivery is tried again after an error of our own'

  it.each([
    ['a store that is too slow', { level: 'error', msg: late }],
    ['what is refused then', { level: 'error', msg: `Notifications are refused with 503: ${late}` }],
    ['a push that is put off then', { level: 'error', msg: triedAgain, error: 'StoreUnavailableError' }],
    ['a warning', { level: 'warn', msg: 'x' }],
  ])('is no mistake: %s', (_, line) => {
    expect(isMistake(line)).toBe(false)
  })

  it.each([
    ['a push that is put off after any other error', { level: 'error', msg: triedAgain, error: 'TypeError' }],
    ['a store that fails', { level: 'error', msg: 'the store failed: no such table' }],
    ['what is refused then', { level: 'error', msg: 'Notifications are refused with 503: the store failed: x' }],
    ['any other error', { level: 'error', msg: 'A request failed' }],
    ['the end of the process', { level: 'fatal', msg: late.slice(1) }],
  ])('is a mistake: %s', (_, line) => {
    expect(isMistake(line)).toBe(true)
  })
})
