/** That the README says what is so: its output is the demonstration's, its figures are those that were measured, its addresses are those of this version. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { compare } from '../../src/commands/demonstration/comparison.ts'
import { describeSeen } from '../../src/commands/demonstration/print.ts'
import { textSink } from '../helpers/text-sink.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const readme = read('README.md')
const { version } = JSON.parse(read('package.json'))

/** The cells of each row of the table whose first row has these words. */
function table(headings: string): readonly (readonly string[])[] {
  const part = readme.split('\n\n').find((each) => each.split('\n', 1)[0]?.includes(headings)) ?? ''
  const rows = part.split('\n').map((line) => line.slice(1, -1).split('|'))
  return rows.slice(2).map((cells) => cells.map((cell) => cell.trim()))
}

it('begins with what the demonstration prints of a message that Apple got', () => {
  const [, shown = ''] = /^```\n([^]*?)^```/m.exec(readme) ?? []
  const [, eventId] = /^event_id +(\S+) /m.exec(shown) ?? []
  const content = { msgtype: 'm.text', body: 'See you at eight' }
  const event = { event_id: eventId, room_id: '!family:example.org', type: 'm.room.message' }
  const sent = { ...event, sender: '@alice:example.org', content, counts: { unread: 2 } }
  const seen = { who: 'Apple', status: 200, headers: {}, body: { aps: { badge: 2 } } }
  const printed = describeSeen(seen, compare(sent, seen), textSink()).replaceAll(/^ {4}/gm, '')
  expect(shown.split('\n')).toHaveLength(9)
  expect(printed.endsWith(`\n${shown}`)).toBe(true)
})

it('has the figures of docs/performance.md', () => {
  const figures = table('Hushgate on SQLite').map(([what = '', ...cells]) => [what, cells] as const)
  expect(figures.map(([what]) => what)).toHaveLength(4)
  const rows = read('docs/performance.md')
    .split('\n')
    .filter((line) => /^\| (?:APNs|FCM|Web Push), 400 connections \||^\| idle \|/.test(line))
  expect(rows).toHaveLength(4)
  for (const [index, [, [sqlite, redis, sygnal]]] of figures.entries())
    expect(rows[index]).toMatch(new RegExp(`\\| ${sqlite}(?::.*)? \\| ${redis}(?::.*)? \\| ${sygnal} \\|`))
})

it('gives the addresses of this version, of package and image', () => {
  const addresses = [...readme.matchAll(/releases\/download\/v(\S+?)\/hushgate-(\S+)\.tgz|hushgate\/hushgate:(\S+)/g)]
  expect(addresses.length).toBeGreaterThan(3)
  const versions = addresses.flatMap(([, ...found]) => found.filter((each) => each !== undefined))
  expect(new Set(versions)).toEqual(new Set([version]))
})
