/** When a push leaves, where its app wants that to be later than it came. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Push } from '../../src/core/push.ts'
import type { Timing } from '../../src/core/timing.ts'
import { Scheduler, type Schedule } from '../../src/intake/schedule.ts'
import { WakeUps } from '../../src/memory/wake-ups.ts'
import { Clock } from '../helpers/clock.ts'
import { instead } from '../helpers/instead.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const WINDOW_MS = 10_000
const TICK_MS = 60_000
/** So much later than the events of its time, a badge leaves. */
const BEHIND_MS = 250
const HIGH: Push = { detail: 'minimal', kind: 'event', prio: 'high', defaultPayload: {} }
const LOW: Push = { ...HIGH, prio: 'low' }
const BADGE: Push = { ...HIGH, kind: 'counts', badge: 3 }

const clock = new Clock()
let store: TestStore
let scheduler: Scheduler
/** Another one for each test. */
let device: string
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
  scheduler = new Scheduler(new WakeUps(store.memory, randomUUID), store.identities)
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(() => {
  device = randomUUID()
})

interface From {
  readonly device?: string
  readonly account?: string
  readonly pushkeyTs?: number
}

function schedule(push: Push, timing: Timing, from: From = {}, by = scheduler): Promise<Schedule> {
  const target = from.device ?? device
  const recipient = { route: 'app', appId: 'app', target, data: { account: from.account ?? 'one' } }
  return by.schedule({ push, timing, recipient, deviceHash: target, pushkeyTs: from.pushkeyTs }, clock.ms)
}

/** How long from now it waits; 0: at once. */
const waits = async (...input: Parameters<typeof schedule>): Promise<number> =>
  ((await schedule(...input)).dueAtMs ?? clock.ms) - clock.ms

it('a push leaves at once where the app asks for nothing else', async () => {
  expect(await schedule(HIGH, {})).toEqual({ dueAtMs: undefined, shownAtMs: clock.ms })
})

describe('with coalesce', () => {
  const timing = { coalesceMs: WINDOW_MS }

  it('the first wake-up leaves at once, and those that follow within the window leave together at its end', async () => {
    const first = await schedule(HIGH, timing)
    expect(first).toMatchObject({ dueAtMs: undefined, latestKey: undefined })
    const endMs = clock.ms + WINDOW_MS
    clock.pass(1000)
    const second = await schedule(HIGH, timing)
    clock.pass(1000)
    const third = await schedule(HIGH, timing)
    expect([second.dueAtMs, third.dueAtMs]).toEqual([endMs, endMs])
    // Of those with the same key only the last that was stored is sent.
    expect(second.latestKey).toBeDefined()
    expect(third.latestKey).toBe(second.latestKey)
    expect(third.shownAtMs).toBe(endMs)
  })

  it('no two wake-ups leave closer together than the window, and the first after a quiet one leaves at once', async () => {
    const departures: number[] = []
    for (let atMs = 0; atMs < 60_000; atMs += 3000) {
      departures.push(clock.ms + (await waits(HIGH, timing)))
      clock.pass(3000)
    }
    const distinct = [...new Set(departures)]
    expect(distinct.slice(1).every((atMs, index) => atMs - (distinct[index] ?? 0) >= WINDOW_MS)).toBe(true)
    expect(distinct.length).toBeLessThan(departures.length / 2)
    clock.pass(2 * WINDOW_MS)
    expect(await waits(HIGH, timing)).toBe(0)
  })

  it('each registration of a device has a window of its own', async () => {
    await schedule(HIGH, timing)
    expect(await waits(HIGH, timing, { account: 'two' })).toBe(0)
    expect(await waits(HIGH, timing, { device: randomUUID() })).toBe(0)
    expect(await waits(HIGH, timing)).toBe(WINDOW_MS)
  })

  it('what was registered at another time is not made pointless: the older registration may be dead', async () => {
    await schedule(HIGH, timing)
    const [one, two] = [await schedule(HIGH, timing, { pushkeyTs: 1 }), await schedule(HIGH, timing, { pushkeyTs: 2 })]
    expect(one.dueAtMs).toBe(two.dueAtMs)
    expect(one.latestKey).not.toBe(two.latestKey)
  })

  it('a silent wake-up waits for the ringing one, which takes its place; it never keeps a ringing one from leaving', async () => {
    await schedule(HIGH, timing)
    const ringing = await schedule(HIGH, timing)
    const silent = await schedule(LOW, timing)
    expect(silent.dueAtMs).toBe(ringing.dueAtMs)
    expect(silent.latestKey).not.toBe(ringing.latestKey)

    const other = { device: randomUUID() }
    await schedule(LOW, timing, other)
    const waiting = await schedule(LOW, timing, other)
    expect(await schedule(HIGH, timing, other)).toMatchObject({ dueAtMs: undefined, outdates: waiting.latestKey })
  })

  it('a badge leaves at once, but not before a wake-up that waits: the number in that is older', async () => {
    expect(await waits(BADGE, timing)).toBe(0)
    await schedule(HIGH, timing)
    expect(await waits(BADGE, timing)).toBe(0)
    await schedule(HIGH, timing)
    expect(await waits(BADGE, timing)).toBe(WINDOW_MS + BEHIND_MS)
    const silent = { device: randomUUID() }
    for (let times = 0; times < 2; times += 1) await schedule(LOW, timing, silent)
    expect(await waits(BADGE, timing, silent)).toBe(WINDOW_MS + BEHIND_MS)
  })

  it('nothing waits longer than the window after the clock was set back', async () => {
    for (let times = 0; times < 2; times += 1) await schedule(HIGH, timing)
    clock.pass(-3600_000)
    expect(await waits(HIGH, timing)).toBe(WINDOW_MS)
    const [quiet, silent] = [{ device: randomUUID() }, { device: randomUUID() }]
    for (const from of [quiet, silent]) for (let times = 0; times < 2; times += 1) await schedule(HIGH, timing, from)
    clock.pass(-3600_000)
    expect(await waits(BADGE, timing, quiet)).toBe(WINDOW_MS + BEHIND_MS)
    expect(await waits(LOW, timing, silent)).toBe(WINDOW_MS)
    clock.pass(2 * 3600_000)
  })

  it('a push leaves at once when the memory does not answer', async () => {
    const away = () => Promise.reject(new StoreUnavailableError('away'))
    const memory = instead(store.memory, { get: away, setIfAbsent: away })
    const blind = new Scheduler(new WakeUps(memory, randomUUID), store.identities)
    for (const push of [HIGH, HIGH, LOW, BADGE]) expect(await waits(push, timing, {}, blind)).toBe(0)
  })
})

describe('with release_every', () => {
  const timing = { releaseEveryMs: TICK_MS }
  const nextTickMs = () => Math.ceil(clock.ms / TICK_MS) * TICK_MS

  it('a push leaves within a second after the next tick, and only the tick is shown', async () => {
    clock.pass(1234)
    for (let times = 0; times < 20; times += 1) {
      const { dueAtMs = 0, shownAtMs } = await schedule(HIGH, timing, { device: randomUUID() })
      expect(shownAtMs).toBe(nextTickMs())
      expect(dueAtMs - nextTickMs()).toBeGreaterThanOrEqual(0)
      expect(dueAtMs - nextTickMs()).toBeLessThan(1000)
    }
  })

  it('the pushes of one device leave in order, and a tick shuffles the devices anew', async () => {
    clock.pass(TICK_MS)
    const devices = Array.from({ length: 10 }, () => randomUUID())
    const order = async () => {
      const due = await Promise.all(
        devices.map(async (each) => (await schedule(HIGH, timing, { device: each })).dueAtMs),
      )
      expect(await schedule(HIGH, timing, { device: devices[0] ?? '' })).toMatchObject({ dueAtMs: due[0] })
      return due.map((dueAtMs = 0) => dueAtMs - nextTickMs())
    }
    const first = await order()
    clock.pass(TICK_MS)
    expect(await order()).not.toEqual(first)
  })

  it('a badge leaves a little after the pushes of its tick', async () => {
    const [event, badge] = [await schedule(HIGH, timing), await schedule(BADGE, timing)]
    expect((badge.dueAtMs ?? 0) - (event.dueAtMs ?? 0)).toBe(BEHIND_MS)
    expect(badge.shownAtMs).toBe(event.shownAtMs)
  })

  it('and coalesce, what the window put off leaves on the first tick after it', async () => {
    const both = { coalesceMs: TICK_MS / 2, releaseEveryMs: TICK_MS }
    clock.ms = nextTickMs() - TICK_MS / 4
    expect((await schedule(HIGH, both)).shownAtMs).toBe(nextTickMs())
    const second = await schedule(HIGH, both)
    expect(second.shownAtMs).toBe(nextTickMs() + TICK_MS)
    expect(second.latestKey).toBeDefined()
  })
})
