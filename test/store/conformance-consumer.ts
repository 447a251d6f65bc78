/** What every store's consumer must do: heed the gate, stop, and go on after a restart. */
import { describe, expect, it } from 'vitest'
import type { Disposition } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery } from '../helpers/delivery.ts'
import { createGate, ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'
import { isInTime } from './in-time.ts'
import { otherRouteDelivers } from './other-route.ts'

const ROUTE = 'com.example.app'

export function consumerConformance(bench: () => Bench): void {
  describe('the gate', () => {
    it('lets nothing through while it is closed, and everything when it is open', async () => {
      const { queue } = bench().store
      const received = new Received()
      const consumer = queue.consume(ROUTE, 10, received.handler)
      consumer.setGate('closed')
      await queue.add(createDeliveries(5))
      await otherRouteDelivers(bench())
      expect(received.all).toEqual([])
      consumer.setGate('open')
      await received.atLeast(5)
    })

    it('lets exactly one through as a probe, and then nothing until it is set again', async () => {
      const { queue } = bench().store
      const received = new Received()
      const consumer = queue.consume(ROUTE, 10, received.handler)
      consumer.setGate('closed')
      await queue.add(createDeliveries(5))
      for (let probes = 1; probes <= 2; probes += 1) {
        consumer.setGate('one')
        await received.atLeast(probes)
        await otherRouteDelivers(bench())
        expect(received.all).toHaveLength(probes)
      }
      consumer.setGate('open')
      await received.atLeast(5)
      expect(new Set(received.ids).size).toBe(5)
    })

    it('lets the first delivery that comes through as the probe, if there was none', async () => {
      const { queue } = bench().store
      const received = new Received()
      const consumer = queue.consume(ROUTE, 10, received.handler)
      consumer.setGate('one')
      await otherRouteDelivers(bench())
      await queue.add(createDeliveries(3))
      await received.atLeast(1)
      await otherRouteDelivers(bench())
      expect(received.all).toHaveLength(1)
    })
  })

  it('is the only one of its route, until it has stopped', async () => {
    const { queue } = bench().store
    const first = queue.consume(ROUTE, 1, new Received().handler)
    expect(() => queue.consume(ROUTE, 1, new Received().handler)).toThrow(`${ROUTE} is consumed already`)
    await first.stop(0)
    queue.consume(ROUTE, 1, new Received().handler)
  })

  describe('stopping', () => {
    it('waits for what is in flight and hands out nothing more', async () => {
      const { queue } = bench().store
      const gate = createGate<Disposition>()
      const received = new Received(() => gate.passed)
      const consumer = queue.consume(ROUTE, 2, received.handler)
      await queue.add(createDeliveries(5))
      await received.atLeast(2)
      const stopped = consumer.stop(10_000)
      gate.open(ACKNOWLEDGE)
      await stopped
      expect(received.all).toHaveLength(2)
      expect(received.signal?.aborted).toBe(false)
      expect(await queue.depth(ROUTE)).toMatchObject({ waiting: 3, active: 0 })
    })

    it('releases what is still in flight after the grace, and aborts its handler', async () => {
      const { queue } = bench().store
      const never = createGate<Disposition>()
      const stuck = new Received(() => never.passed)
      const consumer = queue.consume(ROUTE, 10, stuck.handler)
      await queue.add(createDeliveries(3))
      await stuck.atLeast(3)
      await consumer.stop(50)
      expect(stuck.signal?.aborted).toBe(true)
      const received = new Received()
      queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(3)
      expect(received.ids.toSorted()).toEqual(stuck.ids.toSorted())
      expect(received.all.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
      never.open(ACKNOWLEDGE)
    })

    it('ends at once when nothing is in flight, and to stop twice is the same as once', async () => {
      const consumer = bench().store.queue.consume(ROUTE, 10, new Received().handler)
      const stopped = Promise.all([consumer.stop(60_000), consumer.stop(60_000)])
      expect(await isInTime(stopped, 10_000)).toBe(true)
    })
  })

  describe('what is parked', () => {
    const HOUR_MS = 3600_000
    const parkedFor = (group: string): Disposition => ({ kind: 'park', group, atMs: Date.now() + HOUR_MS })

    it('waits until its group is released, and was not attempted; other groups wait on', async () => {
      const { queue } = bench().store
      const deliveries = createDeliveries(6)
      const groupOf = new Map(deliveries.map(({ id }, index) => [id, index % 2 === 0 ? 'even' : 'odd']))
      let isAway = true
      const received = new Received(({ delivery }) =>
        isAway ? parkedFor(groupOf.get(delivery.id) ?? '') : ACKNOWLEDGE,
      )
      const consumer = queue.consume(ROUTE, 10, received.handler)
      await queue.add(deliveries)
      await until('all are parked', async () => (await queue.depth(ROUTE)).delayed === 6)
      isAway = false
      consumer.release('nobody')
      consumer.release('even')
      await received.atLeast(9)
      await until('the others wait', async () => {
        const { delayed, active, waiting } = await queue.depth(ROUTE)
        return delayed === 3 && active + waiting === 0
      })
      const released = received.all.slice(6)
      expect(released.map(({ delivery }) => groupOf.get(delivery.id))).toEqual(['even', 'even', 'even'])
      expect(released.map(({ attempt }) => attempt)).toEqual([1, 1, 1])
      consumer.release('odd')
      await received.atLeast(12)
    })

    it.each([
      ['its group', 'while its handler is asked', 'host', (release: () => void) => release()],
      ['every group', 'while its handler is asked', undefined, (release: () => void) => release()],
      ['its group', 'while that is being stored', 'host', (release: () => void) => void setImmediate(release)],
    ])('leaves where %s is released %s', async (_what, _when, group, soon) => {
      const { queue } = bench().store
      let isAway = true
      const received = new Received(() => {
        if (!isAway) return ACKNOWLEDGE
        isAway = false
        soon(() => consumer.release(group))
        return parkedFor('host')
      })
      const consumer = queue.consume(ROUTE, 10, received.handler)
      await queue.add([createDelivery()])
      await received.atLeast(2)
      expect(received.ids[0]).toBe(received.ids[1])
    })

    it('can be parked again, and is handed out at its time where nobody releases it, also after a restart', async () => {
      const delivery = createDelivery()
      let times = 0
      const received = new Received(() => {
        times += 1
        return { kind: 'park', group: 'group', atMs: Date.now() + (times === 1 ? 100 : 1500) }
      })
      bench().store.queue.consume(ROUTE, 10, received.handler)
      await bench().store.queue.add([delivery])
      await received.atLeast(2)
      await until('it is parked', async () => (await bench().store.queue.depth(ROUTE)).delayed === 1)
      await bench().reopen()
      const after = new Received()
      bench().store.queue.consume(ROUTE, 10, after.handler)
      const [handedOut] = await after.atLeast(1)
      expect([handedOut?.delivery.id, handedOut?.attempt]).toEqual([delivery.id, 1])
    })
  })

  describe('after a restart', () => {
    it('hands out what is not due yet at its time and not before', async () => {
      const dueAtMs = Date.now() + 1500
      const delivery = createDelivery({ dueAtMs })
      await bench().store.queue.add([delivery])
      await bench().reopen()
      const received = new Received()
      bench().store.queue.consume(ROUTE, 10, received.handler)
      await received.atLeast(1)
      expect(received.ids).toEqual([delivery.id])
      expect(Date.now()).toBeGreaterThanOrEqual(dueAtMs)
    })

    it('hands out every delivery that waited, was delayed or was in flight, with its attempts and its order', async () => {
      const deliveries = createDeliveries(3)
      const [waiting, delayed, inFlight] = deliveries
      if (waiting === undefined || delayed === undefined || inFlight === undefined) throw new Error('three deliveries')
      const atMs = Date.now() + 1500
      const never = createGate<Disposition>()
      // On a slow machine its time may have come before the restart: then it is in flight, like the other.
      const before = new Received(({ delivery, attempt }) =>
        delivery.id === delayed.id && attempt === 1 ? { kind: 'requeue', atMs } : never.passed,
      )
      const orders = [...(await bench().store.queue.add([delayed])), ...(await bench().store.queue.add([inFlight]))]
      const consumer = bench().store.queue.consume(ROUTE, 10, before.handler)
      await before.atLeast(2)
      await until('one is delayed', async () => {
        const { delayed: count } = await bench().store.queue.depth(ROUTE)
        return count === 1 || before.all.length > 2
      })
      consumer.setGate('closed')
      orders.push(...(await bench().store.queue.add([waiting])))
      await bench().reopen()
      never.open(ACKNOWLEDGE)

      const after = new Received()
      bench().store.queue.consume(ROUTE, 10, after.handler)
      await after.atLeast(3)
      expect(Date.now()).toBeGreaterThanOrEqual(atMs)
      const handed = [delayed, inFlight, waiting].map(({ id }) => after.all.find((one) => one.delivery.id === id))
      expect(handed.map((one) => one?.attempt)).toEqual([2, 1, 1])
      expect(handed.map((one) => one?.order)).toEqual(orders)
      expect(handed.map((one) => one?.delivery.target.reveal())).toEqual(
        [delayed, inFlight, waiting].map(({ target }) => target.reveal()),
      )
    })
  })
}
