/** What every store's queue must do: store and hand out deliveries, apply the four dispositions, count, and keep everything sealed. */
import { describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import type { Disposition } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery } from '../helpers/delivery.ts'
import { createGate, ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import { consumerConformance } from './conformance-consumer.ts'
import { deadLetterConformance } from './conformance-dead-letters.ts'
import type { Bench } from './conformance.ts'
import { otherRouteDelivers } from './other-route.ts'

const ROUTE = 'com.example.app'

export function queueConformance(bench: () => Bench): void {
  describe('adding and handing out', () => {
    it('hands out what was added, unchanged, at its first attempt', async () => {
      const { queue } = bench().store
      const sent = createDelivery({
        priority: 'call',
        pushkeyTs: 1_700_000_000,
        deduplicationKey: 'hash-of-event',
        latestKey: 'hash-of-device',
        probesDead: true,
        message: { headers: { 'apns-id': 'é' }, body: '{"aps":{"alert":"\\u0000 ☎️"}}' },
      })
      const plain = createDelivery()
      await queue.add([sent, plain])
      const received = new Received()
      queue.consume(ROUTE, 10, received.handler)
      const handed = await received.atLeast(2)
      for (const delivery of [sent, plain]) {
        const found = handed.find((one) => one.delivery.id === delivery.id)
        expect(found?.delivery).toEqual(delivery)
        expect(found?.delivery.target.reveal()).toBe(delivery.target.reveal())
        expect(found?.attempt).toBe(1)
      }
    })

    it('resolves with orders that grow, which are the ones handed out', async () => {
      const { queue } = bench().store
      const deliveries = createDeliveries(7)
      const orders = [
        ...(await queue.add(deliveries.slice(0, 2))),
        ...(await Promise.all([queue.add(deliveries.slice(2, 3)), queue.add(deliveries.slice(3, 5))])).flat(),
        ...(await queue.add(deliveries.slice(5))),
      ]
      expect(orders).toHaveLength(7)
      expect(orders).toEqual([...new Set(orders)].toSorted((a, b) => a - b))
      const received = new Received()
      queue.consume(ROUTE, 10, received.handler)
      const handed = await received.atLeast(7)
      expect(deliveries.map(({ id }) => handed.find((one) => one.delivery.id === id)?.order)).toEqual(orders)
    })

    it('goes on growing after a restart of an empty store', async () => {
      const [before = 0] = await bench().store.queue.add([createDelivery()])
      const received = new Received()
      bench().store.queue.consume(ROUTE, 1, received.handler)
      await received.atLeast(1)
      await until('it is empty', async () => (await bench().store.queue.depth(ROUTE)).active === 0)
      await bench().reopen()
      const [after = 0] = await bench().store.queue.add([createDelivery()])
      expect(after).toBeGreaterThan(before)
    })

    it('accepts an empty list, and deliveries of several routes and priorities at once', async () => {
      const { queue } = bench().store
      expect(await queue.add([])).toEqual([])
      const deliveries = ['a', 'b', 'a'].flatMap((route) =>
        (['counts', 'event', 'call'] as const).map((priority) => createDelivery({ route, priority })),
      )
      expect(await queue.add(deliveries)).toHaveLength(9)
      const received = new Received()
      queue.consume('b', 10, received.handler)
      await received.atLeast(3)
      expect(new Set(received.all.map(({ delivery }) => delivery.route))).toEqual(new Set(['b']))
      expect((await queue.depth('a')).waiting).toBe(6)
    })

    it('refuses what requires a key of the memory that has no entry, and stores what is beside it', async () => {
      const { queue, memory } = bench().store
      const deliveries = createDeliveries(3)
      const [known = createDelivery(), stranger = known, plain = known] = deliveries
      await memory.set(known, 'known:a', '1', 60_000)
      await memory.set(stranger, 'event:b', '1', 60_000)
      const common = { unless: ['event:b'], claims: undefined, raises: [], lifetimeMs: 60_000 }
      const all = await queue.accept([
        { ...common, unless: [], delivery: known, requires: 'known:a' },
        { ...common, unless: [], delivery: stranger, requires: 'known:b' },
        { ...common, unless: [], delivery: plain },
        // What is there already is no news, whoever it is for.
        { ...common, delivery: stranger, requires: 'known:b' },
      ])
      expect(all).toEqual([
        { order: expect.any(Number) },
        { isRefused: true },
        { order: expect.any(Number) },
        { found: ['event:b'] },
      ])
      expect((await queue.depth(ROUTE)).waiting).toBe(2)
    })

    it('hands out what is added while it runs', async () => {
      const { queue } = bench().store
      const received = new Received()
      queue.consume(ROUTE, 10, received.handler)
      for (let count = 1; count <= 5; count += 1) {
        await queue.add([createDelivery()])
        await received.atLeast(count)
      }
      expect(new Set(received.ids).size).toBe(5)
    })

    it('hands out calls first, then events, then badge updates, each in the order of adding', async () => {
      const { queue } = bench().store
      const deliveries = (['counts', 'event', 'call', 'counts', 'event', 'call'] as const).map((priority) =>
        createDelivery({ priority }),
      )
      for (const delivery of deliveries) await queue.add([delivery])
      const received = new Received()
      queue.consume(ROUTE, 1, received.handler)
      await received.atLeast(6)
      expect(received.ids).toEqual([2, 5, 1, 4, 0, 3].map((index) => deliveries[index]?.id))
    })

    it('never has more deliveries in flight than it may', async () => {
      const { queue } = bench().store
      await queue.add(createDeliveries(20))
      await queue.add(createDeliveries(20))
      const received = new Received(async () => {
        await new Promise((resolve) => setTimeout(resolve, 1))
        return ACKNOWLEDGE
      })
      queue.consume(ROUTE, 3, received.handler)
      await received.atLeast(40)
      expect(received.mostInFlight).toBeLessThanOrEqual(3)
      expect(new Set(received.ids).size).toBe(40)
    })

    it('hands out one route while the handlers of another take long', async () => {
      const { queue } = bench().store
      const stuck = createGate<Disposition>()
      const slow = new Received(() => stuck.passed)
      const quick = new Received()
      await queue.add(createDeliveries(5, { route: 'slow' }))
      queue.consume('slow', 2, slow.handler)
      await slow.atLeast(2)
      queue.consume('quick', 2, quick.handler)
      await queue.add(createDeliveries(20, { route: 'quick' }))
      await quick.atLeast(20)
      expect(slow.all).toHaveLength(2)
      stuck.open(ACKNOWLEDGE)
    })

    it('hands out a delivery with a time of its own not before that time, in the order of the times, and others before it', async () => {
      const { queue } = bench().store
      const times = new Map<string, number>()
      const received = new Received(({ delivery }) => {
        times.set(delivery.id, Date.now())
        return ACKNOWLEDGE
      })
      const consumer = queue.consume(ROUTE, 10, received.handler)
      consumer.setGate('closed')
      const nowMs = Date.now()
      const [last, first, middle] = [900, 500, 700].map((afterMs) => createDelivery({ dueAtMs: nowMs + afterMs }))
      const atOnce = createDelivery()
      const all = [last, first, atOnce, middle].filter((delivery) => delivery !== undefined)
      const orders = await queue.add(all)
      consumer.setGate('open')
      await received.atLeast(4)
      expect(received.ids).toEqual([atOnce, first, middle, last].map((delivery) => delivery?.id))
      expect(all.filter(({ id, dueAtMs = nowMs }) => (times.get(id) ?? 0) < dueAtMs)).toEqual([])
      expect(all.map(({ id }) => received.all.find((one) => one.delivery.id === id)?.order)).toEqual(orders)
      expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 1, 1, 1])
    })

    it('hands out what has expired, too: the worker decides what becomes of it', async () => {
      const { queue } = bench().store
      const expired = createDelivery({ expiresAtMs: Date.now() - 1000 })
      await queue.add([expired])
      const received = new Received()
      queue.consume(ROUTE, 1, received.handler)
      await received.atLeast(1)
      expect(received.all[0]?.delivery.expiresAtMs).toBe(expired.expiresAtMs)
    })
  })

  describe('a delivery', () => {
    it('is not handed out again when it is acknowledged, not even after a restart', async () => {
      await bench().store.queue.add(createDeliveries(3))
      const received = new Received()
      bench().store.queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(3)
      await until('nothing is left', async () => isEmpty(await bench().store.queue.depth(ROUTE)))
      await bench().reopen()
      const again = new Received()
      bench().store.queue.consume(ROUTE, 10, again.handler)
      await otherRouteDelivers(bench())
      expect(again.all).toEqual([])
    })

    it('is handed out again when it is requeued: at its time and not before, one attempt older', async () => {
      const { queue } = bench().store
      const times: number[] = []
      const received = new Received(({ attempt }) => {
        times.push(Date.now())
        return attempt < 3 ? { kind: 'requeue', atMs: Date.now() + 300 } : ACKNOWLEDGE
      })
      const [order] = await queue.add([createDelivery()])
      queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(3)
      expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 2, 3])
      expect(received.all.map((one) => one.order)).toEqual([order, order, order])
      const gaps = times.slice(1).map((time, index) => time - (times[index] ?? 0))
      for (const gap of gaps) {
        expect(gap).toBeGreaterThanOrEqual(299)
        // Not only when a store looks by itself (every 5 s on SQLite).
        expect(gap).toBeLessThan(4500)
      }
    })

    it('lets others overtake it while it waits for its time', async () => {
      const { queue } = bench().store
      const [waits, passes] = createDeliveries(2)
      if (waits === undefined || passes === undefined) throw new Error('two deliveries')
      const received = new Received(({ delivery }) =>
        delivery.id === waits.id ? { kind: 'requeue', atMs: Date.now() + 3600_000 } : ACKNOWLEDGE,
      )
      await queue.add([waits])
      queue.consume(ROUTE, 1, received.handler)
      await received.atLeast(1)
      await queue.add([passes])
      await received.atLeast(2)
      expect(received.ids).toEqual([waits.id, passes.id])
      await until('one is delayed', async () => (await queue.depth(ROUTE)).delayed === 1)
    })

    it('keeps its attempt when it is held, and is handed out again when the gate opens', async () => {
      const { queue } = bench().store
      let isBlocked = true
      const received = new Received(({ attempt, delivery }) => {
        if (!isBlocked) return ACKNOWLEDGE
        if (attempt === 1 && delivery.priority === 'counts') return { kind: 'requeue', atMs: 0 }
        consumer.setGate('closed')
        return { kind: 'hold' }
      })
      await queue.add([createDelivery({ priority: 'counts' })])
      const consumer = queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(2)
      await otherRouteDelivers(bench())
      expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 2])
      isBlocked = false
      consumer.setGate('open')
      await received.atLeast(3)
      expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 2, 2])
    })

    it('ends exactly once, acknowledged or as a dead letter: 1,000 deliveries with dispositions by chance', async () => {
      const { queue } = bench().store
      const ended = new Map<string, string>()
      const attempts = new Map<string, number>()
      const wrong: string[] = []
      const received = new Received(async (handed) => {
        const { id } = handed.delivery
        const attempt = attempts.get(id) ?? 1
        if (handed.attempt !== attempt) wrong.push(`attempt ${handed.attempt} instead of ${attempt}`)
        if (ended.has(id)) wrong.push('handed out after its end')
        if (Math.random() < 0.5) await new Promise((resolve) => setTimeout(resolve, Math.random() * 5))
        const chance = Math.random()
        if (chance < 0.3) {
          attempts.set(id, attempt + 1)
          return { kind: 'requeue', atMs: Date.now() + Math.random() * 40 }
        }
        ended.set(id, chance < 0.4 ? 'dead' : 'acknowledged')
        return chance < 0.4 ? { kind: 'dead-letter', reason: 'chance' } : ACKNOWLEDGE
      })
      const deliveries = createDeliveries(1000)
      queue.consume(ROUTE, 50, received.handler)
      for (let start = 0; start < 1000; start += 40) await queue.add(deliveries.slice(start, start + 40))
      await until('all have ended', async () => ended.size === 1000 && isEmpty(await queue.depth(ROUTE)))
      expect(wrong).toEqual([])
      const dead = [...ended].filter(([, end]) => end === 'dead').map(([id]) => id)
      const deadLetters = await queue.listDead({ route: ROUTE }, 2000)
      expect(deadLetters.map(({ id }) => id).toSorted()).toEqual(dead.toSorted())
    })
  })

  consumerConformance(bench)
  deadLetterConformance(bench)

  describe('depth', () => {
    it('counts a delivery that is not due yet as delayed and without an age, and what is due as overdue since then', async () => {
      const { queue } = bench().store
      const acceptedAtMs = Date.now() - 90_000
      await queue.add([createDelivery({ acceptedAtMs, dueAtMs: Date.now() + 3600_000 })])
      expect(await queue.depth(ROUTE)).toMatchObject({ waiting: 0, delayed: 1, oldestAgeMs: 0, overdueMs: 0 })
      await queue.add([createDelivery({ route: 'due', acceptedAtMs, dueAtMs: Date.now() - 5000 })])
      await until('it waits', async () => (await queue.depth('due')).waiting === 1)
      const { oldestAgeMs, overdueMs } = await queue.depth('due')
      expect(overdueMs).toBeGreaterThanOrEqual(5000)
      expect(overdueMs).toBeLessThan(60_000)
      expect(oldestAgeMs).toBeGreaterThanOrEqual(90_000)
    })

    it('counts what waits, is delayed, is in flight and is a dead letter, for each route', async () => {
      const { queue } = bench().store
      const never = createGate<Disposition>()
      const dispositions: Disposition[] = [
        { kind: 'requeue', atMs: Date.now() + 3600_000 },
        { kind: 'dead-letter', reason: 'gone' },
      ]
      const received = new Received(() => dispositions.shift() ?? never.passed)
      // One by one: a store may apply together the dispositions of what was stored together.
      for (const delivery of createDeliveries(7)) await queue.add([delivery])
      await queue.add([createDelivery({ route: 'other' })])
      const consumer = queue.consume(ROUTE, 3, received.handler)
      await received.atLeast(5)
      await until('the dispositions are applied', async () => (await queue.depth(ROUTE)).dead === 1)
      expect(await queue.depth(ROUTE)).toMatchObject({ waiting: 2, delayed: 1, active: 3, dead: 1 })
      expect(await queue.depth('other')).toMatchObject({ waiting: 1, delayed: 0, active: 0, dead: 0 })
      expect(await queue.depth('never')).toEqual({
        waiting: 0,
        delayed: 0,
        active: 0,
        dead: 0,
        oldestAgeMs: 0,
        overdueMs: 0,
      })
      consumer.setGate('closed')
      never.open(ACKNOWLEDGE)
    })

    it('counts the age from acceptance while a delivery is under way and while it waits to be tried again, and how overdue it is anew', async () => {
      const { queue } = bench().store
      const answer = createGate<Disposition>()
      const received = new Received(() => answer.passed)
      const consumer = queue.consume(ROUTE, 1, received.handler)
      await queue.add([createDelivery({ acceptedAtMs: Date.now() - 90_000 })])
      await received.atLeast(1)
      await until('it is under way', async () => (await queue.depth(ROUTE)).active === 1)
      const underWay = await queue.depth(ROUTE)
      expect(underWay.oldestAgeMs).toBeGreaterThanOrEqual(90_000)
      expect(underWay.overdueMs).toBe(0)
      answer.open({ kind: 'requeue', atMs: Date.now() + 3600_000 })
      await until('it waits to be tried again', async () => (await queue.depth(ROUTE)).delayed === 1)
      const tried = await queue.depth(ROUTE)
      expect(tried.oldestAgeMs).toBeGreaterThanOrEqual(90_000)
      expect(tried.oldestAgeMs).toBeLessThan(120_000)
      expect(tried.overdueMs).toBe(0)
      await consumer.stop(0)
    })

    it('says the age of the oldest that could be handed out', async () => {
      const { queue } = bench().store
      await queue.add([createDelivery({ acceptedAtMs: Date.now() - 5000 })])
      await queue.add([createDelivery({ acceptedAtMs: Date.now() - 90_000, priority: 'counts' })])
      await queue.add([createDelivery({ priority: 'call' })])
      const { oldestAgeMs } = await queue.depth(ROUTE)
      expect(oldestAgeMs).toBeGreaterThanOrEqual(90_000)
      expect(oldestAgeMs).toBeLessThan(100_000)
    })
  })

  describe('privacy', () => {
    it('keeps nothing of a delivery readable: not while it waits or is delayed, nor as a dead letter', async () => {
      const { queue } = bench().store
      const canaries = {
        pushkey: 'CanaryPushkey0123456789',
        body: 'CanaryBody0123456789',
        header: 'CanaryHeader0123456789',
      }
      const delivery = (): Parameters<typeof createDelivery>[0] => ({
        target: new Secret(canaries.pushkey),
        message: { headers: { topic: canaries.header }, body: JSON.stringify({ app_id: 'x', text: canaries.body }) },
        deviceHash: 'CanaryDevice0123456789',
        deduplicationKey: 'CanaryDedup0123456789',
        latestKey: 'CanaryLatest0123456789',
      })
      const dispositions: Disposition[] = [
        { kind: 'requeue', atMs: Date.now() + 3600_000 },
        { kind: 'dead-letter', reason: 'gone' },
      ]
      const never = createGate<Disposition>()
      const received = new Received(() => dispositions.shift() ?? never.passed)
      await queue.add(createDeliveries(4, delivery()))
      const consumer = queue.consume(ROUTE, 1, received.handler)
      await received.atLeast(3)
      consumer.setGate('closed')
      const bytes = await bench().data.bytes()
      expect(bytes.length).toBeGreaterThan(1000)
      const names = [
        ...Object.values(canaries),
        'CanaryDevice0123456789',
        'CanaryDedup0123456789',
        'CanaryLatest0123456789',
      ]
      expect(names.filter((name) => isReadable(bytes, name))).toEqual([])
      never.open(ACKNOWLEDGE)
    })
  })
}

function isEmpty(depth: { waiting: number; delayed: number; active: number }): boolean {
  return depth.waiting + depth.delayed + depth.active === 0
}

/** In clear, as hex, and as base64 at any of its three alignments. */
function isReadable(bytes: Buffer, name: string): boolean {
  const base64 = ['', '\0', '\0\0'].map((shift) => Buffer.from(shift + name).toString('base64'))
  const forms = [name, Buffer.from(name).toString('hex'), Buffer.from(name).toString('hex').toUpperCase()]
  // The first and last characters of base64 depend on what stands beside it.
  return [...forms, ...base64.map((form) => form.slice(4, -4))].some((form) => bytes.includes(form))
}
