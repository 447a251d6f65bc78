/** What delaying pushes is worth against an observer of the push service; the numbers are in docs/privacy.md. */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { PRIVACY_DOC } from '../ledger/privacy-doc.ts'
import { boundMs, firstGuessOf, GROUPS, linkings, linkingsOfGroups, withTimings, type Linking } from './report.ts'
import { RUNS } from './simulation.ts'

const all = linkings()
const ofGroups = linkingsOfGroups()
const isOf = (ofTiming: (timing: Linking['timing']) => boolean) => all.filter(({ timing }) => ofTiming(timing))
const neither = isOf(({ coalesceMs, releaseEveryMs }) => coalesceMs === undefined && releaseEveryMs === undefined)
const coalesced = isOf(({ coalesceMs, releaseEveryMs }) => coalesceMs !== undefined && releaseEveryMs === undefined)
const released = isOf(({ coalesceMs, releaseEveryMs }) => coalesceMs === undefined && releaseEveryMs !== undefined)
const atBound = released.filter(({ timing, pushesPerSecond }) => timing.releaseEveryMs === boundMs(pushesPerSecond))

/** Four standard errors: one run of the gate in 16,000 would be wrong if the seed were not fixed. */
function marginOf(share: number): number {
  return 4 * Math.sqrt((share * (1 - share)) / RUNS)
}

describe('the observer of the push service', () => {
  it.each(neither)(
    'with neither setting at $pushesPerSecond pushes/s names the receiver after one message',
    (linking) => {
      // In the 50 ms that a push can take longer or shorter, f / 20 pushes of others come.
      const chance = chanceAmong(linking.pushesPerSecond / 20)
      expect(firstGuessOf(linking, 1)).toBeGreaterThan(chance - marginOf(chance))
      expect(chance).toBeGreaterThan(0.75)
      expect(firstGuessOf(linking, 2)).toBeGreaterThan(0.99)
    },
  )

  it.each(coalesced)(
    'with coalesce alone at $pushesPerSecond pushes/s names the receiver as well as without',
    (linking) => {
      const without = neither.find(({ pushesPerSecond }) => pushesPerSecond === linking.pushesPerSecond)
      const chance = without === undefined ? NaN : firstGuessOf(without, 1)
      expect(firstGuessOf(linking, 1)).toBeGreaterThan(chance - Math.SQRT2 * marginOf(chance))
      expect(firstGuessOf(linking, 2)).toBeGreaterThan(0.97)
    },
  )

  it('names the receiver of one message the less often the longer the tick is', () => {
    const byTick = released.filter(({ pushesPerSecond }) => pushesPerSecond === 1).map((each) => firstGuessOf(each, 1))
    expect(byTick).toHaveLength(4)
    expect(byTick).toEqual(byTick.toSorted((a, b) => b - a))
    expect(byTick.at(1)).toBeLessThan(0.2)
  })

  it('names the receiver after five messages wherever ticks are a minute or less, with both settings too', () => {
    const short = isOf(({ releaseEveryMs = 0 }) => releaseEveryMs <= 60_000)
    expect(short.map((each) => firstGuessOf(each, 5)).filter((share) => share < 0.98)).toEqual([])
  })

  it('names the receiver after twenty messages under every setting', () => {
    expect(all.map((each) => firstGuessOf(each, 20)).filter((share) => share < 0.99)).toEqual([])
  })

  it('tells a receiver from one other suspect after one message wherever ticks are a minute or less', () => {
    const short = isOf(({ releaseEveryMs = 0 }) => releaseEveryMs <= 60_000)
    expect(short.map(({ ofTwo }) => ofTwo.get(1) ?? 0).filter((share) => share < 0.95)).toEqual([])
  })

  it.each(ofGroups)('hits a member of a larger group more easily: $setting', (linking) => {
    const byGroup = GROUPS.map((members) => firstGuessOf(linking, 1, members))
    expect(byGroup).toEqual(byGroup.toSorted((a, b) => a - b))
  })

  it('never rules out a receiver, whatever the setting', () => {
    expect([...all, ...ofGroups].map(({ ruledOut }) => ruledOut).filter((share) => share > 0)).toEqual([])
  })
})

describe("a tick of MSC3359's bound", () => {
  const mean = 1 / (1 - Math.SQRT1_2)

  it.each(atBound)('at $pushesPerSecond pushes/s is one device’s own in 3 of 100 cases', ({ alone, company }) => {
    expect(Math.abs(alone - Math.exp(-mean))).toBeLessThan(marginOf(Math.exp(-mean)))
    // A device that is pushed twice counts once, which matters where there are few devices.
    expect(Math.abs(company - mean)).toBeLessThan(4 * Math.sqrt(mean / RUNS) + 0.1)
  })

  it.each(atBound)(
    'at $pushesPerSecond pushes/s lets the observer name the receiver of one message in 3 of 10 cases',
    (linking) => {
      expect(Math.abs(firstGuessOf(linking, 1) - chanceAmong(mean))).toBeLessThan(marginOf(chanceAmong(mean)))
    },
  )

  it('is 3.41 / f', () => {
    expect([0.25, 1, 10].map(boundMs)).toEqual([13_657, 3415, 342])
  })
})

describe('docs/privacy.md', () => {
  it('says what the simulation says; renew it with: node scripts/write-privacy-doc.ts', () => {
    const markdown = readFileSync(PRIVACY_DOC, 'utf8')
    expect(markdown).toBe(withTimings(markdown, all, ofGroups))
  })
})

/** Of a guess between the receiver and the others there, who are Poisson many. */
function chanceAmong(meanOthers: number): number {
  return (1 - Math.exp(-meanOthers)) / meanOthers
}
