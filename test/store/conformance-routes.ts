/** That the unit of every store is the route: what an app sends by one push service never touches what it sends by another. */
import { describe, expect, it } from 'vitest'
import { OVERDUE_MS, type Disposition } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery, revivedUntil } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, createGate, Received, until } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'

/** The routes of one app with several push services; the first has the app's own name, as that of an app with one. */
const ROUTES = ['com.example.app', 'com.example.app fcm', 'com.example.app webpush'] as const
const [, FCM, WEBPUSH] = ROUTES
const HOUR_MS = 3600_000

export function routeConformance(bench: () => Bench): void {
  describe('the routes of one app', () => {
    it('have queues apart: each consumer is handed its own, in order, also after a restart', async () => {
      const deliveries = Array.from({ length: 4 }, () => ROUTES.map((route) => createDelivery({ route }))).flat()
      // At once, and one after the other.
      await bench().store.queue.add(deliveries.slice(0, 6))
      for (const delivery of deliveries.slice(6)) await bench().store.queue.add([delivery])
      await bench().reopen()
      for (const route of ROUTES) {
        const own = deliveries.filter((delivery) => delivery.route === route)
        const received = new Received()
        const consumer = bench().store.queue.consume(route, 1, received.handler)
        await received.atLeast(own.length)
        await consumer.stop(10_000)
        expect(received.all.map(({ delivery }) => delivery)).toEqual(own)
      }
    })

    it('have gates apart', async () => {
      const { queue } = bench().store
      const [closed, open] = [new Received(), new Received()]
      const consumer = queue.consume(FCM, 10, closed.handler)
      consumer.setGate('closed')
      queue.consume(WEBPUSH, 10, open.handler)
      await queue.add(createDeliveries(3, { route: FCM }))
      for (let count = 1; count <= 10; count += 1) {
        await queue.add([createDelivery({ route: WEBPUSH })])
        await open.atLeast(count)
      }
      expect(closed.all).toEqual([])
      consumer.setGate('one')
      await closed.atLeast(1)
      await queue.add([createDelivery({ route: WEBPUSH })])
      await open.atLeast(11)
      expect(closed.all).toHaveLength(1)
      consumer.setGate('open')
      await closed.atLeast(3)
    })

    it('are counted apart', async () => {
      const { queue } = bench().store
      const never = createGate<Disposition>()
      const dispositions: Disposition[] = [
        { kind: 'requeue', atMs: Date.now() + HOUR_MS },
        { kind: 'dead-letter', reason: 'gone' },
      ]
      const received = new Received(() => dispositions.shift() ?? never.passed)
      for (const delivery of createDeliveries(5, { route: FCM })) await queue.add([delivery])
      await queue.add(createDeliveries(2, { route: WEBPUSH }))
      const consumer = queue.consume(FCM, 1, received.handler)
      await received.atLeast(3)
      await until('the depth says so', async () => (await queue.depth(FCM)).active === 1)
      expect(await queue.depth(FCM)).toMatchObject({ waiting: 2, delayed: 1, active: 1, dead: 1 })
      expect(await queue.depth(WEBPUSH)).toMatchObject({ waiting: 2, delayed: 0, active: 0, dead: 0 })
      expect(await queue.depth(ROUTES[0])).toMatchObject({ waiting: 0, delayed: 0, active: 0, dead: 0 })
      consumer.setGate('closed')
      never.open(ACKNOWLEDGE)
    })

    it('have dead letters apart, which go back to their own queue', async () => {
      const { queue } = bench().store
      const deliveries = ROUTES.map((route) => createDelivery({ route }))
      await queue.add(deliveries)
      await deadLetterAll(bench())
      expect((await queue.listDead({ route: FCM }, 10)).map(({ id, route }) => [id, route])).toEqual([
        [deliveries[1]?.id, FCM],
      ])
      expect(await queue.retryDead({ route: FCM }, revivedUntil(Date.now() + HOUR_MS))).toBe(1)
      const received = new Received()
      queue.consume(FCM, 10, received.handler)
      await received.atLeast(1)
      expect(received.ids).toEqual([deliveries[1]?.id])
      expect(await queue.dropDead({ route: WEBPUSH })).toBe(1)
      expect((await queue.listDead({}, 10)).map(({ route }) => route)).toEqual([ROUTES[0]])
    })

    it('forget apart, also of the same device', async () => {
      const { queue } = bench().store
      const device = { deviceHash: 'one-device' }
      const [dead, waiting] = [0, 1].map(() => ROUTES.map((route) => createDelivery({ ...device, route })))
      await queue.add(dead ?? [])
      await deadLetterAll(bench())
      await queue.add(waiting ?? [])
      const removed = await queue.forget(FCM, device.deviceHash)
      expect(removed.deliveries.map(({ id }) => id)).toEqual([waiting?.[1]?.id])
      expect(removed.deadLetters.map(({ id }) => id)).toEqual([dead?.[1]?.id])
      for (const route of [ROUTES[0], WEBPUSH])
        expect(await queue.depth(route)).toMatchObject({ waiting: 1, delayed: 0, dead: 1 })
    })

    it('are swept apart', async () => {
      const expired = createDelivery({ route: FCM })
      const later = createDelivery({ route: WEBPUSH, expiresAtMs: Date.now() + 24 * HOUR_MS })
      await bench().store.queue.add([expired, later, createDelivery({ route: ROUTES[0], priority: 'counts' })])
      bench().letPass(HOUR_MS + OVERDUE_MS + 1000)
      await bench().reopen()
      const { queue } = bench().store
      await until('what has expired is gone', async () => {
        const depths = await Promise.all(ROUTES.map((route) => queue.depth(route)))
        return depths.map(({ waiting }) => waiting).join() === '0,0,1'
      })
      expect(await queue.listDead({}, 10)).toMatchObject([{ id: expired.id, route: FCM, reason: 'expired' }])
    })
  })
}

/** What waits of each route becomes a dead letter. */
async function deadLetterAll({ store: { queue } }: Bench): Promise<void> {
  for (const route of ROUTES) {
    const received = new Received(() => ({ kind: 'dead-letter', reason: 'gone' }))
    const consumer = queue.consume(route, 10, received.handler)
    await received.atLeast(1)
    await consumer.stop(10_000)
  }
}
