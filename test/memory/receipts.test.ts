/** What is kept of the last push to each device. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import { Receipts } from '../../src/memory/receipts.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { Received } from '../helpers/received.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const HOUR_MS = 3600_000
const DELIVERED: Outcome = { kind: 'delivered', serviceId: 'its-name' }

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let delivery: Delivery
beforeEach(() => {
  const deviceHash = store.identities.device({ appId: 'app', target: randomUUID() })
  delivery = createDelivery({ route: randomUUID(), deviceHash, acceptedAtMs: clock.ms })
})

/** As the worker does it. */
async function attempted(outcome: Outcome, of = delivery): Promise<void> {
  await store.queue.add([of])
  const received = new Received(() => ({ kind: 'acknowledge', note: store.receipts.noteOf(of, 1, outcome) }))
  const consumer = store.queue.consume(of.route, 1, received.handler)
  await received.atLeast(1)
  await consumer.stop(60_000)
}

describe('a receipt', () => {
  it('says what became of the last push, and only of that', async () => {
    await attempted({ kind: 'failed', reason: 'PayloadTooLarge' })
    clock.pass(5 * 60_000)
    await attempted(DELIVERED, { ...delivery, id: randomUUID() })
    const receipt = await store.receipts.find(delivery)
    expect(receipt).toMatchObject({ result: 'delivered', word: 'its-name', attempt: 1 })
    expect(receipt?.attemptedAtMs).toBe(Math.floor(clock.ms / 60_000) * 60_000)
    expect(receipt && store.receipts.isOf(receipt, delivery.route)).toBe(true)
    expect(receipt && store.receipts.isOf(receipt, 'another')).toBe(false)
  })

  it('is there on the next day, and gone a day after it was written, at a full hour', async () => {
    await attempted(DELIVERED)
    clock.pass(22 * HOUR_MS)
    expect(await store.receipts.find(delivery)).toBeDefined()
    clock.pass(2 * HOUR_MS)
    expect(await store.receipts.find(delivery)).toBeUndefined()
    expect(store.receipts.noteOf(delivery, 1, DELIVERED)?.expiresAtMs ?? 1).toSatisfy(
      (ms: number) => ms % HOUR_MS === 0,
    )
  })

  it('has another key each day, and none that is the hash of the device', () => {
    const keyOf = () => store.receipts.noteOf(delivery, 1, DELIVERED)?.key ?? ''
    const today = keyOf()
    clock.pass(24 * HOUR_MS)
    expect(keyOf()).not.toBe(today)
    expect(today).not.toContain(delivery.deviceHash)
  })

  it('is forgotten with its device', async () => {
    await attempted(DELIVERED)
    expect(await store.receipts.forget(delivery)).toBe(true)
    expect(await store.receipts.find(delivery)).toBeUndefined()
    expect(await store.receipts.forget(delivery)).toBe(false)
  })

  it('is not written where receipts are off', () => {
    const off = new Receipts({ ...store, nowMs: clock.nowMs, areKept: () => false })
    expect(off.noteOf(delivery, 1, DELIVERED)).toBeUndefined()
  })
})
