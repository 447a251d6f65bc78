import { describe, expect, it } from 'vitest'
import { documentedWords, outcomeBy, type Finding, type Row } from '../../../src/providers/shared/answers.ts'

const ROWS: readonly Row<Finding & { readonly isOurs?: boolean }>[] = [
  { status: [200, 299], is: 'delivered' },
  { status: 400, word: 'Gone', is: 'rejected' },
  { status: 400, when: ({ isOurs }) => isOurs === true, is: 'blocked' },
  { word: 'Busy', is: { scope: 'target', ambiguous: false, afterMs: 5, floorMs: 50 } },
  { status: 400, is: 'failed' },
  { is: { scope: 'app', ambiguous: true } },
]

describe('a table of answers', () => {
  it.each([
    ['a range of statuses', { status: 204 }, { kind: 'delivered' }],
    ['a status and a word', { status: 400, word: 'Gone', sinceMs: 7 }, { kind: 'rejected', reason: 'r', sinceMs: 7 }],
    ['a status and a condition', { status: 400, isOurs: true }, { kind: 'blocked', reason: 'r' }],
    ['a status alone', { status: 400, word: 'Other' }, { kind: 'failed', reason: 'r' }],
    ['nothing before the last row', { word: 'Gone' }, { kind: 'retry', reason: 'r', scope: 'app', ambiguous: true }],
  ])('is read by %s', (_what, finding, outcome) => {
    expect(outcomeBy(ROWS, { reason: 'r', ...finding })).toEqual(outcome)
  })

  it('says how long to wait, unless the push service does', () => {
    const busy = { kind: 'retry', reason: 'r', scope: 'target', ambiguous: false }
    expect(outcomeBy(ROWS, { reason: 'r', word: 'Busy' })).toEqual({ ...busy, afterMs: 5, floorMs: 50 })
    expect(outcomeBy(ROWS, { reason: 'r', word: 'Busy', afterMs: 0, floorMs: 9 })).toEqual({
      ...busy,
      afterMs: 0,
      floorMs: 9,
    })
  })
})

it('only documented words are passed on', () => {
  const documented = documentedWords(['Gone', 'Busy'])
  expect(['Gone', 'gone', 'constructor', 7, undefined].map(documented)).toEqual([
    'Gone',
    undefined,
    undefined,
    undefined,
    undefined,
  ])
})
