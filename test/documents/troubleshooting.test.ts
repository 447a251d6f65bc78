/** That Hushgate says what docs/troubleshooting.md says that it says. What is typed there is typed in commands.int.test.ts. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

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

it('leads from its first table to each symptom', () => {
  const [index = ''] = document.split('## Begin here')
  const headings = [...document.matchAll(/^## (.*)$/gm)].map(([, heading = '']) => heading).slice(1)
  const linked = [...index.matchAll(/\]\(#([\w-]+)\)/g)].map(([, anchor]) => anchor)
  expect(linked).toEqual(headings.map((heading) => heading.toLowerCase().replaceAll(',', '').replaceAll(' ', '-')))
})
