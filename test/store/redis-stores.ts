/** Stores on one Redis, which all tests of a file share; what each test stores has a prefix and keys of its own, and what it opens is closed after it. */
import type { Redis } from 'ioredis'
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest'
import type { Keyring } from '../../src/core/keyring.ts'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore, type RedisStoreOptions } from '../../src/store/redis/open.ts'
import { shardsOf, type Shard } from '../../src/store/redis/shard.ts'
import { createKeyring } from '../helpers/delivery.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'

export interface RedisStores {
  readonly redis: TestRedis
  /** A client of the test's own. */
  readonly raw: Redis
  readonly prefix: string
  readonly keyring: Keyring
  /** Of all stores of the test. */
  readonly warnings: readonly string[]
  /** Each call is a process. */
  open(options?: Partial<RedisStoreOptions>): ReturnType<typeof openRedisStore>
  /** Of a route that has only one. */
  shardOf(route: string): Shard
  /** As if nothing was ever stored: what is opened from then on has another prefix. */
  begin(): void
}

/** Sets up and clears away by itself; called once, at the top of a file. */
export function redisStores(): RedisStores {
  let redis: TestRedis
  let raw: Redis
  let prefix: string
  let keyring: Keyring
  let warnings: string[] = []
  const opened: Store[] = []
  const begin = (): void => {
    prefix = randomUUID()
    keyring = createKeyring()
    warnings = []
  }

  beforeAll(async () => {
    redis = await startRedis()
    raw = await redis.client()
  })
  beforeEach(begin)
  afterEach(async () => {
    for (const store of opened.splice(0)) await store.close()
  })
  afterAll(() => redis.stop())

  return {
    get redis() {
      return redis
    },
    get raw() {
      return raw
    },
    get prefix() {
      return prefix
    },
    get keyring() {
      return keyring
    },
    get warnings() {
      return warnings
    },
    begin,
    async open(options = {}) {
      const { topology } = redis
      const onError = (message: string): void => void warnings.push(message)
      const store = await openRedisStore({ topology, prefix, keyring, nowMs: Date.now, onError, ...options })
      opened.push(store)
      return store
    },
    shardOf(route) {
      const [only] = shardsOf(prefix, route, 1)
      if (only === undefined) throw new Error('a route has a shard')
      return only
    },
  }
}
