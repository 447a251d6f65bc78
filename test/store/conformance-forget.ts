/** What every store must let go of: what it holds for one device, and what nobody is handed once it has expired. */
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { DEAD_LETTER_LIFETIME_MS, MAX_BATCH, OVERDUE_MS } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'

const APP = 'com.example.app'
const DEVICE = 'device-to-forget'
const HOUR_MS = 3600_000

export function forgetConformance(bench: () => Bench): void {
  describe('forgetting a device', () => {
    it('removes what waits for it, in every state and priority, and nothing else', async () => {
      const { queue } = bench().store
      const { mine, others } = await storeInEveryState(bench())
      const removed = await queue.forget(APP, DEVICE)
      expect(idsOf(removed.deliveries)).toEqual(idsOf([...mine.waiting, ...mine.delayed]))
      expect(idsOf(removed.deadLetters)).toEqual(idsOf(mine.dead))
      expect(removed.unreadable).toBe(0)
      expect(removed.deliveries[0]).toMatchObject({ deduplicationKey: 'event', latestKey: 'badge' })
      expect(await queue.forget(APP, DEVICE)).toEqual({ deliveries: [], deadLetters: [], unreadable: 0 })
      await until('the depth is counted anew', async () => {
        const { waiting, delayed, dead } = await queue.depth(APP)
        return waiting + delayed === others.waiting.length + others.delayed.length && dead === others.dead.length
      })
      expect((await queue.listDead({ route: APP }, 10)).map(({ id }) => id).toSorted()).toEqual(idsOf(others.dead))

      await bench().reopen()
      const received = new Received()
      bench().store.queue.consume(APP, 10, received.handler)
      await received.atLeast(others.waiting.length + others.delayed.length)
      expect(received.ids.toSorted()).toEqual(idsOf([...others.waiting, ...others.delayed]))
    })

    it('leaves the same device of another route alone', async () => {
      const { queue } = bench().store
      await queue.add([createDelivery({ route: 'other', deviceHash: DEVICE })])
      expect(await queue.forget(APP, DEVICE)).toMatchObject({ deliveries: [], deadLetters: [] })
      expect((await queue.depth('other')).waiting).toBe(1)
    })

    it('leaves to the others of a batch their content, order, attempt and expiry', async () => {
      const { queue } = bench().store
      const deliveries = createDeliveries(MAX_BATCH).map((delivery, index) => ({
        ...delivery,
        expiresAtMs: delivery.expiresAtMs + index,
        deviceHash: index % 3 === 0 ? DEVICE : index % 3 === 1 ? 'another' : delivery.deviceHash,
      }))
      const orders = await queue.add(deliveries)
      // One after the other, and at once.
      expect((await queue.forget(APP, DEVICE)).deliveries).toHaveLength(17)
      const [another, third] = await Promise.all([
        queue.forget(APP, 'another'),
        queue.forget(APP, deliveries[2]?.deviceHash ?? ''),
      ])
      expect([another.deliveries.length, third.deliveries.length]).toEqual([17, 1])
      const kept = deliveries.flatMap((delivery, index) =>
        index % 3 === 2 && index > 2 ? [{ delivery, attempt: 1, order: orders[index] }] : [],
      )
      let isFirst = true
      const received = new Received(() => {
        const fate = isFirst ? ({ kind: 'requeue', atMs: 0 } as const) : ACKNOWLEDGE
        isFirst = false
        return fate
      })
      queue.consume(APP, MAX_BATCH, received.handler)
      await received.atLeast(kept.length + 1)
      expect(received.all.slice(0, kept.length)).toMatchObject(kept)
      expect(received.all.at(-1)).toMatchObject({ ...kept[0], attempt: 2 })
    })

    it('counts what cannot be opened, and leaves it', async () => {
      await storeInEveryState(bench())
      await bench().store.close()
      bench().store = await bench().data.open({ ...bench().options, keyring: createKeyring() })
      const removed = await bench().store.queue.forget(APP, DEVICE)
      expect(removed).toMatchObject({ deliveries: [], deadLetters: [] })
      expect(removed.unreadable).toBe(14)
    })

    it('loses nothing of others while they are handed out', async () => {
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
      queue.consume(APP, 10, received.handler)
      for (let count = 1; count <= 10; count += 1) {
        await queue.forget(APP, DEVICE)
        await received.atLeast(count * 10)
      }
      await until('nothing is left', async () => {
        const { waiting, delayed, active } = await queue.depth(APP)
        return waiting + delayed + active === 0
      })
      const seconds = received.all.filter(({ attempt }) => attempt === 2).map(({ delivery }) => delivery)
      expect(idsOf(seconds.filter(({ deviceHash }) => deviceHash !== DEVICE))).toEqual(idsOf(others))
    })
  })

  describe('what nobody is handed', () => {
    it.each([
      ['that is not configured any more', false],
      ['that is blocked', true],
    ])(
      'goes when it has expired, of a route %s: events as dead letters',
      { timeout: 30_000 },
      async (_, isConsumed) => {
        const [event, later] = createDeliveries(2)
        if (event === undefined || later === undefined) throw new Error('two deliveries')
        await bench().store.queue.add([event])
        await bench().store.queue.add([createDelivery({ priority: 'counts' })])
        await bench().store.queue.add([createDelivery({ priority: 'call' })])
        await bench().store.queue.add([{ ...later, expiresAtMs: later.expiresAtMs + HOUR_MS }])
        bench().letPass(HOUR_MS + OVERDUE_MS + 1000)
        await bench().reopen()
        const { queue } = bench().store
        if (isConsumed) queue.consume(APP, 10, new Received().handler).setGate('closed')
        await until('it is gone', async () => {
          const { waiting, dead } = await queue.depth(APP)
          return waiting === 1 && dead === 1
        })
        const [letter] = await queue.listDead({}, 10)
        expect(letter).toMatchObject({ id: event.id, route: APP, reason: 'expired', attempts: 1 })

        bench().letPass(DEAD_LETTER_LIFETIME_MS)
        await bench().reopen()
        await until('the other is given up', async () => {
          const { waiting, dead } = await bench().store.queue.depth(APP)
          return waiting === 0 && dead === 1
        })
        expect((await bench().store.queue.listDead({}, 10)).map(({ id }) => id)).toEqual([later.id])
      },
    )

    it('is given up unread when its key is missing', { timeout: 30_000 }, async () => {
      await bench().store.queue.add(createDeliveries(2))
      bench().letPass(HOUR_MS + OVERDUE_MS + 1000)
      await bench().store.close()
      bench().store = await bench().data.open({ ...bench().options, keyring: createKeyring() })
      const { queue } = bench().store
      await until('it is given up', async () => (await queue.depth(APP)).waiting === 0)
      const reasons = (await queue.listDead({}, 10)).map(({ reason }) => reason)
      expect(new Set(reasons)).toEqual(new Set(['unreadable']))
    })
  })
}

type Kept = Readonly<Record<'waiting' | 'delayed' | 'dead', readonly Delivery[]>>

/** For the device and for others: some that wait, one that waits for its time, and one that was given up; each stored together. */
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
  const consumption = queue.consume(APP, 10, received.handler)
  await received.atLeast(4)
  await consumption.stop(10_000)
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
