/** The schedules of `npm run test:faults` (scripts/faults). */
import { describe, expect, it } from 'vitest'
import { noticesOf } from '../../scripts/faults/notices.ts'
import { readOptions } from '../../scripts/faults/options.ts'
import { LOAD_MS, PROCESSES, scheduleOf, TOPOLOGIES, type Fault } from '../../scripts/faults/schedule.ts'

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed)
const schedules = SEEDS.map((seed) => scheduleOf(seed))

describe('a schedule of faults', () => {
  it('is the same for the same seed, and so are the notifications', () => {
    for (const seed of SEEDS) expect(scheduleOf(seed)).toEqual(schedules[seed])
    const [, one, other] = schedules
    if (one === undefined || other === undefined) throw new Error('there are two hundred')
    expect(noticesOf(one)).toEqual(noticesOf(scheduleOf(1)))
    expect(other.faults).not.toEqual(one.faults)
  })

  it('never strikes a victim that another fault still has', () => {
    for (const { faults } of schedules)
      for (const ofOne of Map.groupBy(faults, ({ victim }) => victim).values())
        for (const [index, { atMs }] of ofOne.slice(1).entries()) {
          const before = ofOne[index]
          expect(atMs).toBeGreaterThan((before?.atMs ?? 0) + (before?.durationMs ?? 0))
        }
  })

  it('has four faults at least, each of which begins while notifications are sent', () => {
    for (const { faults } of schedules) {
      expect(faults.length).toBeGreaterThanOrEqual(4)
      for (const { atMs } of faults) expect(atMs).toBeLessThan(LOAD_MS)
    }
  })

  it('has every topology, every process of it, and every kind of fault among a few dozen seeds', () => {
    const struck = schedules.flatMap(({ topology, faults }) => faults.map((fault) => ({ topology, fault })))
    for (const topology of TOPOLOGIES) {
      const victims = struck.filter((each) => each.topology === topology).map(({ fault }) => fault.victim)
      expect(new Set(victims)).toEqual(
        new Set([...PROCESSES[topology], 'apns', 'fcm', 'configuration', ...(topology === 'sqlite' ? [] : ['redis'])]),
      )
    }
    const kinds = new Set(struck.map(({ fault }: { fault: Fault }) => `${fault.kind} ${fault.name}`))
    expect(kinds.size).toBe(2 + 4 + 8 + 7 + 2)
  })
})

describe('the options of a run', () => {
  it('are ten seeds, a range of them, or one alone on a topology', () => {
    expect(readOptions([]).seeds).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(readOptions(['--seeds', '11-13'])).toEqual({ seeds: [11, 12, 13], topology: undefined })
    expect(readOptions(['--seed', '17', '--topology', 'sqlite'])).toEqual({ seeds: [17], topology: 'sqlite' })
  })

  it.each([[['--seed', 'x']], [['--seeds', '9-3']], [['--topology', 'paper']]])('%j is refused', (args) => {
    expect(() => readOptions(args)).toThrow(/Seeds|Topologies/)
  })
})
