/** That docs/performance.md and its plot show what docs/performance.json holds. Renew them with: node scripts/write-performance-doc.ts. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PAGE, PLOT, withResults } from '../../scripts/bench/document.ts'
import { plotOf } from '../../scripts/bench/plot.ts'
import { readKept } from '../../scripts/bench/results.ts'

const page = readFileSync(PAGE, 'utf8')
const kept = readKept()

it('the page has the results that are kept', () => {
  expect(withResults(page, kept)).toBe(page)
})

it('the plot has the results that are kept', () => {
  expect(kept.load && plotOf(kept.load)).toBe(readFileSync(PLOT, 'utf8'))
})

it('other results make another page, and leave what people wrote', () => {
  const { load } = kept
  const changed = withResults(page, load === undefined ? {} : { load: { ...load, day: '2001-02-03' } })
  const [before, after] = page.split(/(?<=<!-- results -->)[^]*?(?=<!-- end -->)/)
  expect(changed).toContain('Measured on 2001-02-03')
  expect(changed.startsWith(String(before)) && changed.endsWith(String(after))).toBe(true)
})
