/** That Hushgate says what docs/troubleshooting.md says that it says. What is typed there is typed in commands.int.test.ts. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { adviceFor } from '../../src/operator/advice.ts'
import type { FoundDevice } from '../../src/operator/operator.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const document = read('docs/troubleshooting.md')
const program = globSync('src/**/*.{ts,js}', { cwd: ROOT }).map(read).join('\n')

const quoted = [...new Set([...document.matchAll(/“([^”]+)”/g)].map(([, sentence = '']) => sentence))].filter(
  (sentence) => sentence !== 'quotation marks',
)

it('quotes a good deal', () => {
  expect(quoted.length).toBeGreaterThan(15)
})

it.each(quoted)('Hushgate says: %s', (sentence) => {
  const parts = sentence.split('…').map((part) => part.trim())
  expect(parts.filter((part) => !program.includes(part))).toEqual([])
})

/** A device that was delivered to, of which nothing is wrong, and what else may be known of it. */
const DEVICE = { app: 'com.example.ios', device: '01234567', wasDelivered: true, waiting: 0, dead: [], unreadable: 0 }
const DEATH = { diedAtMs: 0, recordedAtMs: 0, isRevived: false, opinion: 'believed' } as const
const RECEIPT = { acceptedAtMs: 0, attemptedAtMs: 0, attempt: 1, word: '' }
const LETTER = { id: '1', app: 'com.example.ios', reason: 'expired', attempts: 1, acceptedAtMs: 0, diedAtMs: 0 }

const WITHOUT_RECEIPTS = 'receipts are off'

it.each<readonly [what: string, more: Partial<FoundDevice>]>([
  ['the homeserver stopped coming', {}],
  [WITHOUT_RECEIPTS, {}],
  ['its app is blocked', { isBlocked: true }],
  ['it is dead', { death: DEATH }],
  ['it is dead, as the rejection guard does not believe', { death: { ...DEATH, opinion: 'suspected' } }],
  ['it is not dead, by the word of the operator', { death: { ...DEATH, opinion: 'discarded' } }],
  ['it was registered anew', { death: { ...DEATH, isRevived: true } }],
  ['it waits', { waiting: 1 }],
  ['a push was given up', { dead: [LETTER] }],
  ['the push service took the last push', { receipt: { ...RECEIPT, result: 'delivered' } }],
  ['the push service did not take the last push', { receipt: { ...RECEIPT, result: 'retry' } }],
  ['the message is at fault', { receipt: { ...RECEIPT, result: 'failed' } }],
])('has a row for what `find` says of a device: %s', (what, more) => {
  const rows = document.split('## One phone gets none')[1]?.split('\n## ')[0]?.split('\n') ?? []
  const said = rows.flatMap((row) =>
    [...(row.split(' | ')[0] ?? '').matchAll(/“([^”]+)”/g)].map(([, words = '']) => words),
  )
  const advice = adviceFor({ ...DEVICE, ...more }, what !== WITHOUT_RECEIPTS)
  expect(advice).not.toEqual([])
  const isThere = (sentence: string): boolean =>
    said.some((words) => words.split('…').every((part) => sentence.includes(part.trim())))
  expect(advice.filter((sentence) => !isThere(sentence))).toEqual([])
})

it('leads from its first table to each symptom', () => {
  const [index = ''] = document.split('## Begin here')
  const headings = [...document.matchAll(/^## (.*)$/gm)].map(([, heading = '']) => heading).slice(1)
  const linked = [...index.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor)
  expect(linked).toEqual(headings.map((heading) => heading.toLowerCase().replaceAll(',', '').replaceAll(' ', '-')))
})
