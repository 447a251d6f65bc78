/** What waits for its push service's host on Redis leaves when the host is back, whenever that is. */
import { describe, expect, it } from 'vitest'
import type { Disposition } from '../../src/store/contract.ts'
import { createDeliveries } from '../helpers/delivery.ts'
import { ACKNOWLEDGE, createGate, Received, until } from '../helpers/received.ts'
import { redisStores } from './redis-stores.ts'

const ROUTE = 'com.example.app'

const stores = redisStores()

describe('what is released before its park is stored', () => {
  const PARK: Disposition = { kind: 'park', group: 'host', atMs: Date.now() + 3600_000 }

  it('leaves as soon as it is, where others of its job are in flight', async () => {
    const { queue } = await stores.open()
    const [parked, slow] = createDeliveries(2, { route: ROUTE })
    if (parked === undefined || slow === undefined) throw new Error('two deliveries')
    const gate = createGate<Disposition>()
    let isAway = true
    const received = new Received(({ delivery: { id } }) => {
      if (id === slow.id) return gate.passed
      return isAway ? PARK : ACKNOWLEDGE
    })
    const consumer = queue.consume(ROUTE, 10, received.handler)
    await queue.add([parked, slow])
    await until('one is parked, and the other in flight', () => received.all.length === 2 && received.inFlight === 1)
    isAway = false
    consumer.release('another')
    consumer.release('host')
    gate.open(ACKNOWLEDGE)
    await received.atLeast(3)
    expect(received.all.slice(2).map(({ delivery, attempt }) => [delivery.id, attempt])).toEqual([[parked.id, 1]])
  })

  it('stays parked where another group is released', async () => {
    const { queue } = await stores.open()
    let isAway = true
    const received = new Received(() => {
      if (!isAway) return ACKNOWLEDGE
      isAway = false
      consumer.release('another')
      return PARK
    })
    const consumer = queue.consume(ROUTE, 10, received.handler)
    await queue.add(createDeliveries(1, { route: ROUTE }))
    await until('it is parked', async () => (await queue.depth(ROUTE)).delayed === 1)
    consumer.release('host')
    await received.atLeast(2)
  })
})
