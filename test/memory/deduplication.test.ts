/** One push per event and device, and only the latest of what replaces each other. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { Deduplication, rememberedOf } from '../../src/memory/deduplication.ts'
import { remember } from '../../src/store/accept-in-steps.ts'
import type { HandedOut } from '../../src/store/contract.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { instead, never } from '../helpers/instead.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const DAY_MS = 24 * 3600_000
const DEVICE = { route: 'com.example.app', deviceHash: 'device' }

const clock = new Clock()
let store: TestStore
let deduplication: Deduplication
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
  deduplication = store.deduplication
})
afterAll(() => store[Symbol.asyncDispose]())

/** Other ones for each test. */
let event: string
let latest: string
beforeEach(() => {
  ;[event, latest] = [`event-${randomUUID()}`, `latest-${randomUUID()}`]
})

const rememberStored = (delivery: Delivery, order: number): Promise<boolean> =>
  remember(store.memory, { delivery, unless: [], ...rememberedOf(delivery) }, order)

let lastOrder = 0
/** As the intake does it; `handedOut` is what a worker gets later. */
async function stored(more: Partial<Delivery>): Promise<HandedOut> {
  const handedOut = { delivery: createDelivery({ ...DEVICE, ...more }), attempt: 1, order: (lastOrder += 1) }
  await rememberStored(handedOut.delivery, handedOut.order)
  return handedOut
}

describe('an event', () => {
  it('is known once a delivery of it was stored', async () => {
    expect(await deduplication.isKnown(DEVICE, event)).toBe(false)
    await stored({ deduplicationKey: event })
    expect(await deduplication.isKnown(DEVICE, event)).toBe(true)
  })

  it('is forgotten after a day, as long as homeservers repeat it', async () => {
    await stored({ deduplicationKey: event })
    clock.pass(DAY_MS - 1)
    expect(await deduplication.isKnown(DEVICE, event)).toBe(true)
    clock.pass(1)
    expect(await deduplication.isKnown(DEVICE, event)).toBe(false)
  })

  it('that was stored twice at once is sent by the first delivery alone, however often that is handed out', async () => {
    const [first, second] = [await stored({ deduplicationKey: event }), await stored({ deduplicationKey: event })]
    for (let times = 0; times < 2; times += 1) {
      expect(await deduplication.claim(second)).toBe('duplicate')
      expect(await deduplication.claim(first)).toBeUndefined()
    }
  })

  it('whose memory was lost between storing and sending is claimed by the one that is handed out first', async () => {
    const [first, second] = [
      createDelivery({ ...DEVICE, deduplicationKey: event }),
      createDelivery({ ...DEVICE, deduplicationKey: event }),
    ]
    expect(await deduplication.claim({ delivery: second, attempt: 1, order: 2 })).toBeUndefined()
    expect(await deduplication.claim({ delivery: first, attempt: 1, order: 1 })).toBe('duplicate')
  })
})

it('what may come twice on purpose is never a duplicate', async () => {
  const [first, second] = [await stored({}), await stored({})]
  expect([await deduplication.claim(first), await deduplication.claim(second)]).toEqual([undefined, undefined])
})

describe('of what was just stored, and comes from memory', () => {
  let unasked: Deduplication
  beforeEach(() => {
    unasked = new Deduplication(instead(store.memory, { get: never, setIfAbsent: never }))
  })

  it('the event is its own: the memory is not asked', async () => {
    const delivery = createDelivery({ ...DEVICE, deduplicationKey: event })
    expect(await unasked.claim({ delivery, attempt: 1, order: 1, fresh: { latestOrder: undefined } })).toBeUndefined()
  })

  it.each([
    ['counts', 'superseded'],
    ['event', 'coalesced'],
  ] as const)('%s that is not the latest is %s, by the order that came with it', async (priority, why) => {
    const delivery = createDelivery({ ...DEVICE, priority, latestKey: latest })
    expect(await unasked.claim({ delivery, attempt: 1, order: 1, fresh: { latestOrder: 2 } })).toBe(why)
    expect(await unasked.claim({ delivery, attempt: 1, order: 2, fresh: { latestOrder: 2 } })).toBeUndefined()
  })
})

describe('of deliveries that replace each other', () => {
  it.each([
    ['a badge', 'counts', 'superseded'],
    ['a wake-up', 'event', 'coalesced'],
  ] as const)(
    '%s that is not the latest is not sent, in whatever order they are handed out',
    async (_what, priority, why) => {
      const older = await stored({ priority, latestKey: latest })
      const newer = await stored({ priority, latestKey: latest })
      expect(await deduplication.claim(newer)).toBeUndefined()
      expect(await deduplication.claim(older)).toBe(why)
      expect(await deduplication.claim(newer)).toBeUndefined()
    },
  )

  it('the latest is the one that was stored last, not the one that was written down last', async () => {
    const [older, newer] = [
      createDelivery({ ...DEVICE, latestKey: latest }),
      createDelivery({ ...DEVICE, latestKey: latest }),
    ]
    await rememberStored(newer, 1_000_002)
    await rememberStored(older, 1_000_001)
    expect(await deduplication.claim({ delivery: newer, attempt: 1, order: 1_000_002 })).toBeUndefined()
    expect(await deduplication.claim({ delivery: older, attempt: 1, order: 1_000_001 })).toBe('coalesced')
  })

  it('one that outdates another makes it pointless without being of its kind', async () => {
    const badge = await stored({ priority: 'counts', latestKey: latest })
    const told = await stored({ outdates: [latest] })
    expect(await deduplication.claim(badge)).toBe('superseded')
    expect(await deduplication.claim(told)).toBeUndefined()
  })

  it('a duplicate outdates nothing: it will not be sent, and what it would have replaced still must be', async () => {
    const first = await stored({ deduplicationKey: event, latestKey: latest })
    const duplicate = await stored({ deduplicationKey: event, latestKey: latest })
    expect(await deduplication.claim(duplicate)).toBe('duplicate')
    expect(await deduplication.claim(first)).toBeUndefined()
  })
})

describe('what is forgotten for a device', () => {
  it('is the event and the latest of each of its deliveries, so that they come anew', async () => {
    const known = await stored({ deduplicationKey: event, latestKey: latest })
    await stored({ latestKey: latest })
    await deduplication.forget(known.delivery)
    expect(await deduplication.isKnown(DEVICE, event)).toBe(false)
    expect(await deduplication.claim(known)).toBeUndefined()
  })

  it('is said to have been there, or not', async () => {
    expect(await deduplication.forgetLatest(DEVICE, latest)).toBe(false)
    await stored({ latestKey: latest })
    expect(await deduplication.forgetLatest(DEVICE, latest)).toBe(true)
    expect(await deduplication.forgetLatest(DEVICE, latest)).toBe(false)
  })
})
