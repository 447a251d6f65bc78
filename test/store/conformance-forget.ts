/** What every store must remove: what it holds for one device, and deliveries that have expired and are handed to nobody. */
import { describe, expect, it, vi } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { DEAD_LETTER_LIFETIME_MS, MAX_BATCH, OVERDUE_MS } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'

const ROUTE = 'com.example.app'
const DEVICE = 'device-to-forget'
const HOUR_MS = 3600_000

export function forgetConformance(bench: () => Bench): void {
  describe('forgetting a device', () => {
    it('removes what waits for it, in every state and priority, and nothing else', async () => {
      const { queue } = bench().store
      const { mine, others } = await storeInEveryState(bench())
      const removed = await queue.forget(ROUTE, DEVICE)
      expect(idsOf(removed.deliveries)).toEqual(idsOf([...mine.waiting, ...mine.delayed]))
      expect(idsOf(removed.deadLetters)).toEqual(idsOf(mine.dead))
      expect(removed.unreadable).toBe(0)
      expect(removed.deliveries[0]).toMatchObject({ deduplicationKey: 'event', latestKey: 'badge' })
      expect(await queue.forget(ROUTE, DEVICE)).toEqual({ deliveries: [], deadLetters: [], unreadable: 0 })
      await until('the depth is counted anew', async () => {
        const { waiting, delayed, dead } = await queue.depth(ROUTE)
        return waiting + delayed === others.waiting.length + others.delayed.length && dead === others.dead.length
      })
      expect((await queue.listDead({ route: ROUTE }, 10)).map(({ id }) => id).toSorted()).toEqual(idsOf(others.dead))

      await bench().reopen()
      const received = new Received()
      bench().store.queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(others.waiting.length + others.delayed.length)
      expect(received.ids.toSorted()).toEqual(idsOf([...others.waiting, ...others.delayed]))
    })

    it('leaves the others of a batch their content, order, attempt and expiry', async () => {
      const { queue } = bench().store
      const deliveries = createDeliveries(MAX_BATCH).map((delivery, index) => ({
        ...delivery,
        expiresAtMs: delivery.expiresAtMs + index,
        deviceHash: index % 3 === 0 ? DEVICE : index % 3 === 1 ? 'another' : delivery.deviceHash,
      }))
      const orders = await queue.add(deliveries)
      // One device alone, then two at once.
      expect((await queue.forget(ROUTE, DEVICE)).deliveries).toHaveLength(17)
      const [another, third] = await Promise.all([
        queue.forget(ROUTE, 'another'),
        queue.forget(ROUTE, deliveries[2]?.deviceHash ?? ''),
      ])
      expect([another.deliveries.length, third.deliveries.length]).toEqual([17, 1])
      const kept = deliveries.flatMap((delivery, index) =>
        index % 3 === 2 && index > 2 ? [{ delivery, attempt: 1, order: orders[index] }] : [],
      )
      let isFirst = true
      const received = new Received(() => {
        const disposition = isFirst ? ({ kind: 'requeue', atMs: 0 } as const) : ACKNOWLEDGE
        isFirst = false
        return disposition
      })
      queue.consume(ROUTE, MAX_BATCH, received.handler)
      await received.atLeast(kept.length + 1)
      expect(received.all.slice(0, kept.length)).toMatchObject(kept)
      expect(received.all.at(-1)).toMatchObject({ ...kept[0], attempt: 2 })
    })

    it('can be preceded by a look at what is there, which changes nothing', async () => {
      const { queue } = bench().store
      const { mine } = await storeInEveryState(bench())
      const held = await queue.search(ROUTE, DEVICE)
      expect(idsOf(held.deliveries)).toEqual(idsOf([...mine.waiting, ...mine.delayed]))
      expect(idsOf(held.deadLetters)).toEqual(idsOf(mine.dead))
      expect(await queue.search(ROUTE, DEVICE.slice(0, 9))).toEqual(held)
      expect((await queue.search(ROUTE, `${DEVICE}x`)).deliveries).toEqual([])
      expect((await queue.search('another route', DEVICE)).deliveries).toEqual([])
    })

    it.each([1, 7, MAX_BATCH])('opens only what may be for it, where %s are stored at once', async (count) => {
      const { keyring } = bench().options
      const { queue } = bench().store
      const [mine, deadMine] = [createDelivery({ deviceHash: 'wanted' }), createDelivery({ deviceHash: 'wanted' })]
      await queue.add([...createDeliveries(5), deadMine])
      const consumer = queue.consume(ROUTE, 10, async () => ({ kind: 'dead-letter', reason: 'Gone' }))
      await until('all are dead', async () => (await queue.depth(ROUTE)).dead === 6)
      await consumer.stop(0)
      for (let job = 0; job < 5; job += 1) await queue.add(createDeliveries(count, { deviceHash: `other-${job}` }))
      await queue.add([...createDeliveries(count - 1), mine])
      const open = vi.spyOn(keyring, 'open')
      const held = await queue.search(ROUTE, 'wanted')
      expect(idsOf([...held.deliveries, ...held.deadLetters])).toEqual(idsOf([mine, deadMine]))
      expect(open).toHaveBeenCalledTimes(2)
      open.mockRestore()
    })

    it('counts what cannot be opened, and keeps it', async () => {
      await storeInEveryState(bench())
      await bench().store.close()
      bench().store = await bench().data.open({ ...bench().options, keyring: createKeyring() })
      const removed = await bench().store.queue.forget(ROUTE, DEVICE)
      expect(removed).toMatchObject({ deliveries: [], deadLetters: [] })
      expect(removed.unreadable).toBe(14)
    })

    it('loses nothing of others that are handed out meanwhile', async () => {
      const { queue } = bench().store
      const deliveries = Array.from({ length: 20 }, () => [
        ...createDeliveries(5),
        ...createDeliveries(2, { deviceHash: DEVICE }),
      ])
      for (const some of deliveries) await queue.add(some)
      const others = deliveries.flat().filter(({ deviceHash }) => deviceHash !== DEVICE)
      const received = new Received(({ attempt }) =>
        attempt === 1 ? { kind: 'requeue', atMs: Date.now() } : ACKNOWLEDGE,
      )
      queue.consume(ROUTE, 10, received.handler)
      for (let count = 1; count <= 10; count += 1) {
        await queue.forget(ROUTE, DEVICE)
        await received.atLeast(count * 10)
      }
      await until('nothing is left', async () => {
        const { waiting, delayed, active } = await queue.depth(ROUTE)
        return waiting + delayed + active === 0
      })
      const seconds = received.all.filter(({ attempt }) => attempt === 2).map(({ delivery }) => delivery)
      expect(idsOf(seconds.filter(({ deviceHash }) => deviceHash !== DEVICE))).toEqual(idsOf(others))
    })
  })

  describe('a delivery that is handed to nobody', () => {
    it.each([
      ['is not configured any more', false],
      ['is blocked', true],
    ])('goes when it has expired, if its route %s: an event becomes a dead letter', async (_, isConsumed) => {
      const [event, later] = createDeliveries(2)
      if (event === undefined || later === undefined) throw new Error('two deliveries')
      await bench().store.queue.add([event])
      await bench().store.queue.add([createDelivery({ priority: 'counts' })])
      await bench().store.queue.add([createDelivery({ priority: 'call' })])
      await bench().store.queue.add([{ ...later, expiresAtMs: later.expiresAtMs + HOUR_MS }])
      bench().letPass(HOUR_MS + OVERDUE_MS + 1000)
      await bench().reopen()
      const { queue } = bench().store
      if (isConsumed) queue.consume(ROUTE, 10, new Received().handler).setGate('closed')
      await until('it is gone', async () => {
        const { waiting, dead } = await queue.depth(ROUTE)
        return waiting === 1 && dead === 1
      })
      const [deadLetter] = await queue.listDead({}, 10)
      expect(deadLetter).toMatchObject({ id: event.id, route: ROUTE, reason: 'expired', attempts: 1 })

      bench().letPass(DEAD_LETTER_LIFETIME_MS)
      await bench().reopen()
      await until('the other is a dead letter', async () => {
        const { waiting, dead } = await bench().store.queue.depth(ROUTE)
        return waiting === 0 && dead === 1
      })
      expect((await bench().store.queue.listDead({}, 10)).map(({ id }) => id)).toEqual([later.id])
    })

    it('becomes a dead letter unread when its key is missing', async () => {
      await bench().store.queue.add(createDeliveries(2))
      bench().letPass(HOUR_MS + OVERDUE_MS + 1000)
      await bench().store.close()
      bench().store = await bench().data.open({ ...bench().options, keyring: createKeyring() })
      const { queue } = bench().store
      await until('it is a dead letter', async () => (await queue.depth(ROUTE)).waiting === 0)
      const reasons = (await queue.listDead({}, 10)).map(({ reason }) => reason)
      expect(new Set(reasons)).toEqual(new Set(['unreadable']))
    })
  })
}

type Kept = Readonly<Record<'waiting' | 'delayed' | 'dead', readonly Delivery[]>>

/** Of the device and of others: some that wait, one that is delayed, and one dead letter; those of the device are stored together with the others. */
async function storeInEveryState({ store: { queue } }: Bench): Promise<{ mine: Kept; others: Kept }> {
  const keys = { deviceHash: DEVICE, deduplicationKey: 'event', latestKey: 'badge' }
  const pair = (): readonly [Delivery, Delivery] => [createDelivery(keys), createDelivery()]
  const [delayed, dead] = [pair(), pair()]
  const received = new Received(({ delivery }) =>
    delayed.some(({ id }) => id === delivery.id)
      ? { kind: 'requeue', atMs: Date.now() + 4000 }
      : { kind: 'dead-letter', reason: 'gone' },
  )
  await queue.add([...delayed, ...dead])
  const consumer = queue.consume(ROUTE, 10, received.handler)
  await received.atLeast(4)
  await consumer.stop(10_000)
  const waiting = (['call', 'event', 'counts'] as const).map(
    (priority) => [createDelivery({ ...keys, priority }), createDelivery({ priority })] as const,
  )
  for (const both of waiting) await queue.add(both)
  // A job of the device alone, and four of others.
  const alone = [createDelivery(keys), ...createDeliveries(3)] as const
  for (const delivery of alone) await queue.add([delivery])
  return {
    mine: { waiting: [...waiting.map(([one]) => one), alone[0]], delayed: [delayed[0]], dead: [dead[0]] },
    others: { waiting: [...waiting.map(([, one]) => one), ...alone.slice(1)], delayed: [delayed[1]], dead: [dead[1]] },
  }
}

function idsOf(deliveries: readonly Delivery[]): string[] {
  return deliveries.map(({ id }) => id).toSorted()
}
