/** What every store must do with dead letters. */
import { describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { DEAD_LETTER_LIFETIME_MS, DEAD_LETTERS_PER_ROUTE, MAX_BATCH } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery, revivedUntil } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, Received, until } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'

const ROUTE = 'com.example.app'

export function deadLetterConformance(bench: () => Bench): void {
  describe('dead letters', () => {
    it('are listed with what is known of them', async () => {
      const delivery = createDelivery()
      await deadLetter(bench(), [delivery], 'PayloadTooLarge')
      const deadLetters = await bench().store.queue.listDead({}, 10, { withDevices: true })
      expect(deadLetters).toEqual([
        {
          id: delivery.id,
          route: ROUTE,
          reason: 'PayloadTooLarge',
          attempts: 1,
          acceptedAtMs: delivery.acceptedAtMs,
          diedAtMs: expect.any(Number),
          deviceHash: delivery.deviceHash,
        },
      ])
      expect((await bench().store.queue.listDead({}, 10))[0]?.deviceHash).toBeUndefined()
      expect(Math.abs((deadLetters[0]?.diedAtMs ?? 0) - Date.now())).toBeLessThan(10_000)
    })

    it('count the last attempt, too', async () => {
      const { queue } = bench().store
      const received = new Received(({ attempt }) =>
        attempt < 3 ? { kind: 'requeue', atMs: 0 } : { kind: 'dead-letter', reason: 'gone' },
      )
      await queue.add([createDelivery()])
      queue.consume(ROUTE, 1, received.handler)
      await until('it is a dead letter', async () => (await queue.depth(ROUTE)).dead === 1)
      expect((await queue.listDead({}, 10)).map(({ attempts }) => attempts)).toEqual([3])
    })

    it.each([
      { filter: 'route', matches: 3 },
      { filter: 'reason', matches: 2 },
      { filter: 'id', matches: 1 },
      { filter: 'route and reason', matches: 1 },
      { filter: 'nothing', matches: 4 },
      { filter: 'an unknown id', matches: 0 },
    ] as const)('are chosen by $filter, to be listed and to be dropped', async ({ filter, matches }) => {
      const { queue } = bench().store
      const [first] = await deadLetterSeveral(bench())
      const chosen = {
        route: { route: ROUTE },
        reason: { reason: 'gone' },
        id: { id: first?.id },
        'route and reason': { route: ROUTE, reason: 'gone' },
        nothing: {},
        'an unknown id': { id: 'unknown' },
      }[filter]
      expect(await queue.listDead(chosen, 10)).toHaveLength(matches)
      expect(await queue.dropDead(chosen)).toBe(matches)
      expect(await queue.listDead({}, 10)).toHaveLength(4 - matches)
      expect(await queue.listDead(chosen, 10)).toEqual([])
    })

    it('are listed no more than asked for', async () => {
      await deadLetterSeveral(bench())
      expect(await bench().store.queue.listDead({}, 2)).toHaveLength(2)
    })

    it('are the latest of all apps, however many of them are of one', async () => {
      const { queue } = bench().store
      const others = ['com.example.first', 'com.example.second']
      for (const route of others) await deadLetter(bench(), createDeliveries(2, { route }), 'old')
      for (const delivery of createDeliveries(15)) await deadLetter(bench(), [delivery], 'new')
      expect((await queue.listDead({}, 12)).map(({ reason }) => reason)).toEqual(Array(12).fill('new'))
      expect((await queue.listDead({}, 17)).filter(({ reason }) => reason === 'new')).toHaveLength(15)
    })

    it('are put back as fresh deliveries with a new expiry', async () => {
      const { queue } = bench().store
      const delivery = createDelivery({ expiresAtMs: Date.now() - 1000 })
      await deadLetter(bench(), [delivery], 'gone')
      await deadLetter(bench(), [createDelivery()], 'other')
      const expiresAtMs = Date.now() + 7200_000
      const received = new Received()
      queue.consume(ROUTE, 10, received.handler)
      expect(await queue.retryDead({ reason: 'gone' }, revivedUntil(expiresAtMs))).toBe(1)
      const [handed] = await received.atLeast(1)
      expect(handed?.delivery).toMatchObject({ id: delivery.id, expiresAtMs, message: delivery.message })
      expect(handed?.delivery.target.reveal()).toBe(delivery.target.reveal())
      expect(handed?.attempt).toBe(1)
      expect((await queue.listDead({}, 10)).map(({ reason }) => reason)).toEqual(['other'])
      expect(await queue.retryDead({ reason: 'gone' }, revivedUntil(expiresAtMs))).toBe(0)
    })

    it('keep the time at which they were accepted when they are put back; a call that is over stays', async () => {
      const { queue } = bench().store
      const acceptedAtMs = Date.now() - 5 * 24 * 3600_000
      const event = createDelivery({ acceptedAtMs })
      const call = createDelivery({ acceptedAtMs, priority: 'call' })
      const ringing = createDelivery({ priority: 'call' })
      await deadLetter(bench(), [event, call, ringing], 'gone')
      const received = new Received()
      queue.consume(ROUTE, 10, received.handler)
      const expiresAtMs = Date.now() + 7200_000
      expect(await queue.retryDead({}, { expiresAtMs, callMaxAgeMs: 60_000 })).toBe(2)
      const handed = new Map((await received.atLeast(2)).map(({ delivery }) => [delivery.id, delivery]))
      expect(handed.get(event.id)).toMatchObject({ acceptedAtMs, expiresAtMs })
      expect(handed.get(ringing.id)).toMatchObject({ expiresAtMs: ringing.acceptedAtMs + 60_000 })
      expect((await queue.listDead({}, 10)).map(({ id }) => id)).toEqual([call.id])
    })

    it('are put back, and dropped, all of them, however many there are', async () => {
      const { queue } = bench().store
      const [retried, dropped] = [createDeliveries(1100), createDeliveries(1100)]
      await deadLetter(bench(), retried, 'gone')
      await deadLetter(bench(), dropped, 'useless')
      expect(await queue.retryDead({ reason: 'gone' }, revivedUntil(Date.now() + 7200_000))).toBe(1100)
      expect(await queue.dropDead({ reason: 'useless' })).toBe(1100)
      expect(await queue.depth(ROUTE)).toMatchObject({ waiting: 1100, dead: 0 })
    })

    it('are there after a restart, and can still be retried', async () => {
      const delivery = createDelivery()
      await deadLetter(bench(), [delivery], 'gone')
      await bench().reopen()
      const { queue } = bench().store
      expect((await queue.listDead({ route: ROUTE }, 10)).map(({ id }) => id)).toEqual([delivery.id])
      expect(await queue.retryDead({ id: delivery.id }, revivedUntil(Date.now() + 1000))).toBe(1)
      const received = new Received()
      queue.consume(ROUTE, 1, received.handler)
      await received.atLeast(1)
      expect(received.ids).toEqual([delivery.id])
    })

    it('are gone after their lifetime', async () => {
      const { queue } = bench().store
      await deadLetter(bench(), [createDelivery()], 'old')
      bench().letPass(DEAD_LETTER_LIFETIME_MS - 3600_000)
      await deadLetter(bench(), [createDelivery()], 'young')
      expect(await queue.listDead({}, 10)).toHaveLength(2)
      bench().letPass(3600_000 + 60_000)
      expect((await queue.listDead({}, 10)).map(({ reason }) => reason)).toEqual(['young'])
      expect(await queue.retryDead({ reason: 'old' }, revivedUntil(bench().options.nowMs() + 1000))).toBe(0)
      expect((await queue.depth(ROUTE)).dead).toBe(1)
    })

    it('are kept up to a number of each route, and the oldest go first', async () => {
      const { queue } = bench().store
      const excess = 2 * MAX_BATCH
      const deliveries = createDeliveries(DEAD_LETTERS_PER_ROUTE + excess)
      const other = createDelivery({ route: 'other' })
      await deadLetter(bench(), [other], 'gone')
      await deadLetter(bench(), deliveries.slice(0, excess), 'first')
      for (let start = excess; start < deliveries.length; start += 300)
        await deadLetter(bench(), deliveries.slice(start, start + 300), 'later')
      await until('the oldest are gone', async () => (await queue.depth(ROUTE)).dead === DEAD_LETTERS_PER_ROUTE)
      expect(await queue.listDead({ reason: 'first' }, 1)).toEqual([])
      expect((await queue.depth('other')).dead).toBe(1)
    })
  })
}

/** Stores deliveries and lets each become a dead letter. */
async function deadLetter({ store }: Bench, deliveries: readonly Delivery[], reason: string): Promise<void> {
  const { route = ROUTE } = deliveries[0] ?? {}
  const received = new Received(({ delivery }) =>
    deliveries.some(({ id }) => id === delivery.id) ? { kind: 'dead-letter', reason } : ACKNOWLEDGE,
  )
  await store.queue.add(deliveries)
  const consumer = store.queue.consume(route, 200, received.handler)
  await received.atLeast(deliveries.length)
  await consumer.stop(10_000)
}

async function deadLetterSeveral(bench: Bench): Promise<readonly Delivery[]> {
  const deliveries = createDeliveries(3)
  await deadLetter(bench, deliveries.slice(0, 1), 'gone')
  await deadLetter(bench, deliveries.slice(1), 'other')
  await deadLetter(bench, [createDelivery({ route: 'other' })], 'gone')
  return deliveries
}
