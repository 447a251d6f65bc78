/** What the intake does with a notification: what it stores, what it rejects, what it leaves out, and when it refuses all of it. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { Activity } from '../../src/activity/activity.ts'
import { Routes, type OpenRoute } from '../../src/config/routes.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { TEST_PUSH } from '../../src/core/push.ts'
import { encryptForDevice } from '../../src/intake/encrypt-for-device.ts'
import { Intake, type IntakeParts, type IntakeSettings } from '../../src/intake/intake.ts'
import { DeadPushkeys } from '../../src/memory/dead-pushkeys.ts'
import { Deduplication } from '../../src/memory/deduplication.ts'
import { KnownDevices } from '../../src/memory/known-devices.ts'
import { RejectionGuard } from '../../src/memory/rejection-guard.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { createSubscriptionSecrets } from '../../src/simulators/webpush-encryption.ts'
import { acceptInSteps } from '../../src/store/accept-in-steps.ts'
import type { DeliveryQueue, Memory, Store } from '../../src/store/contract.ts'
import { Clock } from '../helpers/clock.ts'
import { metricValue } from '../helpers/gateway.ts'
import { instead, never } from '../helpers/instead.ts'
import { createNotification } from '../helpers/notification.ts'
import { takeAll } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { createRoute, renderedFrom } from '../helpers/route.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const MAX_AGE_MS = 24 * 3600_000
const CALL_MAX_AGE_MS = 60_000
const SETTINGS: IntakeSettings = {
  unknownApp: 'drop',
  queue: {
    maxAgeMs: MAX_AGE_MS,
    callMaxAgeMs: CALL_MAX_AGE_MS,
    highWater: 1000,
    concurrency: 1,
    encryptionKeyFile: { path: '', isOurs: true },
  },
}

const clock = new Clock()
let store: TestStore
let parts: IntakeParts
let metrics: Metrics
let log: RecordedLog
/** The only one that is configured, unless a test says otherwise. */
let route: OpenRoute
let intake: Intake
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
  const { deadPushkeys, deduplication, known, identities, keyring } = store
  metrics = new Metrics('0.0.0-test')
  log = new RecordedLog()
  parts = {
    store: store.store,
    deadPushkeys,
    deduplication,
    known,
    identities,
    keyring,
    encryptForDevice,
    activity: new Activity(clock.nowMs),
    metrics,
    log,
    nowMs: clock.nowMs,
  }
})
afterAll(() => store[Symbol.asyncDispose]())
beforeEach(() => use(createRoute()))

/** From now on an intake of its own has this route alone. */
function use(
  next: OpenRoute,
  { settings = SETTINGS, ...more }: { settings?: IntakeSettings; store?: Store } = {},
): void {
  route = next
  metrics.configured({ routes: [next], hash: '', highWater: 1000 }, clock.ms)
  intake = new Intake({ ...parts, ...more }, new Routes([next]), settings)
}

const event = (): object => ({ event_id: `$${randomUUID()}`, room_id: '!room:example.org' })
const device = (pushkey = 'pushkey', more: object = {}): object => ({ app_id: route.app, pushkey, ...more })
const accept = (fields: object, devices: readonly object[] = [device()]): Promise<readonly string[]> =>
  intake.accept(createNotification({ devices, ...fields }))
const taken = async () => (await takeAll(store.queue, route.name)).map(({ delivery }) => delivery)
const depth = async () => {
  const { waiting, delayed } = await store.queue.depth(route.name)
  return waiting + delayed
}
const received = async (intakeLabel: string, app = route.app) =>
  metricValue((await metrics.expose()).text, 'hushgate_devices_received_total', { app, intake: intakeLabel }) ?? 0

/** As after an answer of the push service that this pushkey is dead. */
async function bury(pushkey: string): Promise<void> {
  await accept(event(), [device(pushkey)])
  for (const delivery of await taken()) await parts.deadPushkeys.record(delivery, { kind: 'rejected', reason: 'Gone' })
}

describe('what is stored', () => {
  it('is one delivery with the message, for whom it is, and how long it is worth delivering', async () => {
    expect(await accept(event(), [device('key-1', { pushkey_ts: 1_700_000_000 })])).toEqual([])
    const [delivery, ...others] = await taken()
    expect(others).toEqual([])
    expect(delivery).toMatchObject({
      route: route.name,
      priority: 'event',
      pushkeyTs: 1_700_000_000,
      acceptedAtMs: clock.ms,
      expiresAtMs: clock.ms + MAX_AGE_MS,
    })
    expect(delivery?.target.reveal()).toBe('key-1')
    expect(delivery && renderedFrom(delivery).push).toMatchObject({ detail: 'minimal', kind: 'event', prio: 'high' })
    expect(await received('queued')).toBe(1)
  })

  it('of a call goes before events, unless nothing was ever delivered to the device of an app that is not new', async () => {
    const call = { type: 'm.call.invite' }
    const priorities = async () => {
      for (const pushkey of ['known', 'stranger']) await accept({ ...event(), ...call }, [device(pushkey)])
      return Object.fromEntries((await taken()).map(({ target, priority }) => [target.reveal(), priority]))
    }
    await accept(event(), [device('known')])
    for (const delivery of await taken()) await parts.deadPushkeys.record(delivery, { kind: 'delivered' })
    await store.known.flush()
    expect(await priorities()).toEqual({ known: 'call', stranger: 'call' })
    clock.pass(24 * 3600_000)
    expect(await priorities()).toEqual({ known: 'call', stranger: 'event' })
  })

  it('of a call expires as a call does', async () => {
    await accept({ ...event(), type: 'm.call.invite' })
    expect(await taken()).toMatchObject([{ priority: 'call', expiresAtMs: clock.ms + CALL_MAX_AGE_MS }])
  })

  it('is addressed as the push service wants it, of pushkey and pusher data', async () => {
    use(createRoute({ targetOf: (pushkey, data) => JSON.stringify([pushkey, data['endpoint']]) }))
    await accept(event(), [device('key', { data: { endpoint: 'https://push.example.org' } })])
    const [delivery] = await taken()
    expect(delivery?.target.reveal()).toBe('["key","https://push.example.org"]')
  })

  it('is something for each device of the request, however many there are', async () => {
    const pushkeys = Array.from({ length: 45 }, (_, index) => `key-${index}`)
    expect(
      await accept(
        event(),
        pushkeys.map((pushkey) => device(pushkey)),
      ),
    ).toEqual([])
    expect((await taken()).map(({ target }) => target.reveal()).toSorted()).toEqual(pushkeys.toSorted())
  })

  it('waits for the next tick where the app releases its pushes together', async () => {
    use(createRoute({ timing: { releaseEveryMs: 60_000 } }))
    await accept(event())
    expect(await store.queue.depth(route.name)).toMatchObject({ waiting: 0, delayed: 1 })
    clock.pass(61_000)
    expect(await taken()).toHaveLength(1)
  })

  it('is counted with its size, and whether it had to be cut', async () => {
    const message = { headers: {}, body: 'x'.repeat(1000) }
    use(createRoute({ render: () => ({ kind: 'message', message, truncated: true }) }))
    await accept(event())
    const { text } = await metrics.expose()
    expect(metricValue(text, 'hushgate_payload_bytes_sum', { app: route.app })).toBe(1000)
    expect(metricValue(text, 'hushgate_payloads_truncated_total', { app: route.app })).toBe(1)
  })
})

describe('the key of a device', () => {
  const { p256dh, auth } = createSubscriptionSecrets()
  const key = { v: 1, kid: 'A'.repeat(22), p256dh, auth }

  it.each([
    ['valid', { hushgate_key: key }, 'sealed'],
    ['invalid', { hushgate_key: { ...key, p256dh: 'B'.repeat(87) } }, 'badge'],
    ['missing', {}, 'badge'],
  ])('that is %s is counted as such, and decides whether the push is sealed', async (label, data, shown) => {
    await accept({ ...event(), counts: { unread: 1 } }, [device('key', { data })])
    const [delivery] = await taken()
    expect(Object.keys(delivery ? renderedFrom(delivery).push : {})).toContain(shown)
    expect(
      metricValue((await metrics.expose()).text, 'hushgate_device_keys_total', { app: route.app, key: label }),
    ).toBe(1)
  })
})

describe('an event', () => {
  it('that is posted again is stored once, also after it was delivered', async () => {
    const same = event()
    await accept(same)
    await accept(same)
    expect(await taken()).toHaveLength(1)
    await accept(same)
    expect(await depth()).toBe(0)
    expect(await received('duplicate')).toBe(2)
  })

  it('is another for another pushkey, other pusher data, and another route', async () => {
    const same = event()
    await accept(same, [device('one'), device('two'), device('one', { data: { default_payload: { cs: 'second' } } })])
    expect(await taken()).toHaveLength(3)
    use(createRoute())
    await accept(same, [device('one')])
    expect(await taken()).toHaveLength(1)
  })

  it.each([
    ['without an ID', { type: 'm.room.message' }],
    ["of the apps' own test", { event_id: TEST_PUSH.eventId, room_id: TEST_PUSH.roomId }],
  ])('%s is stored each time: nothing says that two of them are the same', async (_what, fields) => {
    await accept(fields)
    await accept(fields)
    const ids = (await taken()).map((delivery) => renderedFrom(delivery).identity['id'])
    expect(new Set(ids).size).toBe(2)
  })

  it('has the same push ID and collapse ID whenever it comes, and others than any other event', async () => {
    const [one, two] = [event(), event()]
    for (const each of [one, two]) await accept(each)
    const first = await taken()
    // As after the memory was lost.
    for (const delivery of first) await parts.deduplication.forget(delivery)
    for (const each of [one, two]) await accept(each)
    const names = (deliveries: typeof first) =>
      deliveries.map((delivery) => {
        const { id, collapseId } = renderedFrom(delivery).identity
        return JSON.stringify([id, collapseId])
      })
    expect(names(await taken()).toSorted()).toEqual(names(first).toSorted())
    expect(new Set(names(first)).size).toBe(2)
  })

  it('is told by its room only where the app asks for the last push per room, and what is told is never the room', async () => {
    use(createRoute({ policy: { privacy: 'event_id_only', sealed: 'ignored' } }))
    await accept(event(), [device('plain'), device('asks', { data: { only_last_per_room: true } })])
    await accept(event(), [device('asks', { data: { only_last_per_room: true } })])
    const rooms = (await taken()).map((delivery) => renderedFrom(delivery).identity['roomCollapseId'])
    const [known] = rooms.filter((room) => room !== undefined)
    expect(rooms).toEqual([undefined, known, known])
    expect(known).toMatch(/^[A-Za-z0-9_-]{32}$/)
  })
})

describe('counts alone', () => {
  it('are a badge update, of which the newer one makes the older one pointless', async () => {
    await accept({ counts: { unread: 1 } })
    await accept({ counts: { unread: 2 } })
    const both = await takeAll(store.queue, route.name)
    expect(both.map(({ delivery }) => delivery.priority)).toEqual(['counts', 'counts'])
    const [claims, collapseIds] = [
      await Promise.all(both.map((handedOut) => parts.deduplication.claim(handedOut))),
      both.map(({ delivery }) => renderedFrom(delivery).identity['collapseId']),
    ]
    expect(claims).toEqual(['superseded', undefined])
    expect(new Set(collapseIds).size).toBe(1)
  })

  it('are never taken for a repetition of themselves', async () => {
    for (let times = 0; times < 2; times += 1) await accept({ counts: { unread: 5 } })
    expect(await depth()).toBe(2)
  })

  it('of two accounts on one pushkey replace each other only where the push service counts per pushkey', async () => {
    const survivors = async () => {
      for (const cs of ['one', 'two'])
        await accept({ counts: { unread: 1 } }, [device('key', { data: { default_payload: { cs } } })])
      const claims = (await takeAll(store.queue, route.name)).map((each) => parts.deduplication.claim(each))
      return (await Promise.all(claims)).filter((claim) => claim === undefined).length
    }
    expect(await survivors()).toBe(1)
    use(createRoute({ countsPer: 'pusher' }))
    expect(await survivors()).toBe(2)
  })

  it('are made pointless by an event with a newer number, where pushes wait', async () => {
    use(createRoute({ timing: { releaseEveryMs: 60_000 } }))
    await accept({ counts: { unread: 1 } })
    await accept({ ...event(), counts: { unread: 2 } })
    clock.pass(62_000)
    const both = await takeAll(store.queue, route.name)
    expect(both.map(({ delivery }) => delivery.priority)).toEqual(['event', 'counts'])
    const claims = await Promise.all(both.map((handedOut) => parts.deduplication.claim(handedOut)))
    expect(claims).toEqual([undefined, 'superseded'])
  })
})

describe('nothing is stored', () => {
  it.each([
    ['the notification holds neither an event nor counts', { room_id: '!room:example.org' }],
    ['the push service has nothing to be told', { counts: { unread: 1 } }],
  ])('when %s', async (_why, fields) => {
    use(createRoute({ render: () => ({ kind: 'nothing', reason: 'it shows no badges' }) }))
    expect(await accept(fields)).toEqual([])
    expect(await depth()).toBe(0)
    expect(await received('nothing_to_send')).toBe(1)
  })

  it('for an app that is not configured: it is counted, and logged once a minute without its name', async () => {
    const before = await received('unknown_app', '_unknown')
    const unknown = [{ app_id: 'com.example.stranger', pushkey: 'key' }]
    clock.pass(60_000)
    const warnings = () => log.messages('warn').filter((message) => message.includes('not configured')).length
    const warnedBefore = warnings()
    for (let times = 0; times < 3; times += 1) expect(await accept(event(), unknown)).toEqual([])
    expect(warnings() - warnedBefore).toBe(1)
    clock.pass(60_000)
    await accept(event(), unknown)
    expect(warnings() - warnedBefore).toBe(2)
    expect(await received('unknown_app', '_unknown')).toBe(before + 4)
    expect(JSON.stringify(log.entries)).not.toContain('stranger')
  })
})

describe('what is rejected', () => {
  it('is a pushkey that the push service called dead, said once however often the request names it', async () => {
    await bury('dead')
    const devices = [device('dead'), device('alive'), device('dead')]
    expect(await accept(event(), devices)).toEqual(['dead'])
    expect((await taken()).map(({ target }) => target.reveal())).toEqual(['alive'])
    expect(await received('rejected')).toBe(2)
  })

  it('is, with unknown_app: reject, whatever no app is configured for', async () => {
    use(route, { settings: { ...SETTINGS, unknownApp: 'reject' } })
    const stranger = { app_id: 'com.example.stranger', pushkey: 'key' }
    expect(await accept(event(), [stranger, device('known')])).toEqual(['key'])
  })

  it('is not a pushkey that was registered anew since: that is sent as a probe', async () => {
    await bury('reborn')
    const again = device('reborn', { pushkey_ts: clock.ms / 1000 + 10 })
    expect(await accept(event(), [again])).toEqual([])
    expect(await taken()).toMatchObject([{ probesDead: true }])
  })

  it('is not a pushkey whose death somebody wrote into the store who does not have its key: that is sent', async () => {
    const deviceHash = store.identities.device({ appId: route.app, target: 'lives' })
    const minute = Math.floor(clock.ms / 60_000)
    const forged = JSON.stringify([minute, minute, null, false, null, false, 'x'.repeat(43)])
    await store.memory.set({ route: route.name, deviceHash }, `dead:${deviceHash}`, forged, 3600_000)
    expect(await accept(event(), [device('lives')])).toEqual([])
    expect((await taken()).map(({ target }) => target.reveal())).toEqual(['lives'])
  })

  it('is the same pushkey of another route neither: it died there, not here', async () => {
    await bury('shared')
    use(createRoute())
    expect(await accept(event(), [device('shared')])).toEqual([])
  })
})

describe('everything is refused', () => {
  it('while the store cannot be written to', async () => {
    const health = () => ({ writable: false, dangers: [], fit: true, fill: 0 })
    use(route, { store: instead(store.store, { health }) })
    await expect(accept(event())).rejects.toThrow(StoreUnavailableError)
    expect(await depth()).toBe(0)
  })

  it('while the route has queue.high_water deliveries waiting, and no longer: it is looked up within a second', async () => {
    use(route, { settings: { ...SETTINGS, queue: { ...SETTINGS.queue, highWater: 2 } } })
    for (let times = 0; times < 2; times += 1) await accept(event())
    await expect(accept(event())).rejects.toThrow('queue.high_water is reached')
    expect(await taken()).toHaveLength(2)
    await expect(accept(event())).rejects.toThrow('queue.high_water is reached')
    clock.pass(1000)
    expect(await accept(event())).toEqual([])
  })

  it('while half of queue.high_water is taken, or of the store, for devices that nothing was delivered to', async () => {
    const settings = { ...SETTINGS, queue: { ...SETTINGS.queue, highWater: 8 } }
    await accept(event(), [device('known')])
    for (const delivery of await taken()) await parts.deadPushkeys.record(delivery, { kind: 'delivered' })
    await store.known.flush()
    clock.pass(24 * 3600_000)
    use(route, { settings })
    const known = new KnownDevices(store.memory, clock.nowMs)
    intake = new Intake({ ...parts, known }, new Routes([route]), settings)
    await accept(event(), [device('one')])
    await depth() // it was looked up beside that
    for (const pushkey of ['two', 'three', 'four']) expect(await accept(event(), [device(pushkey)])).toEqual([])
    clock.pass(1000)
    await expect(accept(event(), [device('five')])).rejects.toThrow('half of queue.high_water')
    for (let times = 0; times < 4; times += 1) expect(await accept(event(), [device('known')])).toEqual([])
    await expect(accept(event(), [device('known')])).rejects.toThrow('queue.high_water is reached')
    expect(await taken()).toHaveLength(8)

    const full = instead(store.store, { health: () => ({ ...store.store.health(), fill: 0.6 }) })
    intake = new Intake({ ...parts, known, store: full }, new Routes([route]), SETTINGS)
    await accept(event(), [device('known')])
    await depth()
    await expect(accept(event(), [device('five')])).rejects.toThrow('half of queue.high_water')
    expect(await accept(event(), [device('known')])).toEqual([])
  })

  it('also for the devices of other routes, so that the homeserver repeats the whole request', async () => {
    const other = createRoute()
    const settings = { ...SETTINGS, queue: { ...SETTINGS.queue, highWater: 1 } }
    intake = new Intake(parts, new Routes([route, other]), settings)
    await accept(event())
    const devices = [device(), { app_id: other.app, pushkey: 'key' }]
    await expect(accept(event(), devices)).rejects.toThrow('queue.high_water is reached')
    expect(await store.queue.depth(other.name)).toMatchObject({ waiting: 0 })
  })

  it('when not all of it can be stored', async () => {
    const refuse = () => Promise.reject(new StoreUnavailableError('the disk is full'))
    use(route, { store: instead(store.store, { queue: instead(store.queue, { accept: refuse }) }) })
    await expect(accept(event(), [device('one'), device('two')])).rejects.toThrow('the disk is full')
  })

  describe('when the store does not answer', () => {
    beforeEach(async () => {
      await depth() // the real store has answered all that it was asked, in real time
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    })
    afterEach(() => void vi.useRealTimers())

    it.each<[string, Partial<Memory>, Partial<DeliveryQueue>]>([
      ['a question', { get: never, setIfAbsent: never }, {}],
      ['a write', {}, { accept: never, depth: never }],
    ])('%s: after less than a second, by the clock of the gateway', async (_what, silentMemory, silentQueue) => {
      const memory = { ...forgetful(), ...silentMemory }
      const silent = instead(store.store, { memory, queue: instead(store.queue, silentQueue) })
      const guard = new RejectionGuard(memory, clock.nowMs, () => {})
      const { identities } = parts
      const known = new KnownDevices(memory, clock.nowMs)
      const deadPushkeys = new DeadPushkeys({ memory, guard, known, identities, nowMs: clock.nowMs })
      const deduplication = new Deduplication(memory)
      // Before a push is planned with others, the memory is asked.
      const routes = new Routes([createRoute({ app: route.app, timing: { coalesceMs: 1000 } })])
      intake = new Intake({ ...parts, store: silent, known, deadPushkeys, deduplication }, routes, SETTINGS)
      let answer: unknown
      const answered = accept(event()).catch((error: unknown) => (answer = error))
      await vi.advanceTimersByTimeAsync(900)
      expect(answer).toBeUndefined()
      await vi.advanceTimersByTimeAsync(99)
      await answered
      expect(answer).toEqual(new StoreUnavailableError('the store does not answer'))
      expect(vi.getTimerCount()).toBe(0)
    })
  })
})

it('what was stored is accepted, also where the memory fails then: at worst it is stored a second time', async () => {
  const setIfAbsent = () => Promise.reject(new StoreUnavailableError('away'))
  const memory = instead(store.memory, { setIfAbsent })
  const inSteps: DeliveryQueue['accept'] = (deliveries) => acceptInSteps(store.queue, memory, deliveries)
  use(route, { store: instead(store.store, { queue: instead(store.queue, { accept: inSteps }) }) })
  expect(await accept(event())).toEqual([])
  expect(await depth()).toBe(1)
})

it('a new configuration counts from the next notification on', async () => {
  const other = createRoute({ app: route.app, policy: { privacy: 'full' } })
  await accept(event())
  intake.configure(new Routes([other]), { ...SETTINGS, queue: { ...SETTINGS.queue, maxAgeMs: 1000 } })
  await accept(event())
  const deliveries = await taken()
  expect(deliveries.map((delivery) => renderedFrom(delivery).push['detail'])).toEqual(['minimal', 'full'])
  expect(deliveries.map(({ expiresAtMs }) => expiresAtMs - clock.ms)).toEqual([MAX_AGE_MS, 1000])
})

/** A memory that answers at once and has forgotten everything. */
function forgetful(): Memory {
  const nothing = () => Promise.resolve()
  return {
    get: () => Promise.resolve(undefined),
    set: nothing,
    setMany: nothing,
    setIfAbsent: (_owner, _key, value) => Promise.resolve(value),
    raise: nothing,
    delete: nothing,
    keysOf: () => Promise.resolve([]),
    addMembers: nothing,
    countMembers: () => Promise.resolve(0),
  }
}
