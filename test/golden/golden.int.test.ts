/** Hushgate in the place of Sygnal: for each recorded request the same answer and the same messages, or a difference that is on the list with its reason. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readCases } from './cases.ts'
import { differences } from './compare.ts'
import { differencesOf, readRecording } from './generated.ts'
import { covers, DOC_FILE, listAsMarkdown, readList, withTable, type Entry } from './list.ts'
import { startRig, type Rig } from './rig.ts'

const cases = readCases()
const recording = readRecording()
const list = readList()
const covered = new Map<Entry, Set<string>>(list.map((entry) => [entry, new Set()]))

describe('with the same sygnal.yaml', () => {
  let rig: Rig
  beforeAll(async () => {
    rig = await startRig(readFileSync(new URL('../fixtures/sygnal-golden.yaml', import.meta.url), 'utf8'))
  })
  afterAll(() => rig[Symbol.asyncDispose]())

  describe.concurrent('a request is handled as Sygnal does, or better in a listed way', () => {
    it.each(cases)('$name: $what', async (golden) => {
      const unlisted = []
      for (const difference of differences(golden, await rig.run(golden))) {
        const entry = list.find((each) => covers(each, difference))
        if (entry === undefined) unlisted.push(difference)
        else covered.get(entry)?.add(golden.name)
      }
      expect(unlisted).toEqual([])
    })
  })

  it.each(['apns', 'fcm'])('what is generated leads to the same, or better in a listed way: %s', (service) => {
    const generated = recording.cases.filter(({ name }) => name.startsWith(service))
    expect(generated.length).toBeGreaterThan(500)
    const unlisted = []
    for (const each of generated)
      for (const difference of differencesOf(each, rig.routes)) {
        const entry = list.find((one) => covers(one, difference))
        if (entry === undefined) unlisted.push({ ...difference, name: each.name, body: each.body })
        else covered.get(entry)?.add(each.name)
      }
    expect(unlisted).toEqual([])
  })

  it('every entry of the list covers a case', () => {
    const rows = [...covered].map(([{ service, field, reason }, names]) => ({
      service,
      field,
      cases: names.size,
      reason,
    }))
    process.stdout.write(
      rows
        .map((row) => `${String(row.cases).padStart(4)} cases: ${row.service} ${row.field}: ${row.reason}\n`)
        .join(''),
    )
    expect(rows.filter((row) => row.cases === 0)).toEqual([])
  })
})

describe('the list of differences', () => {
  it('is short', () => {
    expect(list.length).toBeLessThan(50)
  })

  it('stands in docs/migrating-from-sygnal.md as it is (node scripts/write-differences.ts)', () => {
    const page = readFileSync(DOC_FILE, 'utf8')
    expect(page).toBe(withTable(page, listAsMarkdown(list)))
  })
})
