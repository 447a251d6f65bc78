/** What an operator can do with what is stored. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Routes, type OpenRoute } from '../../src/config/routes.ts'
import type { Delivery } from '../../src/core/delivery.ts'
import type { Identities, Recipient } from '../../src/core/identities.ts'
import { Secret } from '../../src/core/secret.ts'
import type { DeadPushkeys } from '../../src/memory/dead-pushkeys.ts'
import { rememberedOf, type Deduplication } from '../../src/memory/deduplication.ts'
import type { RejectionGuard } from '../../src/memory/rejection-guard.ts'
import { WakeUps } from '../../src/memory/wake-ups.ts'
import { StoreOperator } from '../../src/operator/store-operator.ts'
import { remember } from '../../src/store/accept-in-steps.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { Received, takeAll } from '../helpers/received.ts'
import { createRoute } from '../helpers/route.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const MAX_AGE_MS = 5 * 3600_000
const CONFIG = { receipts: true, queue: { maxAgeMs: MAX_AGE_MS, callMaxAgeMs: 60_000 } }

const clock = new Clock()
let store: TestStore
let identities: Identities
let guard: RejectionGuard
let deadPushkeys: DeadPushkeys
let deduplication: Deduplication
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
  ;({ identities, guard, deadPushkeys, deduplication } = store)
})
afterAll(() => store[Symbol.asyncDispose]())

/** Those that are configured, other ones for each test. */
let route: OpenRoute
let other: OpenRoute
let operator: StoreOperator
beforeEach(() => {
  ;[route, other] = [createRoute(), createRoute()]
  const routes = new Routes([route, other])
  const { keyring } = store
  operator = new StoreOperator({
    store,
    guard,
    known: store.known,
    isBlocked: () => false,
    keyring,
    nowMs: clock.nowMs,
    routes: () => routes,
    config: () => CONFIG,
  })
})

describe('what was given up', () => {
  /** Resolves with its id. */
  const giveUp = async (reason: string, of = route.name): Promise<string> => {
    const delivery = createDelivery({ route: of, deviceHash: randomUUID(), acceptedAtMs: clock.ms })
    await store.queue.add([delivery])
    const received = new Received(() => ({ kind: 'dead-letter', reason }))
    const consumption = store.queue.consume(of, 1, received.handler)
    await received.atLeast(1)
    await consumption.stop(60_000)
    return delivery.id
  }
  const idsOf = async (filter: Parameters<StoreOperator['listDead']>[0]) =>
    (await operator.listDead(filter)).map(({ id }) => id)

  it('is listed by app, with why and when, and nothing of what it holds', async () => {
    const id = await giveUp('PayloadTooLarge')
    expect(await operator.listDead({ app: route.app })).toEqual([
      {
        id,
        app: route.app,
        device: expect.stringMatching(/^[0-9a-f]{8}$/),
        reason: 'PayloadTooLarge',
        attempts: 1,
        acceptedAtMs: clock.ms,
        diedAtMs: clock.ms,
      },
    ])
  })

  it('is found by its app, its id, its reason, and by all of them together', async () => {
    const [a, b] = [await giveUp('one'), await giveUp('two')]
    const c = await giveUp('one', other.name)
    expect(new Set(await idsOf({ app: route.app }))).toEqual(new Set([a, b]))
    expect(await idsOf({ id: b })).toEqual([b])
    expect(await idsOf({ app: other.app, reason: 'one' })).toEqual([c])
    expect(await idsOf({ app: other.app, id: a })).toEqual([])
  })

  it('is tried again as new: it has the whole time again', async () => {
    const id = await giveUp('expired')
    clock.pass(3 * 3600_000)
    expect(await operator.retryDead({ app: route.app })).toBe(1)
    const [handedOut] = await takeAll(store.queue, route.name)
    expect(handedOut).toMatchObject({ attempt: 1, delivery: { id, expiresAtMs: clock.ms + MAX_AGE_MS } })
    expect(await idsOf({ app: route.app })).toEqual([])
  })

  it('is dropped, and nothing else is', async () => {
    const [a, b] = [await giveUp('one'), await giveUp('two')]
    expect(await operator.dropDead({ app: route.app, reason: 'one' })).toBe(1)
    expect(await idsOf({ app: route.app })).toEqual([b])
    expect(await operator.retryDead({ id: a })).toBe(0)
  })
})

describe('rejections that are held back', () => {
  const trip = async () => {
    for (let count = 0; count < 25; count += 1) await guard.record(route.name, randomUUID(), true)
  }

  it('are listed for each configured app that has some', async () => {
    expect(await operator.listSuspected()).toEqual([])
    await trip()
    expect(await operator.listSuspected()).toEqual([{ app: route.app, windows: [{ sinceMs: expect.any(Number) }] }])
  })

  it.each(['confirm', 'discard'] as const)('are released by %s, once', async (verdict) => {
    await trip()
    expect(await operator.releaseSuspected(route.app, verdict)).toBe(1)
    expect(await operator.listSuspected()).toEqual([])
    expect(await operator.releaseSuspected(route.app, verdict)).toBe(0)
  })
})

describe('to forget a device', () => {
  const data = { default_payload: { cs: 'secret' } }
  let recipient: Recipient
  let wakeUps: WakeUps
  beforeEach(() => {
    recipient = { route: route.name, appId: route.app, target: `key-${randomUUID()}`, data }
    wakeUps = new WakeUps(store.memory, randomUUID)
  })

  const forget = () => operator.forget({ appId: route.app, pushkey: new Secret(recipient.target), data })
  /** Stored as the intake does it. */
  const add = async (of: Recipient, more: Partial<Delivery> = {}): Promise<Delivery> => {
    const deliveryRoute = of.route
    const deviceHash = identities.device(of)
    const delivery = createDelivery({ route: deliveryRoute, deviceHash, acceptedAtMs: clock.ms, ...more })
    const [order = 0] = await store.queue.add([delivery])
    await remember(store.memory, { delivery, unless: [], ...rememberedOf(delivery) }, order)
    return delivery
  }
  const nothing = {
    death: false,
    receipt: false,
    wasDelivered: false,
    latestBadge: false,
    departure: false,
    deliveries: 0,
    deadLetters: 0,
    unreadable: 0,
  }

  it('of which nothing is known is said to have left nothing', async () => {
    expect(await forget()).toEqual(nothing)
  })

  it('removes what waits for it, was given up, and is remembered of it, and says what that was', async () => {
    const deduplicationKey = identities.event(recipient, '$event')
    const badgeKey = identities.badge(recipient, route.countsPer)
    const waiting = await add(recipient, { deduplicationKey })
    await add(recipient, { priority: 'counts', latestKey: badgeKey })
    await deadPushkeys.record(waiting, { kind: 'delivered' })
    await store.known.flush()
    await deadPushkeys.record(waiting, { kind: 'rejected', reason: 'Gone' })
    await wakeUps.plan(waiting, identities.wakeUp(recipient, 'low'), clock.ms, 60_000)

    expect(await forget()).toEqual({
      ...nothing,
      death: true,
      wasDelivered: true,
      latestBadge: true,
      departure: true,
      deliveries: 2,
    })
    expect(await store.queue.depth(route.name)).toMatchObject({ waiting: 0 })
    expect(await deduplication.isKnown(waiting, deduplicationKey)).toBe(false)
    expect(await deadPushkeys.isDead({ delivery: waiting })).toBe(false)
    expect(await wakeUps.plannedMs(waiting, identities.wakeUp(recipient, 'low'))).toBeUndefined()
    expect(await forget()).toEqual(nothing)
  })

  it('leaves other devices, and the same device of another app', async () => {
    await add({ ...recipient, target: 'another' })
    await add({ ...recipient, route: other.name, appId: other.app })
    expect(await forget()).toEqual(nothing)
    expect(await store.queue.depth(route.name)).toMatchObject({ waiting: 1 })
    expect(await store.queue.depth(other.name)).toMatchObject({ waiting: 1 })
  })

  it('asks for an app that is configured', async () => {
    expect(await operator.forget({ appId: 'unknown', pushkey: new Secret('key'), data: {} })).toBeUndefined()
  })

  it('finds the device by what its push service makes of pushkey and pusher data', async () => {
    const web = createRoute({ targetOf: (pushkey, { endpoint = '' }) => JSON.stringify([pushkey, endpoint]) })
    const { keyring } = store
    const ofWeb = new StoreOperator({
      store,
      guard,
      known: store.known,
      isBlocked: () => false,
      keyring,
      nowMs: clock.nowMs,
      routes: () => new Routes([web]),
      config: () => CONFIG,
    })
    await add({ route: web.name, appId: web.app, target: '["key","https://push.example.org"]', data: {} })
    const device = { appId: web.app, pushkey: new Secret('key') }
    expect(await ofWeb.forget({ ...device, data: {} })).toMatchObject({ deliveries: 0 })
    const endpoint = 'https://push.example.org'
    expect(await ofWeb.forget({ ...device, data: { endpoint } })).toMatchObject({ deliveries: 1 })
  })
})

describe('an app with several push services', () => {
  const APP = 'com.example.several'
  const several = (): { readonly one: OpenRoute; readonly two: OpenRoute; readonly ofBoth: StoreOperator } => {
    const app = `${APP}-${randomUUID()}`
    const one = createRoute({ app, name: `${app} one`, isFor: (pushkey) => pushkey.startsWith('1') })
    const two = createRoute({ app, name: `${app} two`, targetOf: (pushkey) => `two:${pushkey}` })
    const ofBoth = new StoreOperator({
      store,
      guard,
      known: store.known,
      isBlocked: () => false,
      keyring: store.keyring,
      nowMs: clock.nowMs,
      routes: () => new Routes([one, two]),
      config: () => CONFIG,
    })
    return { one, two, ofBoth }
  }

  it('shows, drops and puts back what all of them gave up, under the name of the app', async () => {
    const { one, two, ofBoth } = several()
    for (const { name } of [one, two]) {
      await store.queue.add([createDelivery({ route: name, deviceHash: randomUUID(), acceptedAtMs: clock.ms })])
      const received = new Received(() => ({ kind: 'dead-letter', reason: 'x' }))
      const consumption = store.queue.consume(name, 1, received.handler)
      await received.atLeast(1)
      await consumption.stop(60_000)
    }
    const { app } = one
    expect((await ofBoth.listDead({ app })).map((letter) => letter.app)).toEqual([app, app])
    expect(await ofBoth.retryDead({ app })).toBe(2)
    expect(await ofBoth.dropDead({ app })).toBe(0)
  })

  it('forgets a device on each of them, as its pusher may have had other data', async () => {
    const { one, two, ofBoth } = several()
    const pushkey = new Secret('1-device')
    await store.queue.add([
      createDelivery({ route: one.name, ...deviceOn(one, '1-device') }),
      createDelivery({ route: two.name, ...deviceOn(two, 'two:1-device') }),
    ])
    expect(await ofBoth.forget({ appId: one.app, pushkey, data: {} })).toMatchObject({ deliveries: 2 })
    expect(await ofBoth.forget({ appId: one.app, pushkey, data: {} })).toMatchObject({ deliveries: 0 })
  })

  function deviceOn({ app }: OpenRoute, target: string) {
    return { deviceHash: identities.device({ appId: app, target }), target: new Secret(target) }
  }
})
