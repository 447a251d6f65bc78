/** A process that hands out hears at once of what another has stored, and hears again soon where it became deaf. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { createDelivery } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'
import { startRelay } from './held-relay.ts'
import { isInTime } from './in-time.ts'
import { redisStores } from './redis-stores.ts'

const ROUTE = 'com.example.app'
/** More than a test takes, so that nothing is found by looking. */
const SELDOM = { lockMs: 8000, lookEveryMs: 60_000 }

const stores = redisStores()

describe('a process that hands out', () => {
  it.each(['single', 'cluster'] as const)('hears at once of what another has stored (%s)', async (mode) => {
    const redis = await startRedis({ mode })
    const { topology } = redis
    onTestFinished(() => redis.stop())
    const [storing, handing] = [
      await stores.open({ topology, timings: SELDOM }),
      await stores.open({ topology, timings: SELDOM }),
    ]
    const received = new Received()
    handing.queue.consume(ROUTE, 10, received.handler)
    for (let count = 1; count <= 10; count += 1) {
      await storing.queue.add([createDelivery({ route: ROUTE })])
      await received.atLeast(count)
    }
  })

  it('hears again within ten seconds where its connection is gone and nobody said so', async () => {
    const relay = await startRelay(stores.redis.port)
    onTestFinished(() => relay.stop())
    const node = { host: '127.0.0.1', port: relay.port }
    const storing = await stores.open({ timings: SELDOM })
    const handing = await stores.open({ topology: { kind: 'single', node, database: 0 }, timings: SELDOM })
    const received = new Received()
    handing.queue.consume(ROUTE, 10, received.handler)
    const listeners = async (): Promise<number> =>
      Number((await stores.raw.pubsub('NUMSUB', `{${stores.prefix}}:bell`))[1])
    await until('it listens', async () => (await listeners()) === 1)
    await storing.queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(1)
    relay.mute('subscribe')
    const unheard = createDelivery({ route: ROUTE })
    await storing.queue.add([unheard])
    // Redis still takes the old connection for alive.
    const listensAnew = until('it listens anew', async () => (await listeners()) === 2)
    expect(await isInTime(listensAnew, 10_000)).toBe(true)
    await until('what it did not hear of is handed out', () => received.ids.includes(unheard.id))
    await storing.queue.add([createDelivery({ route: ROUTE })])
    await received.atLeast(3)
  })
})
