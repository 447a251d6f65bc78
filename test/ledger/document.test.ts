/** That docs/privacy.md says what the ledger says, and that the tests exist on which it calls. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isTest, PRIVACY_DOC, testsNamedIn, withLedger } from './privacy-doc.ts'

const markdown = readFileSync(PRIVACY_DOC, 'utf8')

describe('docs/privacy.md', () => {
  it('has the tables of the ledger; renew them with: node scripts/write-privacy-doc.ts', () => {
    expect(markdown).toBe(withLedger(markdown))
  })

  it('names a test in each row of what a third party could do', () => {
    const [, section = ''] = markdown.split('## What a push server of a third party learns')
    const rows =
      section
        .split('\n## ')[0]
        ?.split('\n')
        .filter((line) => line.startsWith('| '))
        .slice(2) ?? []
    expect(rows.length).toBeGreaterThan(9)
    expect(rows.filter((row) => testsNamedIn(row).length === 0)).toEqual([])
  })

  it.each(testsNamedIn(markdown))('calls on a test that exists: $file “$name”', (named) => {
    expect(isTest(named)).toBe(true)
  })
})
