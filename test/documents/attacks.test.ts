/** That docs/reliability.md shows what docs/attacks.json holds. Renew the page with: node scripts/write-attacks-doc.ts; the results with: npm run bench:attacks -- --write. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ATTACKS } from '../../scripts/attacks/attacks.ts'
import { PAGE, withAttacks } from '../../scripts/attacks/document.ts'
import { readKept, withNewer } from '../../scripts/attacks/results.ts'

const page = readFileSync(PAGE, 'utf8')
const kept = readKept()

it('the page has the results that are kept', () => {
  expect(withAttacks(page, kept)).toBe(page)
})

it('each attack was measured, on each store where it matters', () => {
  const measured = kept.measured.map(({ number, store }) => `${number} ${store}`)
  expect(measured).toEqual(
    expect.arrayContaining(ATTACKS.flatMap(({ number, stores }) => stores.map((store) => `${number} ${store}`))),
  )
})

it('other results make another page, and leave what people wrote', () => {
  const changed = withAttacks(page, { ...kept, day: '2001-02-03' })
  const [before, after] = page.split(/(?<=<!-- attacks -->)[^]*?(?=<!-- end -->)/)
  expect(changed).toContain('Measured on 2001-02-03')
  expect(changed.startsWith(String(before)) && changed.endsWith(String(after))).toBe(true)
})

it('attacks that are not measured again stay, and the page says at which commit they were measured', () => {
  const ofOneCommit = {
    ...kept,
    commit: 'facade',
    measured: kept.measured.map((each) => ({ ...each, commit: 'facade' })),
  }
  const [first, ...others] = ofOneCommit.measured
  if (first === undefined) throw new Error('nothing is kept')
  const again = { ...kept, commit: 'feedbee', measured: [{ ...first, commit: 'feedbee' }] }
  const both = withNewer(ofOneCommit, again)
  expect(both.measured).toEqual([{ ...first, commit: 'feedbee' }, ...others])
  expect(withAttacks(page, both)).toMatch(/at commit feedbee, .*attacks 0 \(Redis\); 1 \(SQLite\);/)
})
