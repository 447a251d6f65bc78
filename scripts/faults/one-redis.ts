/** What can happen to any Redis, whatever there is beside it. */
import type { TestRedis } from '../../test/helpers/redis.ts'
import type { End, FaultName } from './faults.ts'

/** No process listens there: a replica of nobody refuses to write, and keeps what it has. */
const NOBODY = ['127.0.0.1', 1] as const

export async function strikeOne(name: FaultName<'redis'>, redis: TestRedis): Promise<End> {
  switch (name) {
    case 'kill':
      await redis.kill()
      return () => redis.start()
    case 'freeze':
      redis.freeze()
      return () => redis.thaw()
    case 'full':
      return await setMaxMemory(redis)
    case 'read-only': {
      const client = await redis.client()
      await client.replicaof(...NOBODY)
      return async () => void (await client.replicaof('NO', 'ONE'))
    }
    case 'disk-full':
    case 'failover':
    case 'lost-replica':
      throw new Error(`one Redis alone has no fault ${name}`)
  }
}

async function setMaxMemory(redis: TestRedis): Promise<End> {
  const client = await redis.client()
  await client.config('SET', 'maxmemory', 1)
  return async () => void (await client.config('SET', 'maxmemory', 0))
}
