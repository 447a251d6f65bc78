/** When a push service is not believed that pushkeys are dead. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { opinionOf, RejectionGuard } from '../../src/memory/rejection-guard.ts'
import { Clock } from '../helpers/clock.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 3600_000

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let guard: RejectionGuard
/** Another one for each test. */
let route: string
let told: (readonly [string, boolean])[]
beforeEach(() => {
  route = randomUUID()
  told = []
  guard = createGuard()
  // In the middle of a minute, which is what the guard counts by.
  clock.ms = Math.floor(clock.ms / MINUTE_MS) * MINUTE_MS + MINUTE_MS * 10.5
})

function createGuard(): RejectionGuard {
  return new RejectionGuard(store.memory, clock.nowMs, (name, isSuspected) => told.push([name, isSuspected]))
}

async function verdicts(count: number, isRejected: boolean, of = route): Promise<void> {
  for (let index = 0; index < count; index += 1) await guard.record(of, randomUUID(), isRejected)
}

const isSuspected = async (of = route) => (await guard.windows(of)).some(({ untilMs }) => untilMs === undefined)

describe('the rejections of a route are suspected', () => {
  it.each([
    [19, 0, false],
    [20, 0, true],
    [20, 19, true],
    [20, 20, false],
    [30, 29, true],
    [100, 150, false],
  ])('when %i devices are called dead while %i live: %s', async (dead, alive, expected) => {
    await verdicts(alive, false)
    await verdicts(dead, true)
    expect(await isSuspected()).toBe(expected)
    expect(told).toEqual(expected ? [[route, true]] : [])
  })

  it('by how many devices they are, not by how often one is called dead', async () => {
    for (let times = 0; times < 40; times += 1) await guard.record(route, 'the same', true)
    expect(await isSuspected()).toBe(false)
  })

  it('when they come within five minutes, and not when they come slowly', async () => {
    for (let minute = 0; minute < 4; minute += 1) {
      await verdicts(4, true)
      clock.pass(MINUTE_MS)
    }
    expect(await isSuspected()).toBe(false)
    await verdicts(4, true)
    expect(await isSuspected()).toBe(true)

    const slow = randomUUID()
    for (let minute = 0; minute < 10; minute += 1) {
      await verdicts(3, true, slow)
      clock.pass(MINUTE_MS)
    }
    expect(await isSuspected(slow)).toBe(false)
  })

  it('from five minutes before it was noticed, as those were the first of them', async () => {
    await verdicts(20, true)
    const noticed = [{ sinceMs: clock.ms - 5 * MINUTE_MS }]
    expect(await guard.windows(route)).toEqual(noticed)
    clock.pass(1000)
    await verdicts(20, true)
    expect(await guard.windows(route)).toEqual(noticed)
    expect(told).toEqual([[route, true]])
  })

  it('until one is called dead that is no longer one of many; later another time may begin', async () => {
    await verdicts(20, true)
    const [{ sinceMs } = { sinceMs: 0 }] = await guard.windows(route)
    clock.pass(10 * MINUTE_MS)
    await verdicts(1, true)
    const closed = { sinceMs, untilMs: clock.ms }
    expect(await guard.windows(route)).toEqual([closed])
    clock.pass(10 * MINUTE_MS)
    await verdicts(20, true)
    expect(await guard.windows(route)).toEqual([closed, { sinceMs: clock.ms - 5 * MINUTE_MS }])
  })

  it('and told of once, however many verdicts come at the same time', async () => {
    await Promise.all(Array.from({ length: 60 }, () => guard.record(route, randomUUID(), true)))
    expect(told).toEqual([[route, true]])
    expect(await guard.windows(route)).toHaveLength(1)
  })

  it('as one time when they end and begin again within five minutes, and told of once', async () => {
    await verdicts(20, true)
    const [{ sinceMs } = { sinceMs: 0 }] = await guard.windows(route)
    for (let times = 0; times < 10; times += 1) {
      await verdicts(25, false)
      await verdicts(1, true)
      clock.pass(MINUTE_MS)
      await verdicts(30, true)
    }
    const windows = await guard.windows(route)
    expect(windows.map((window) => window.sinceMs)).toEqual([sinceMs])
    expect(told).toEqual([[route, true]])
  })

  it('in at most 50 times of a route: the first of them are then one', async () => {
    for (let times = 0; times < 60; times += 1) {
      await verdicts(20, true)
      clock.pass(10 * MINUTE_MS)
      await verdicts(1, true)
      clock.pass(10 * MINUTE_MS)
    }
    const windows = await guard.windows(route)
    expect(windows).toHaveLength(50)
    expect(windows.every(({ untilMs }) => untilMs !== undefined)).toBe(true)
    expect(windows[0]?.sinceMs).toBe(clock.ms - 60 * 20 * MINUTE_MS - 5 * MINUTE_MS)
  })

  it('of that route alone', async () => {
    await verdicts(20, true)
    expect(await guard.windows(randomUUID())).toEqual([])
  })

  it('as all processes together have counted them, and for all of them', async () => {
    const elsewhere = createGuard()
    await verdicts(10, true)
    for (let count = 0; count < 10; count += 1) await elsewhere.record(route, randomUUID(), true)
    expect(await guard.windows(route)).toEqual(await elsewhere.windows(route))
    expect(await isSuspected()).toBe(true)
  })
})

describe('the operator', () => {
  it('who confirms makes them believed', async () => {
    await verdicts(20, true)
    expect(await guard.release(route, 'confirm')).toBe(1)
    expect(await guard.windows(route)).toEqual([])
    expect(told).toEqual([
      [route, true],
      [route, false],
    ])
  })

  it('who discards has the tombstones of that time forgotten, those of later believed', async () => {
    await verdicts(20, true)
    expect(await guard.release(route, 'discard')).toBe(1)
    const windows = await guard.windows(route)
    expect(windows).toMatchObject([{ untilMs: clock.ms, isDiscarded: true }])
    expect(opinionOf(windows, clock.ms)).toBe('discarded')
    expect(opinionOf(windows, clock.ms + 1)).toBe('believed')
    expect(await guard.release(route, 'confirm')).toBe(0)
    expect(await guard.windows(route)).toEqual(windows)
  })

  it('has nothing to say where nothing is suspected', async () => {
    expect(await guard.release(route, 'confirm')).toBe(0)
    expect(told).toEqual([])
  })
})

it('what was suspected is forgotten with the tombstones, after 30 days', async () => {
  await verdicts(20, true)
  await guard.release(route, 'discard')
  clock.pass(29 * DAY_MS)
  expect(await guard.windows(route)).toHaveLength(1)
  clock.pass(2 * DAY_MS)
  expect(await guard.windows(route)).toEqual([])
})

describe('a tombstone', () => {
  const open = { sinceMs: 100 }
  const past = { sinceMs: 100, untilMs: 200 }
  const discarded = { ...past, isDiscarded: true }
  it.each([
    ['without a window', [], 150, 'believed'],
    ['from before it', [open], 99, 'believed'],
    ['from its first moment', [open], 100, 'suspected'],
    ['from an open one', [open], 1_000_000, 'suspected'],
    ['from its last moment', [past], 200, 'suspected'],
    ['from after it', [past], 201, 'believed'],
    ['that the operator discarded', [discarded], 150, 'discarded'],
    ['in two of them: the later one counts', [discarded, { sinceMs: 140 }], 150, 'suspected'],
  ] as const)('%s is judged by its time', (_what, windows, recordedMs, opinion) => {
    expect(opinionOf(windows, recordedMs)).toBe(opinion)
  })
})
