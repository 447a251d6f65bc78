/** What `npm run test:faults` keeps of the schedules that passed (scripts/faults). */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { describeTotals, idOf, ResultsFile, type Counts } from '../../scripts/faults/results.ts'
import { scheduleOf } from '../../scripts/faults/schedule.ts'

const COUNTS: Counts = {
  id: 'one',
  topology: 'sqlite',
  faults: 7,
  acknowledged: 240,
  refused: 12,
  verdicts: { 'delivered once': 238, unknown: 2 },
  unaccounted: 2,
}

describe('the file of results', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hushgate-results-'))
  })
  afterEach(() => rm(folder, { recursive: true }))

  it('has what was added by runs before', async () => {
    const path = join(folder, 'not there yet', 'results.jsonl')
    expect(await new ResultsFile(path).read()).toEqual([])
    await new ResultsFile(path).add(COUNTS)
    await new ResultsFile(path).add({ ...COUNTS, id: 'two' })
    expect(await new ResultsFile(path).read()).toEqual([COUNTS, { ...COUNTS, id: 'two' }])
  })
})

describe('the id of a schedule', () => {
  it('is another one where anything in it is', () => {
    const ids = [
      idOf(scheduleOf(1)),
      idOf(scheduleOf(2)),
      idOf(scheduleOf(1, { topology: 'sqlite' })),
      idOf(scheduleOf(1, { hasClockJumps: true })),
      idOf(scheduleOf(1), 'abc1234'),
    ]
    expect(new Set(ids).size).toBe(ids.length)
    expect(idOf(scheduleOf(1))).toBe(ids[0])
  })
})

describe('the totals', () => {
  it('are told by topology and together', () => {
    const text = describeTotals([COUNTS, { ...COUNTS, topology: 'redis', unaccounted: 0 }])
    expect(text).toContain(
      'sqlite: 1 schedules, 7 faults, 240 acknowledged pushes, 12 requests refused and sent again, 2 unaccounted',
    )
    expect(text).toContain(
      'all: 2 schedules, 14 faults, 480 acknowledged pushes, 24 requests refused and sent again, 2 unaccounted',
    )
    expect(text).toContain('476 delivered once')
  })
})
