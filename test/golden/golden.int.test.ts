/** Hushgate in the place of Sygnal: for each recorded request the same answer and the same messages, or a difference that is on the list with its reason. */
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { readCases, readMoreCases, type GoldenCase } from './cases.ts'
import { circumstancesOf } from './circumstances.ts'
import { differences, type Difference } from './compare.ts'
import { differencesOf, readRecording } from './generated.ts'
import { covers, DOC_FILE, listAsMarkdown, readList, withTable, type Entry } from './list.ts'
import { startRig, type Rig } from './rig.ts'

const cases = readCases()
const moreCases = readMoreCases()
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
      expect(unlisted(golden.name, differences(golden, await rig.run(golden)))).toEqual([])
    })

    it.each(moreCases)('$name: $what', async (golden) => {
      const circumstances = circumstancesOf(notificationIn(golden))
      const found = differences(golden, await rig.run(golden)).map((each) => ({ ...each, ...circumstances }))
      expect(unlisted(golden.name, found)).toEqual([])
    })
  })

  it.each(['apns', 'fcm', 'webpush'])(
    'what is generated leads to the same, or better in a listed way: %s',
    (service) => {
      const generated = recording.cases.filter(({ name }) => name.startsWith(service))
      expect(generated.length).toBeGreaterThan(500)
      const found = generated.flatMap((each) =>
        unlisted(each.name, differencesOf(each, rig.routes)).map((difference) => ({ ...difference, body: each.body })),
      )
      expect(found).toEqual([])
    },
  )

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

function unlisted(name: string, found: readonly Difference[]): Difference[] {
  return found.filter((difference) => {
    const entry = list.find((each) => covers(each, difference))
    if (entry !== undefined) covered.get(entry)?.add(name)
    return entry === undefined
  })
}

/** Nothing where the body is none. */
function notificationIn({ request }: GoldenCase): JsonObject {
  try {
    const json: unknown = JSON.parse(Buffer.from(request.body_b64 ?? '', 'base64').toString())
    return isJsonObject(json) && isJsonObject(json['notification']) ? json['notification'] : {}
  } catch {
    return {}
  }
}

describe('the list of differences', () => {
  it('is short', () => {
    expect(list.length).toBeLessThan(60)
  })

  it('stands in docs/migrating-from-sygnal.md as it is (node scripts/write-differences.ts)', () => {
    const page = readFileSync(DOC_FILE, 'utf8')
    expect(page).toBe(withTable(page, listAsMarkdown(list)))
  })
})
