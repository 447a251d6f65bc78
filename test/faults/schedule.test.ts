/** The schedules of `npm run test:faults` (scripts/faults). */
import { describe, expect, it } from 'vitest'
import { FAULTS, REDIS_FAULTS, type Fault } from '../../scripts/faults/faults.ts'
import { noticesOf } from '../../scripts/faults/notices.ts'
import { readOptions } from '../../scripts/faults/options.ts'
import { describeFault, LOAD_MS, scheduleOf } from '../../scripts/faults/schedule.ts'
import { PROCESSES, REDISES, TOPOLOGIES } from '../../scripts/faults/topologies.ts'

const SEEDS = Array.from({ length: 400 }, (_, seed) => seed)
const schedules = SEEDS.map((seed) => scheduleOf(seed))

describe('a schedule of faults', () => {
  it('is the same for the same seed, and so are the notifications', () => {
    for (const seed of SEEDS) expect(scheduleOf(seed)).toEqual(schedules[seed])
    const [, one, other] = schedules
    if (one === undefined || other === undefined) throw new Error('there are four hundred')
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

  it('has five faults at least, each of which begins while notifications are sent', () => {
    for (const { faults } of schedules) {
      expect(faults.length).toBeGreaterThanOrEqual(5)
      for (const { atMs } of faults) expect(atMs).toBeLessThan(LOAD_MS)
    }
  })

  it('has every topology, every process and Redis of it, and every kind of fault among a few hundred seeds', () => {
    const struck = schedules.flatMap(({ topology, faults }) => faults.map((fault) => ({ topology, fault })))
    for (const topology of TOPOLOGIES) {
      const ofTopology = struck.filter((each) => each.topology === topology).map(({ fault }) => fault)
      expect(new Set(ofTopology.map(({ victim }) => victim))).toEqual(
        new Set([...PROCESSES[topology], ...REDISES[topology], 'apns', 'fcm', 'webpush', 'configuration']),
      )
      const ofRedis = ofTopology.filter(({ kind }) => kind === 'redis').map(({ name }) => name)
      expect(new Set(ofRedis)).toEqual(new Set(REDIS_FAULTS[topology]))
    }
    const namesOf = (kind: Fault['kind']): ReadonlySet<string> =>
      new Set(struck.filter(({ fault }) => fault.kind === kind).map(({ fault }) => fault.name))
    for (const kind of ['disk', 'redis', 'apns', 'fcm', 'webpush', 'configuration'] as const)
      expect(namesOf(kind)).toEqual(new Set(FAULTS[kind]))
    expect(namesOf('process')).toEqual(new Set(['kill', 'pause']))
  })

  it('has clocks that are wrong where it is asked for, and all else as without them', () => {
    const jumping = SEEDS.map((seed) => scheduleOf(seed, { hasClockJumps: true }))
    const names = new Set(
      jumping.flatMap(({ faults }) => faults.filter(({ kind }) => kind === 'clock')).map(describeFault),
    )
    for (const name of FAULTS.clock) expect([...names].some((each) => each.includes(name))).toBe(true)
    for (const [seed, { faults }] of jumping.entries())
      expect(faults.filter(({ kind }) => kind !== 'clock')).toEqual(schedules[seed]?.faults)
  })

  it('replaces each process once in an upgrade, while nothing else happens to processes and stores', () => {
    for (const seed of SEEDS) {
      const { topology, faults } = scheduleOf(seed, { isUpgrade: true })
      const ofProcesses = faults.filter(({ kind }) => ['process', 'redis', 'disk'].includes(kind))
      expect(ofProcesses.map(({ name, victim }) => `${name} ${victim}`)).toEqual(
        PROCESSES[topology].map((victim) => `upgrade ${victim}`),
      )
    }
  })

  it.each([
    ['sqlite', 'process', 'all'],
    ['redis', 'redis', 'redis'],
  ] as const)('kills only what is asked for, as often as asked: %s', (topology, kind, victim) => {
    const { faults, loadMs, appendfsync } = scheduleOf(1, { topology, kills: 50 })
    expect(faults).toHaveLength(50)
    for (const fault of faults) expect(fault).toMatchObject({ kind, victim, name: 'kill' })
    for (const { atMs } of faults) expect(atMs).toBeLessThan(loadMs)
    expect(appendfsync).toBe('always')
  })
})

describe('the options of a run', () => {
  it('are ten seeds, a range of them, or one alone on a topology', () => {
    expect(readOptions([]).seeds).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(readOptions(['--seeds', '11-13'])).toMatchObject({ seeds: [11, 12, 13], topology: undefined })
    expect(readOptions(['--seed', '17', '--topology', 'sqlite'])).toMatchObject({ seeds: [17], topology: 'sqlite' })
    expect(readOptions(['--kills', '50', '--seconds', '30'])).toMatchObject({ kills: 50, seconds: 30 })
  })

  it.each([
    [['--seed', 'x']],
    [['--seeds', '9-3']],
    [['--topology', 'paper']],
    [['--kills', '0']],
    [['--side-by-side', 'all']],
  ])('%j is refused', (args) => {
    expect(() => readOptions(args)).toThrow(/Seeds|Topologies|is a number/)
  })
})
