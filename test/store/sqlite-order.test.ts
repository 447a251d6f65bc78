/** Whose turn it is when a slot is free: what was just stored and waits in memory, or what is due in the database. */
import { randomUUID } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { rememberedOf } from '../../src/memory/deduplication.ts'
import type { Consumer, Disposition } from '../../src/store/contract.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

let store: TestStore
beforeAll(async () => (store = await openTestStore(Date.now)))
afterAll(() => store[Symbol.asyncDispose]())

function untilEmpty(route: string): Promise<void> {
  return until('all are removed', async () => {
    const { waiting, delayed, active } = await store.queue.depth(route)
    return waiting + delayed + active === 0
  })
}

/** A route whose deliveries end when the test says so. */
class Bench {
  readonly route = randomUUID()
  readonly received = new Received(() => new Promise((resolve) => this.#ends.push(resolve)))
  readonly consumer: Consumer
  readonly #ends: ((disposition: Disposition) => void)[] = []

  constructor(concurrency: number) {
    this.consumer = store.queue.consume(this.route, concurrency, this.received.handler)
  }

  create(count: number, overrides: Partial<Delivery> = {}): Delivery[] {
    return Array.from({ length: count }, () => createDelivery({ route: this.route, ...overrides }))
  }

  async accept(...deliveries: readonly Delivery[]): Promise<void> {
    await store.queue.accept(deliveries.map((delivery) => ({ delivery, unless: [], ...rememberedOf(delivery) })))
  }

  /** In the database, and the first of them are in flight. */
  async leaveToDatabase(inFlight: number, ...deliveries: readonly Delivery[]): Promise<void> {
    this.consumer.setGate('closed')
    await this.accept(...deliveries)
    // They are handed over when the homeservers have their answers.
    await nextTurn()
    this.consumer.setGate('open')
    await this.received.atLeast(inFlight)
  }

  /** The database has been read and is empty; then the only slot is taken. */
  async fillFromMemory(): Promise<void> {
    await this.accept(...this.create(1))
    await this.received.atLeast(1)
    this.#ends[0]?.(ACKNOWLEDGE)
    await untilEmpty(this.route)
    await this.accept(...this.create(1))
    await this.received.atLeast(2)
  }

  /** Ends the one that was handed out as number `index`; resolves with the next one. */
  async end(index: number, disposition = ACKNOWLEDGE): Promise<string | undefined> {
    const count = this.received.all.length
    this.#ends[index]?.(disposition)
    await this.received.atLeast(count + 1)
    return this.received.ids[count]
  }
}

/** Of these more than memory has room for. */
const TOO_MANY = 1000
const message = { headers: {}, body: 'x'.repeat(3000) }

describe('a free slot is given', () => {
  it('to a call, however much waits in memory and in the database', async () => {
    const bench = new Bench(1)
    await bench.fillFromMemory()
    await bench.accept(...bench.create(TOO_MANY, { message }))
    const calls = bench.create(2, { priority: 'call' })
    await bench.accept(...calls)
    expect([await bench.end(1), await bench.end(2)]).toEqual(calls.map(({ id }) => id))
  })

  it('to what was just stored until it has half of them, and to the oldest that waits otherwise', async () => {
    const bench = new Bench(4)
    const waiting = bench.create(20)
    await bench.leaveToDatabase(4, ...waiting)
    const fresh = bench.create(20)
    await bench.accept(...fresh)
    const next = [await bench.end(0), await bench.end(1), await bench.end(2), await bench.end(3), await bench.end(4)]
    // Four that waited are in flight; two of them give way, then each is followed by one of its kind.
    const expected = [fresh[0], fresh[1], waiting[4], waiting[5], fresh[2]]
    expect(next).toEqual(expected.map((delivery) => delivery?.id))
  })

  it('to what is to be tried again, also while there is always something new', async () => {
    const bench = new Bench(2)
    const fresh = bench.create(200)
    await bench.accept(...fresh)
    await bench.received.atLeast(2)
    await bench.end(0, { kind: 'requeue', atMs: Date.now() })
    for (let index = 1; index < 100 && !bench.received.ids.slice(1).includes(fresh[0]?.id ?? ''); index += 1)
      await bench.end(index)
    expect(bench.received.ids.slice(1)).toContain(fresh[0]?.id)
  })

  it('in the order of storing where all waits in memory, or all in the database', async () => {
    const bench = new Bench(1)
    const waiting = bench.create(5)
    await bench.leaveToDatabase(1, ...waiting)
    for (let index = 0; index < 4; index += 1) await bench.end(index)
    const fresh = bench.create(5)
    await bench.accept(...fresh)
    for (let index = 4; index < 9; index += 1) await bench.end(index)
    expect(bench.received.ids).toEqual([...waiting, ...fresh].map(({ id }) => id))
  })

  it('to a newer badge before an older one, which is then not sent any more', async () => {
    const bench = new Bench(1)
    const badge = { priority: 'counts', latestKey: randomUUID(), deviceHash: randomUUID() } as const
    const [older] = bench.create(1, badge)
    const [newer] = bench.create(1, badge)
    if (older === undefined || newer === undefined) throw new Error('two badges')
    await bench.leaveToDatabase(1, ...bench.create(1), older)
    await bench.accept(newer)
    expect([await bench.end(0), await bench.end(1)]).toEqual([newer.id, older.id])
    const [, first, second] = bench.received.all
    if (first === undefined || second === undefined) throw new Error('both are handed out')
    expect([await store.deduplication.claim(first), await store.deduplication.claim(second)]).toEqual([
      undefined,
      'superseded',
    ])
  })
})

it('what was read of a device that is forgotten is not handed out any more', async () => {
  const bench = new Bench(1)
  const [first, forgotten, last] = bench.create(3)
  if (first === undefined || forgotten === undefined || last === undefined) throw new Error('three deliveries')
  await bench.leaveToDatabase(1, first, forgotten, last)
  await store.queue.forget(bench.route, forgotten.deviceHash)
  expect(await bench.end(0)).toBe(last.id)
})

it('what memory has no room for is handed out once, with all that comes meanwhile', async () => {
  const route = randomUUID()
  const received = new Received(() => ACKNOWLEDGE)
  store.queue.consume(route, 50, received.handler)
  const deliveries = Array.from({ length: 3 * TOO_MANY }, () => createDelivery({ route, message }))
  for (let start = 0; start < deliveries.length; start += 100)
    await store.queue.add(deliveries.slice(start, start + 100))
  await untilEmpty(route)
  expect(received.ids.toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted())
})
