/** A request for many devices, which only a stranger sends: what it may cost everybody else, and what becomes of it where it cannot be finished. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Activity } from '../../src/activity/activity.ts'
import { Routes, type OpenRoute } from '../../src/config/routes.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { encryptForDevice } from '../../src/intake/encrypt-for-device.ts'
import { Intake, type IntakeParts, type IntakeSettings } from '../../src/intake/intake.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import type { DeliveryQueue } from '../../src/store/contract.ts'
import { Clock } from '../helpers/clock.ts'
import { instead } from '../helpers/instead.ts'
import { createNotification } from '../helpers/notification.ts'
import { takeAll, until } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { createRoute } from '../helpers/route.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const SETTINGS: IntakeSettings = {
  unknownApp: 'drop',
  queue: {
    maxAgeMs: 3600_000,
    callMaxAgeMs: 60_000,
    highWater: 100_000,
    concurrency: 1,
    encryptionKeyFile: { path: '', isOurs: true },
  },
}
/** As much as a device whose message takes long to make. */
const RENDER_MS = 1

const clock = new Clock()
let store: TestStore
let parts: IntakeParts
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
  const { deadPushkeys, deduplication, known, identities, keyring } = store
  parts = {
    store: store.store,
    deadPushkeys,
    deduplication,
    known,
    identities,
    keyring,
    encryptForDevice,
    activity: new Activity(clock.nowMs),
    metrics: new Metrics('0.0.0-test'),
    log: new RecordedLog(),
    nowMs: clock.nowMs,
  }
})
afterAll(() => store[Symbol.asyncDispose]())

/** The routes of the messages that were made, in their order. */
let rendering: OpenRoute[]
/** Whose messages take long to make, and whose do not. */
let slow: OpenRoute
let slowToo: OpenRoute
let quick: OpenRoute
let intake: Intake
beforeEach(() => {
  rendering = []
  quick = createRoute()
  slow = createSlowRoute()
  slowToo = createSlowRoute()
  use({})
})

function createSlowRoute(): OpenRoute {
  const route: OpenRoute = createRoute({
    render: () => {
      rendering.push(route)
      const endMs = performance.now() + RENDER_MS
      while (performance.now() < endMs);
      return { kind: 'message', message: { headers: {}, body: '{}' }, truncated: false }
    },
  })
  return route
}

function use(changed: Partial<DeliveryQueue>): void {
  const queue = instead(store.queue, changed)
  intake = new Intake(
    { ...parts, store: instead(store.store, { queue }) },
    new Routes([slow, slowToo, quick]),
    SETTINGS,
  )
}

const notificationFor = (route: OpenRoute, count: number) =>
  createNotification({
    event_id: `$${randomUUID()}`,
    devices: Array.from({ length: count }, (_, index) => ({ app_id: route.app, pushkey: `key-${index}` })),
  })
/** How it ended, once it has. */
function outcomeOf(accepted: Promise<readonly string[]>): { text: string } {
  const outcome = { text: '' }
  accepted.then(
    () => (outcome.text = 'accepted'),
    (error: Error) => (outcome.text = error.message),
  )
  return outcome
}

describe('a request for many devices', () => {
  it('lets everybody else go first: requests for one device are stored while it is worked on', async () => {
    const many = outcomeOf(intake.accept(notificationFor(slow, 32)))
    let others = 0
    while (many.text === '') {
      await intake.accept(notificationFor(quick, 1))
      others += 1
    }
    expect(many.text).toBe('accepted')
    // Eight slices of four devices, of which each takes RENDER_MS.
    expect(others).toBeGreaterThan(5)
    expect(await takeAll(store.queue, slow.name)).toHaveLength(32)
  })

  it('leaves three quarters of the time to everybody else, where there is always something to do', async () => {
    const startMs = performance.now()
    const many = outcomeOf(intake.accept(notificationFor(slow, 20)))
    while (many.text === '') await new Promise((resolve) => setImmediate(resolve))
    expect(many.text).toBe('accepted')
    // Slices of four devices, of which each takes RENDER_MS; after each a rest of three such slices.
    expect(performance.now() - startMs).toBeGreaterThan(20 * RENDER_MS * 3)
  })

  it('is finished before another such request begins: were they all to go on together, none would be done in time', async () => {
    const both = [slow, slowToo].map((route) => outcomeOf(intake.accept(notificationFor(route, 12))))
    await until('both are answered', () => both.every(({ text }) => text !== ''))
    expect(new Set(rendering)).toEqual(new Set([slow, slowToo]))
    expect(rendering.lastIndexOf(slow)).toBeLessThan(rendering.indexOf(slowToo))
  })

  it('is refused at once where too many wait', async () => {
    const all = Array.from({ length: 60 }, () => outcomeOf(intake.accept(notificationFor(slow, 100))))
    await intake.accept(notificationFor(quick, 1))
    expect(all.filter(({ text }) => text === 'too many requests for many devices at once').length).toBeGreaterThan(5)
    await until('all are answered', () => all.every(({ text }) => text !== ''))
  })

  it('ends when nobody waits for its answer any more', async () => {
    const accepted = intake.accept(notificationFor(slow, 100), () => rendering.length >= 12)
    await expect(accepted).rejects.toThrow('nobody waits for the answer any more')
    expect(rendering.length).toBeLessThan(30)
  })

  it('ends when it has been answered that it cannot be stored in time', async () => {
    const all = Array.from({ length: 8 }, () => outcomeOf(intake.accept(notificationFor(slow, 100))))
    await until('all are answered', () => all.every(({ text }) => text !== ''))
    expect(all.map(({ text }) => text)).toContain('the store does not answer')
    const renderedThen = rendering.length
    // Its turn comes once more, and is given back.
    await intake.accept(notificationFor(slow, 5))
    expect(rendering.length - renderedThen).toBeLessThan(5 + 8)
  })
})

describe('a request of which not every device can be stored', () => {
  it('is refused, and what was stored is known again when it is repeated', async () => {
    let calls = 0
    use({
      accept: (deliveries) => {
        calls += 1
        return calls === 2
          ? Promise.reject(new StoreUnavailableError('the disk is full'))
          : store.queue.accept(deliveries)
      },
    })
    const notification = notificationFor(quick, 100)
    await expect(intake.accept(notification)).rejects.toThrow('the disk is full')
    expect(await intake.accept(notification)).toEqual([])
    const targets = (await takeAll(store.queue, quick.name)).map(({ delivery }) => delivery.target.reveal())
    expect(targets.toSorted()).toEqual(notification.devices.map(({ pushkey }) => pushkey.reveal()).toSorted())
  })
})
