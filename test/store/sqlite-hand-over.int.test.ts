/** What was just stored goes from memory to the sender; the database is the journal: read after a start, for what is due later, and for what memory has no room for. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { createKeyFile, Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { rememberedOf } from '../../src/memory/deduplication.ts'
import type { Disposition, NewDelivery, Store } from '../../src/store/contract.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createDeliveries, createDelivery } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, createGate, Received, until } from '../helpers/received.ts'

const ROUTE = 'com.example.app'
/** More than memory has room for. */
const PUSHES = 5000

let folder: string
let keyFile: string
let store: Store
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-hand-over-'))
  keyFile = join(folder, 'keys')
  await writeFile(keyFile, createKeyFile())
  store = await open()
})
afterEach(async () => {
  await store.close()
  await rm(folder, { recursive: true })
})

async function open(): Promise<Store> {
  const keyring = parseKeyFile(await readFile(keyFile, 'utf8'))
  if (!(keyring instanceof Keyring)) throw new Error('no keys')
  return openSqliteStore({ path: join(folder, 'hushgate.db'), keyring, nowMs: Date.now, onError: () => {} })
}

/** As the intake stores it. */
function asNew(delivery: Delivery): NewDelivery {
  const remembered = rememberedOf(delivery)
  const { claims } = remembered
  const tombstone = `dead:${delivery.deviceHash}`
  return { delivery, unless: claims === undefined ? [tombstone] : [tombstone, claims], ...remembered }
}

async function accept(...deliveries: Delivery[]): Promise<readonly number[]> {
  const accepted = await store.queue.accept(deliveries.map(asNew))
  return accepted.map((each) => ('order' in each ? each.order : -1))
}

const isEmpty = async () => {
  const { waiting, delayed, active } = await store.queue.depth(ROUTE)
  return waiting + delayed + active === 0
}

/** From now on the database has nothing that the consumer does not know of. */
async function consumeFromNowOn(received: Received, concurrency = 10): Promise<void> {
  store.queue.consume(ROUTE, concurrency, received.handler)
  const first = createDelivery()
  await accept(first)
  await received.atLeast(1)
  await until('the first is removed', isEmpty)
}

describe('what was just stored', () => {
  it('is handed out from memory; what was stored before a start is read', async () => {
    const received = new Received()
    const before = createDelivery()
    await accept(before)
    await store.close()
    store = await open()
    await consumeFromNowOn(received)
    const after = createDelivery()
    await accept(after)
    await until('all are handed out', () => received.all.length === 3)
    const isFresh = ({ id }: Delivery) => received.all.find(({ delivery }) => delivery.id === id)?.fresh !== undefined
    expect([isFresh(before), isFresh(after)]).toEqual([false, true])
  })

  it('does not pile up where it comes faster than it can be sent: acceptance waits for sending', async () => {
    const received = new Received()
    // No more than that many leave with one commit.
    await consumeFromNowOn(received, 5)
    let left = PUSHES
    const homeserver = async (): Promise<void> => {
      while (left > 0) {
        left -= 1
        await accept(createDelivery())
      }
    }
    await Promise.all(Array.from({ length: 50 }, homeserver))
    await until('all are removed', isEmpty)
    const [, ...others] = received.all
    expect([others.length, others.filter(({ fresh }) => fresh === undefined).length]).toEqual([PUSHES, 0])
  })

  it('is not lost when the process ends after the commit and before it was handed over', async () => {
    await store.close()
    const script = new URL('./sqlite-dying-child.ts', import.meta.url).pathname
    const child = spawn(process.execPath, [script, join(folder, 'hushgate.db'), keyFile], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let said = ''
    child.stdout.on('data', (chunk) => (said += String(chunk)))
    await once(child, 'close')
    const [word, id, ...others] = said.trim().split(/\s+/)
    expect([word, child.signalCode, others]).toEqual(['accepted', 'SIGKILL', []])
    store = await open()
    const received = new Received()
    store.queue.consume(ROUTE, 10, received.handler)
    await received.atLeast(1)
    await until('it is removed', isEmpty)
    expect(received.ids).toEqual([id])
  })

  it('after it was refused, as the time was over, is left to the database, and handed out once', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const received = new Received()
    const late = createDelivery()
    try {
      await consumeFromNowOn(received)
      const refused = accept(late).catch((error: unknown) => error)
      // Its turn is over and it is on its way to the disk; no answer can have come.
      await nextTurn()
      vi.advanceTimersByTime(900)
      expect(await refused).toBeInstanceOf(StoreUnavailableError)
      vi.advanceTimersByTime(5000)
    } finally {
      vi.useRealTimers()
    }
    await until('the late one is handed out', () => received.all.length >= 2)
    await until('it is removed', isEmpty)
    expect(received.ids.slice(1)).toEqual([late.id])
  })

  it('waits in the database while the gate is closed, and keeps its order when it opens', async () => {
    const received = new Received()
    const consumer = store.queue.consume(ROUTE, 1, received.handler)
    consumer.setGate('closed')
    const deliveries = createDeliveries(20)
    for (const each of deliveries.slice(0, 10)) await accept(each)
    // They are handed over when the homeservers have their answers.
    await nextTurn()
    consumer.setGate('open')
    for (const each of deliveries.slice(10)) await accept(each)
    await received.atLeast(20)
    const ids = deliveries.map(({ id }) => id)
    // Those that came after it opened do not wait for all that waited (sqlite-order.test.ts).
    for (const some of [ids.slice(0, 10), ids.slice(10)])
      expect(received.ids.filter((id) => some.includes(id))).toEqual(some)
  })

  it('is handed out in the order in which it was stored, also where memory has no room for all of it', async () => {
    const gate = createGate<Disposition>()
    const received = new Received(() => gate.passed)
    store.queue.consume(ROUTE, 1, received.handler)
    // About 10 MiB; memory keeps 2.
    const message = { headers: {}, body: 'x'.repeat(3000) }
    const orders: number[] = []
    for (let start = 0; start < 2500; start += 250)
      orders.push(...(await accept(...createDeliveries(250, { message }))))
    gate.open(ACKNOWLEDGE)
    await received.atLeast(2500)
    expect(received.all.map(({ order }) => order)).toEqual(orders)
    await until('all are removed', isEmpty)
  })

  it('is handed out before others if it is a call', async () => {
    const gate = createGate<Disposition>()
    const received = new Received(() => gate.passed)
    store.queue.consume(ROUTE, 1, received.handler)
    const [first, second, third] = [
      createDelivery(),
      createDelivery({ priority: 'counts' }),
      createDelivery({ priority: 'event' }),
    ]
    const call = createDelivery({ priority: 'call' })
    for (const each of [first, second, third, call]) await accept(each)
    gate.open(ACKNOWLEDGE)
    await received.atLeast(4)
    expect(received.ids).toEqual([first, call, third, second].map(({ id }) => id))
  })

  it('is handed out at its time and not before', async () => {
    const received = new Received()
    await consumeFromNowOn(received)
    const dueAtMs = Date.now() + 300
    await accept(createDelivery({ dueAtMs }))
    await received.atLeast(2)
    expect(Date.now()).toBeGreaterThanOrEqual(dueAtMs)
  })

  it('is not handed out any more once its device is forgotten', async () => {
    const gate = createGate<Disposition>()
    const received = new Received(() => gate.passed)
    store.queue.consume(ROUTE, 1, received.handler)
    const [first, forgotten, last] = createDeliveries(3)
    if (first === undefined || forgotten === undefined || last === undefined) throw new Error('three deliveries')
    await accept(first)
    await received.atLeast(1)
    await accept(forgotten)
    await store.queue.forget(ROUTE, forgotten.deviceHash)
    await accept(last)
    gate.open(ACKNOWLEDGE)
    await received.atLeast(2)
    await until('all are removed', isEmpty)
    expect(received.ids).toEqual([first.id, last.id])
  })

  it('is told of the latest that takes its place', async () => {
    const gate = createGate<Disposition>()
    let isStuck = false
    const received = new Received(() => (isStuck ? gate.passed : ACKNOWLEDGE))
    await consumeFromNowOn(received, 1)
    isStuck = true
    const badge = { priority: 'counts', latestKey: 'badge', deviceHash: 'device' } as const
    await accept(createDelivery())
    const [older = 0] = await accept(createDelivery(badge))
    const [newer = 0] = await accept(createDelivery(badge))
    gate.open(ACKNOWLEDGE)
    await received.atLeast(4)
    expect(received.all.slice(2).map(({ order, fresh }) => [order, fresh?.latestOrder])).toEqual([
      [older, newer],
      [newer, newer],
    ])
  })
})

describe('what the memory has an entry for', () => {
  it('is not stored, and what was found is said', async () => {
    const delivery = createDelivery({ deduplicationKey: 'event-1' })
    const other = createDelivery()
    await store.memory.set(other, `dead:${other.deviceHash}`, 'tombstone', 60_000)
    await accept(delivery)
    expect(
      await store.queue.accept([asNew({ ...delivery, id: 'again' }), asNew(other), asNew(createDelivery())]),
    ).toEqual([{ found: ['event:event-1'] }, { found: [`dead:${other.deviceHash}`] }, { order: expect.any(Number) }])
    expect(await store.queue.depth(ROUTE)).toMatchObject({ waiting: 2 })
  })

  it('is stored once of two that come at the same time', async () => {
    const twins = createDeliveries(2, { deduplicationKey: 'event-2' })
    const accepted = await Promise.all(twins.map((twin) => store.queue.accept([asNew(twin)])))
    expect(accepted.flat().filter((each) => 'order' in each)).toHaveLength(1)
    expect(await store.queue.depth(ROUTE)).toMatchObject({ waiting: 1 })
  })
})

it.each([
  ['nothing', undefined],
  ['nothing that is due', { dueAtMs: Date.now() + 3600_000 }],
])('while one is awaited as a probe and there is %s, the database is not read again and again', async (_what, more) => {
  const received = new Received()
  await consumeFromNowOn(received)
  await store.close()
  store = await open()
  if (more !== undefined) await accept(createDelivery(more))
  const consumer = store.queue.consume(ROUTE, 10, received.handler)
  consumer.setGate('one')
  await until('it has looked', async () => (await store.queue.depth(ROUTE)).active === 0)
  expect(await readsWithin(50)).toBeLessThan(5)
})

/** How often due deliveries are looked for while the database answers so many other questions, one after the other. */
async function readsWithin(questions: number): Promise<number> {
  const post = vi.spyOn(Worker.prototype, 'postMessage')
  for (let question = 0; question < questions; question += 1) await store.memory.get({ route: ROUTE }, 'nothing')
  const asked = post.mock.calls.flatMap(([message]) => (Array.isArray(message) ? message : []))
  post.mockRestore()
  return asked.filter(({ name }) => name === 'fetchDue').length
}
