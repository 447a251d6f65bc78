/** The store on Redis does what every store must, on one Redis and on a Redis Cluster. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe } from 'vitest'
import { openRedisStore } from '../../src/store/redis/open.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import { storeConformance } from './conformance.ts'

describe.each(['single', 'cluster'] as const)('Redis (%s)', (mode) => {
  let redis: TestRedis

  beforeAll(async () => {
    redis = await startRedis({ mode })
  })
  afterAll(() => redis.stop())

  storeConformance(`Redis (${mode})`, async () => {
    const prefix = `{${randomUUID()}}`
    return {
      open: (options) => openRedisStore({ ...options, topology: redis.topology, prefix, onError: () => {} }),
      bytes: () => redis.appendOnlyFiles(),
      remove: () => Promise.resolve(),
    }
  })
})
