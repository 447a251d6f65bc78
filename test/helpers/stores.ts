/** Both stores, for tests of the whole gateway that must hold on either. */
import { randomUUID } from 'node:crypto'
import { startRedis, type TestRedis } from './redis.ts'

export const STORES = ['sqlite', 'redis'] as const
export type StoreName = (typeof STORES)[number]

export interface TestStores {
  /** The `store` section of a configuration; on Redis with keys of its own at each call. */
  section(store: StoreName): string
  readonly redis: TestRedis
  stop(): Promise<void>
}

export async function startStores(): Promise<TestStores> {
  const redis = await startRedis()
  return {
    redis,
    section: (store) =>
      store === 'sqlite'
        ? '{ url: "sqlite:./hushgate.db" }'
        : `{ url: "redis://127.0.0.1:${redis.port}", prefix: ${JSON.stringify(`test-${randomUUID()}`)} }`,
    stop: () => redis.stop(),
  }
}
