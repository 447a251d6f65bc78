/** For how long, and of what, the memory need not be asked again on Redis. */
import { expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { FreshDeliveries } from '../../src/store/redis/fresh-deliveries.ts'
import { Clock } from '../helpers/clock.ts'
import { createDeliveries, createDelivery } from '../helpers/delivery.ts'

const clock = new Clock()
const FRESH = { latestOrder: undefined }

function stored(more: Partial<Delivery> = {}): { readonly fresh: FreshDeliveries; readonly delivery: Delivery } {
  const fresh = new FreshDeliveries(clock.nowMs)
  const delivery = createDelivery(more)
  fresh.begin(delivery.id)(true)
  return { fresh, delivery }
}

it('what was just stored is fresh, once', async () => {
  const { fresh, delivery } = stored()
  expect(await fresh.take({ delivery, attempt: 1, order: 1 })).toEqual(FRESH)
  expect(await fresh.take({ delivery, attempt: 1, order: 1 })).toBeUndefined()
})

it.each([
  [true, FRESH],
  [false, undefined],
])('what is fetched before its event is claimed waits for that: claimed %s', async (isClaimed, expected) => {
  const fresh = new FreshDeliveries(clock.nowMs)
  const delivery = createDelivery()
  const settle = fresh.begin(delivery.id)
  const taken = fresh.take({ delivery, attempt: 1, order: 1 })
  settle(isClaimed)
  settle(!isClaimed)
  expect(await taken).toEqual(expected)
})

it.each<[string, (of: ReturnType<typeof stored>) => Promise<unknown>]>([
  ['what another process stored', ({ fresh }) => fresh.take({ delivery: createDelivery(), attempt: 1, order: 1 })],
  ['what was attempted before', ({ fresh, delivery }) => fresh.take({ delivery, attempt: 2, order: 1 })],
  [
    'what waited for two seconds',
    ({ fresh, delivery }) => {
      clock.pass(2000)
      return fresh.take({ delivery, attempt: 1, order: 1 })
    },
  ],
])('%s is not fresh', async (_what, taken) => {
  expect(await taken(stored())).toBeUndefined()
})

it('what may have been overtaken by what another process stored is not fresh', async () => {
  const { fresh, delivery } = stored({ latestKey: 'badge' })
  expect(await fresh.take({ delivery, attempt: 1, order: 1 })).toBeUndefined()
})

it('what was sealed is given back once by what it was sealed as, as long as it is not too much', () => {
  const fresh = new FreshDeliveries(clock.nowMs)
  const sealedAs = (index: number) => `${String(index).padStart(40, '0')} and more`
  const batches = Array.from({ length: 100 }, () => createDeliveries(50))
  for (const [index, deliveries] of batches.entries()) fresh.keep(sealedAs(index), deliveries)
  const kept = batches.map((deliveries, index) => fresh.takeKept(sealedAs(index)) === deliveries)
  expect(kept).toEqual(batches.map((_, index) => index >= 70))
  expect(fresh.takeKept(sealedAs(99))).toBeUndefined()
  expect(fresh.takeKept(undefined)).toBeUndefined()
})
