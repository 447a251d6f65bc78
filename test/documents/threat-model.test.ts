/** That docs/threat-model.md calls on tests that exist, in each row that says what stops somebody. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isTest, testsNamedIn } from '../ledger/privacy-doc.ts'

const markdown = readFileSync(join(import.meta.dirname, '../../docs/threat-model.md'), 'utf8')

describe('docs/threat-model.md', () => {
  it('names a test in each row of a table that has a column for it', () => {
    const tables = markdown.split('\n\n').filter((part) => /^\|.*\| Shown by \|$/m.test(part))
    const rows = tables.flatMap((table) => table.split('\n').slice(2)).filter((line) => line.startsWith('| '))
    expect(rows.length).toBeGreaterThan(30)
    expect(rows.filter((row) => testsNamedIn(row).length === 0)).toEqual([])
  })

  it.each(testsNamedIn(markdown))('calls on a test that exists: $file “$name”', (named) => {
    expect(isTest(named)).toBe(true)
  })
})
