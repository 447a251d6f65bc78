/** What a worker does with each delivery that is handed out: whether it is sent, what becomes of it then, what is counted and logged. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { Activity } from '../../src/activity/activity.ts'
import type { Delivery } from '../../src/core/delivery.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { shortHash } from '../../src/core/identities.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Sender } from '../../src/core/provider.ts'
import type { Route } from '../../src/core/route.ts'
import { DeadLetterShare } from '../../src/delivery/dead-letter-share.ts'
import { Worker, type WorkerParts } from '../../src/delivery/worker.ts'
import { Deduplication, rememberedOf } from '../../src/memory/deduplication.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { remember } from '../../src/store/accept-in-steps.ts'
import type { Disposition } from '../../src/store/contract.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { metricValue } from '../helpers/gateway.ts'
import { instead, never } from '../helpers/instead.ts'
import { until } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const HOUR_MS = 3600_000
const DELIVERED: Outcome = { kind: 'delivered' }

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let route: Route
let parts: WorkerParts
let metrics: Metrics
let log: RecordedLog
let worker: Worker | undefined
/** What the worker decided, in this order. */
let dispositions: Disposition[]
/** Pushkeys that the sender was given, in this order. */
let sent: string[]
beforeEach(() => {
  const name = randomUUID()
  route = { name, app: `app ${name}`, provider: 'made-up' }
  metrics = new Metrics('0.0.0-test')
  metrics.configured({ routes: [route], hash: '', highWater: 0 }, clock.ms)
  log = new RecordedLog()
  dispositions = []
  sent = []
  parts = {
    queue: {
      consume: (of, concurrency, handler) =>
        store.queue.consume(of, concurrency, async (handedOut, signal) => {
          const disposition = await handler(handedOut, signal)
          dispositions.push(disposition)
          return disposition
        }),
    },
    deadPushkeys: store.deadPushkeys,
    deduplication: store.deduplication,
    identities: store.identities,
    deadLetterShare: new DeadLetterShare({ ...store, nowMs: clock.nowMs }),
    metrics: metrics.delivery,
    activity: new Activity(clock.nowMs),
    log,
    nowMs: clock.nowMs,
    random: () => 0,
  }
})
afterEach(async () => {
  await worker?.stop(60_000)
  worker = undefined
})

/** The push service answers with the next of these each time, and in the end always with the last. */
function work(
  answers: readonly (Outcome | Sender['send'])[],
  { concurrency = 10, ...more }: { concurrency?: number } & Partial<WorkerParts> = {},
): Worker {
  const sender: Sender = {
    async send(message, target, signal) {
      sent.push(target.reveal())
      const answer = answers[Math.min(sent.length, answers.length) - 1] ?? DELIVERED
      return typeof answer === 'function' ? answer(message, target, signal) : answer
    },
    check: async () => ({ ok: true }),
    close: async () => {},
  }
  return start(() => sender, concurrency, more)
}

function start(senderNow: () => Sender | undefined, concurrency = 10, more: Partial<WorkerParts> = {}): Worker {
  const delivering = () => {
    const sender = senderNow()
    return sender === undefined ? undefined : { route, sender }
  }
  worker = new Worker(route, delivering, concurrency, { ...parts, ...more })
  return worker
}

async function add(overrides: Partial<Delivery> = {}): Promise<Delivery> {
  const deviceHash = store.identities.device({ appId: 'app', target: randomUUID() })
  const delivery = createDelivery({ route: route.name, deviceHash, acceptedAtMs: clock.ms, ...overrides })
  const [order = 0] = await store.queue.add([delivery])
  await remember(store.memory, { delivery, unless: [], ...rememberedOf(delivery) }, order)
  return delivery
}

const decided = async (count = 1) => {
  await until(`${count} deliveries are handled`, () => dispositions.length >= count)
  return dispositions
}
const value = async (metric: string, labels: Record<string, string> = {}) =>
  metricValue((await metrics.expose()).text, metric, { app: route.app, ...labels }) ?? 0
const outcomes = (outcome: string) => value('hushgate_outcomes_total', { outcome })

describe('an attempt', () => {
  const retry: Outcome = { kind: 'retry', reason: '503', scope: 'delivery', ambiguous: false }

  it.each<[string, Outcome, Disposition, Record<string, number>]>([
    ['that is accepted is over', DELIVERED, { kind: 'acknowledge' }, { delivered: 1 }],
    ['at a dead pushkey is over', { kind: 'rejected', reason: 'Gone' }, { kind: 'acknowledge' }, { rejected: 1 }],
    [
      'that can never succeed is kept for the operator',
      { kind: 'failed', reason: 'PayloadTooLarge' },
      { kind: 'dead-letter', reason: 'PayloadTooLarge' },
      { failed: 1 },
    ],
    ['that failed for now is repeated after a second', retry, { kind: 'requeue', atMs: 1000 }, {}],
    ['is repeated when the push service says', { ...retry, afterMs: 7000 }, { kind: 'requeue', atMs: 7000 }, {}],
    [
      'that would be repeated too late is kept for the operator',
      { ...retry, afterMs: HOUR_MS },
      { kind: 'dead-letter', reason: 'expired: 503' },
      { expired: 1 },
    ],
    ['with a bad credential does not count', { kind: 'blocked', reason: 'InvalidProviderToken' }, { kind: 'hold' }, {}],
  ])('%s', async (_what, outcome, disposition, ends) => {
    work([outcome, never])
    const { id, deviceHash } = await add()
    const [first] = await decided()
    expect(first).toEqual(
      disposition.kind === 'requeue' ? { ...disposition, atMs: clock.ms + disposition.atMs } : disposition,
    )
    for (const kind of ['delivered', 'rejected', 'failed', 'expired'])
      expect([kind, await outcomes(kind)]).toEqual([kind, ends[kind] ?? 0])
    expect(await value('hushgate_attempts_total')).toBe(1)
    expect(await value('hushgate_retries_total')).toBe(disposition.kind === 'requeue' ? 1 : 0)
    const reason = outcome.kind === 'delivered' ? undefined : outcome.reason
    const refusals = await value('hushgate_push_service_refusals_total', {
      outcome: outcome.kind,
      ...(reason && { reason }),
    })
    expect(refusals).toBe(reason === undefined ? 0 : 1)
    const isGivenUp = disposition.kind === 'dead-letter'
    const [level, message] = isGivenUp
      ? ['warn', 'A delivery was given up']
      : outcome.kind === 'rejected'
        ? ['info', 'A pushkey is dead']
        : ['debug', 'A delivery was handled']
    expect(log.entries.filter((entry) => /^A (?:delivery|pushkey)/.test(entry.message))).toEqual([
      {
        level,
        message,
        facts: {
          app: route.app,
          device: shortHash(deviceHash),
          push: store.identities.logged(id),
          attempt: 1,
          result: outcome.kind,
          reason,
          next: disposition.kind,
        },
      },
    ])
  })

  it('that can never succeed leaves the delivery with the operator, by its id', async () => {
    work([{ kind: 'failed', reason: 'PayloadTooLarge' }])
    const { id } = await add()
    await until('the store has it', async () => (await store.queue.depth(route.name)).dead === 1)
    const letters = await store.queue.listDead({ route: route.name }, 10)
    expect(letters).toMatchObject([{ id, reason: 'PayloadTooLarge', attempts: 1 }])
  })

  it.each(['call', 'counts'] as const)(
    'of a %s that would be repeated too late is kept for nobody',
    async (priority) => {
      work([{ ...retry, afterMs: HOUR_MS }])
      await add({ priority })
      expect(await decided()).toEqual([{ kind: 'acknowledge' }])
      expect(await outcomes('expired')).toBe(1)
    },
  )

  it.each<[string, Outcome, string]>([
    ['is accepted', DELIVERED, 'delivered'],
    ['finds its pushkey dead', { kind: 'rejected', reason: 'Gone' }, 'rejected'],
    ['can never succeed', { kind: 'failed', reason: 'PayloadTooLarge' }, 'failed'],
    ['would be repeated too late', { ...retry, afterMs: HOUR_MS }, 'expired'],
    ['may not be made', { kind: 'dropped', reason: 'not_allowed' }, 'not_sent'],
  ])('of a canary push that %s is counted by itself, and nothing is kept of it', async (_what, outcome, counted) => {
    metrics.configured({ routes: [route], hash: '', highWater: 0, canaries: [{ route, everyMs: 60_000 }] }, clock.ms)
    work([outcome], { canaries: metrics.canaries })
    await add({ canary: true, priority: 'counts', acceptedAtMs: clock.ms - 1500 })
    expect(await decided()).toEqual([{ kind: 'acknowledge' }])
    expect(await value('hushgate_canary_pushes_total', { outcome: counted })).toBe(1)
    expect(await value('hushgate_canary_round_trip_seconds')).toBe(counted === 'delivered' ? 1.5 : 0)
    const warnings = log.messages('warn').filter((message) => message === 'A canary push did not arrive')
    expect(warnings).toHaveLength(counted === 'delivered' ? 0 : 1)
  })

  it('of a canary push that is repeated is not counted yet', async () => {
    metrics.configured({ routes: [route], hash: '', highWater: 0, canaries: [{ route, everyMs: 60_000 }] }, clock.ms)
    work([retry, never], { canaries: metrics.canaries })
    await add({ canary: true, priority: 'counts' })
    expect(await decided()).toMatchObject([{ kind: 'requeue' }])
    expect(log.messages('warn')).toEqual([])
  })

  it('that is accepted is measured from the acceptance of the notification', async () => {
    work([DELIVERED])
    await add({ acceptedAtMs: clock.ms - 5000, expiresAtMs: clock.ms + HOUR_MS })
    await decided()
    expect(await value('hushgate_delivery_delay_seconds_sum')).toBe(5)
  })

  it('at a dead pushkey is remembered, so that homeservers are told', async () => {
    work([{ kind: 'rejected', reason: 'Gone' }])
    const { deviceHash } = await add()
    await decided()
    const known = { route: route.name, deviceHash, pushkeyTs: undefined, kind: 'event' } as const
    expect(await parts.deadPushkeys.admit(known)).toBe('dead')
  })

  it('is cut off when the worker is stopped and its time is over; the delivery stays', async () => {
    work([
      (_message, _target, signal) =>
        new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve(retry))
        }),
    ])
    await add()
    await until('it is on its way', () => sent.length === 1)
    await worker?.stop(0)
    expect(await decided()).toHaveLength(1)
    expect(await store.queue.depth(route.name)).toMatchObject({ waiting: 1, active: 0 })
  })
})

describe('nothing is sent', () => {
  const notSent = async (result: string) => {
    const [first] = await decided()
    expect(sent).toEqual([])
    expect(await outcomes(result)).toBe(1)
    expect(await value('hushgate_attempts_total')).toBe(0)
    expect(log.entries).toMatchObject([{ facts: { result, attempt: 1 } }])
    return first
  }

  it('of an event that expired while it waited; it is kept for the operator', async () => {
    await add({ expiresAtMs: clock.ms })
    work([DELIVERED])
    expect(await notSent('expired')).toEqual({ kind: 'dead-letter', reason: 'expired' })
  })

  it.each(['call', 'counts'] as const)(
    'of a %s that expired while it waited; it is kept for nobody',
    async (priority) => {
      await add({ priority, expiresAtMs: clock.ms })
      work([DELIVERED])
      expect(await notSent('expired')).toEqual({ kind: 'acknowledge' })
    },
  )

  it('of an event that another delivery stands for', async () => {
    const deduplicationKey = randomUUID()
    const delivery = createDelivery({ deduplicationKey })
    await remember(store.memory, { delivery, unless: [], ...rememberedOf(delivery) }, 1)
    await add({ deduplicationKey })
    work([DELIVERED])
    expect(await notSent('duplicate')).toEqual({ kind: 'acknowledge' })
  })

  it.each([
    ['a badge when a newer one was stored', 'counts', 'superseded'],
    ['a wake-up when one that leaves together with it was stored later', 'event', 'coalesced'],
  ] as const)('of %s', async (_what, priority, result) => {
    const latestKey = randomUUID()
    const dueAtMs = clock.ms + HOUR_MS / 2
    await add({ priority, latestKey })
    await add({ priority, latestKey, dueAtMs })
    work([DELIVERED])
    expect(await notSent(result)).toEqual({ kind: 'acknowledge' })
  })

  it('to a pushkey that died while it waited', async () => {
    const delivery = await add()
    await parts.deadPushkeys.record(delivery, { kind: 'rejected', reason: 'Gone' })
    work([DELIVERED])
    expect(await notSent('pushkey_dead')).toEqual({ kind: 'acknowledge' })
  })
})

it('a probe is sent to a pushkey that is held to be dead, and a pushkey that proves alive is forgotten to be dead', async () => {
  const delivery = await add({ probesDead: true })
  await parts.deadPushkeys.record({ ...delivery, probesDead: undefined }, { kind: 'rejected', reason: 'Gone' })
  work([DELIVERED])
  await decided()
  expect(sent).toHaveLength(1)
  expect(await parts.deadPushkeys.isDead({ delivery: { ...delivery, probesDead: undefined } })).toBe(false)
})

describe('after an error of our own, the delivery is tried again in two seconds', () => {
  const triedAgain = async (error: Error) => {
    expect(await decided()).toEqual([{ kind: 'requeue', atMs: clock.ms + 2000 }])
    expect(log.entries).toEqual([
      {
        level: 'error',
        message: 'A delivery is tried again after an error of our own',
        facts: { app: route.app },
        error,
      },
    ])
    expect(await value('hushgate_attempts_total')).toBe(0)
  }

  it('where the memory does not answer', async () => {
    const error = new StoreUnavailableError('away')
    const deduplication = new Deduplication(instead(store.memory, { setIfAbsent: () => Promise.reject(error) }))
    work([DELIVERED], { deduplication })
    await add({ deduplicationKey: randomUUID() })
    await triedAgain(error)
    expect(sent).toEqual([])
  })

  it('where the sender breaks its promise not to throw', async () => {
    const error = new TypeError('a bug')
    work([() => Promise.reject(error)])
    await add()
    await triedAgain(error)
  })
})

it('a delivery of a route whose sender is gone waits for it to come back', async () => {
  start(() => undefined)
  await add()
  expect(await decided()).toEqual([{ kind: 'requeue', atMs: clock.ms + 1000 }])
  expect(await value('hushgate_push_service_refusals_total', { reason: 'app_removed' })).toBe(1)
})

describe('a push service that asks the whole route to wait', () => {
  const wait: Outcome = { kind: 'retry', reason: '503', scope: 'app', ambiguous: false, afterMs: 20 }
  const haveLeft = (count: number) =>
    until(`${count} have left`, () => dispositions.filter(({ kind }) => kind === 'acknowledge').length === count)

  it('is asked with one delivery after that time, and the others follow when that one is taken', async () => {
    work([wait, wait, DELIVERED], { concurrency: 1 })
    for (let count = 0; count < 4; count += 1) await add()
    await haveLeft(2)
    expect(dispositions.map(({ kind }) => kind)).toEqual(['requeue', 'requeue', 'acknowledge', 'acknowledge'])
    expect(worker?.isBlocked).toBe(false)
  })

  it('is asked with the next one when an error of our own kept the first from asking', async () => {
    work([wait, () => Promise.reject(new TypeError('a bug')), DELIVERED], { concurrency: 1 })
    for (let count = 0; count < 3; count += 1) await add()
    await haveLeft(1)
    expect(sent).toHaveLength(3)
  })

  it('is told to the operator once a minute', async () => {
    work([wait, DELIVERED, wait, DELIVERED], { concurrency: 1 })
    for (let count = 0; count < 4; count += 1) await add()
    await haveLeft(2)
    expect(log.entries.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: expect.stringMatching(/^Deliveries wait: the push service asks for it/), facts: { reason: '503' } },
    ])
  })

  it('is told to answer again, once for each time that it was told to wait, and for how long that was', async () => {
    work([wait, DELIVERED, wait, DELIVERED], { concurrency: 1 })
    for (let count = 0; count < 4; count += 1) await add()
    await haveLeft(2)
    expect(log.entries.filter(({ level }) => level === 'info')).toMatchObject([
      { message: expect.stringMatching(/deliveries go on$/), facts: { app: route.app, seconds: 0 } },
    ])
  })
})

describe('a push service of some devices that is left alone', () => {
  const waits: Outcome = { kind: 'waits', group: 'host', reason: 'host_paused', afterMs: undefined }

  it('is not asked: what is for it is parked, and that is no attempt', async () => {
    work([waits])
    await add({ expiresAtMs: clock.ms + 2 * HOUR_MS })
    expect(await decided()).toEqual([{ kind: 'park', group: 'host', atMs: clock.ms + HOUR_MS / 4 }])
    expect(await value('hushgate_attempts_total')).toBe(0)
    expect(await store.queue.depth(route.name)).toMatchObject({ waiting: 0, delayed: 1 })
  })

  it('is not asked for what our configuration keeps from it: that is done with, and counted', async () => {
    work([{ kind: 'dropped', reason: 'endpoint_not_allowed' }])
    const { deviceHash, pushkeyTs } = await add()
    expect(await decided()).toEqual([{ kind: 'acknowledge' }])
    expect(await value('hushgate_attempts_total')).toBe(0)
    expect(await value('hushgate_outcomes_total', { outcome: 'dropped' })).toBe(1)
    const admission = await store.deadPushkeys.admit({ route: route.name, deviceHash, pushkeyTs, kind: 'event' })
    expect(admission).toBe('alive')
  })

  it('is asked by one at its time, and not after that has expired', async () => {
    work([{ ...waits, afterMs: 60_000 }, waits])
    await add()
    await add({ expiresAtMs: clock.ms + 1000 })
    expect(await decided(2)).toEqual([
      { kind: 'park', group: 'host', atMs: clock.ms + 60_000 },
      { kind: 'park', group: 'host', atMs: clock.ms + 1000 },
    ])
  })

  it('gets all that waits for it as soon as it answers one', async () => {
    let isBack = false
    work([async () => (isBack ? { ...DELIVERED, revives: 'host' } : waits)])
    for (let count = 0; count < 3; count += 1) await add()
    await decided(3)
    isBack = true
    await add()
    await until('all have left', () => dispositions.filter(({ kind }) => kind === 'acknowledge').length === 4)
  })
})

describe('a push service that refuses our credential', () => {
  const blocked: Outcome = { kind: 'blocked', reason: 'ExpiredProviderToken' }

  it('blocks the route: it is said, measured, and nothing more is sent', async () => {
    const running = work([blocked, DELIVERED], { concurrency: 1 })
    for (let count = 0; count < 3; count += 1) await add()
    await decided()
    expect(running.isBlocked).toBe(true)
    expect(await value('hushgate_app_blocked')).toBe(1)
    expect(log.entries.filter(({ level }) => level === 'error')).toMatchObject([
      { message: expect.stringMatching(/refuses our credential/), facts: { app: route.app, reason: blocked.reason } },
    ])
    expect(await store.queue.depth(route.name)).toMatchObject({ waiting: 3 })
    expect(sent).toHaveLength(1)
  })

  it('is asked again at once after a reload, and everything leaves when the new credential is taken', async () => {
    const running = work([blocked, DELIVERED], { concurrency: 1 })
    for (let count = 0; count < 3; count += 1) await add()
    await decided()
    running.probeNow()
    await until('all have left', () => dispositions.filter(({ kind }) => kind === 'acknowledge').length === 3)
    expect(running.isBlocked).toBe(false)
    expect(await value('hushgate_app_blocked')).toBe(0)
    expect(log.messages('info')).toEqual(['The push service takes our credential again; deliveries resume'])
  })
})

it('what is logged of a delivery shows neither its pushkey nor its message', async () => {
  work([{ kind: 'failed', reason: 'BadRequest' }])
  const { target, message } = await add({ message: { headers: {}, body: '{"secret":true}' } })
  await decided()
  const text = JSON.stringify(log.entries)
  expect(text).not.toContain(target.reveal())
  expect(text).not.toContain(JSON.stringify(message.body).slice(1, -1))
})

it('what goes out after a reload to another push service is counted as of that one', async () => {
  const moved = { ...route, provider: 'another' }
  metrics.configured({ routes: [route, moved], hash: '', highWater: 0 }, clock.ms)
  const sender: Sender = { send: async () => DELIVERED, check: async () => ({ ok: true }), close: async () => {} }
  let now = { route, sender }
  worker = new Worker(route, () => now, 10, parts)
  await add()
  await until('the first is delivered', () => dispositions.length === 1)
  now = { route: moved, sender }
  await add()
  await until('the second is delivered', () => dispositions.length === 2)
  const { text } = await metrics.expose()
  const delivered = (provider: string) =>
    metricValue(text, 'hushgate_outcomes_total', { app: route.app, provider, outcome: 'delivered' })
  expect([delivered('made-up'), delivered('another')]).toEqual([1, 1])
})
