/** Makes one fault happen, and ends it again. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { TestRedis } from '../../test/helpers/redis.ts'
import type { Gateways } from './gateways.ts'
import type { PushServices } from './push-services.ts'
import type { Fault, FaultName, Timing } from './schedule.ts'

export interface Victims {
  readonly gateways: Gateways
  readonly services: PushServices
  /** Undefined for SQLite. */
  readonly redis: TestRedis | undefined
  readonly timing: Timing
}

/** Resolves when it is over and what was struck works again. */
export async function strike(fault: Fault, victims: Victims): Promise<void> {
  const end = await begin(fault, victims)
  await sleep(fault.durationMs)
  await end()
}

type End = () => Promise<void> | void

async function begin(fault: Fault, { gateways, services, redis, timing }: Victims): Promise<End> {
  switch (fault.kind) {
    case 'process':
      if (fault.name === 'kill') {
        await gateways.kill(fault.victim)
        return () => gateways.start(fault.victim)
      }
      gateways.pause(fault.victim)
      return () => gateways.resume(fault.victim)
    case 'redis':
      if (redis === undefined) throw new Error('SQLite has no Redis')
      return strikeRedis(fault.name, redis)
    case 'apns':
    case 'fcm':
      services.begin(fault)
      return () => services.end(fault)
    case 'configuration':
      await gateways.reload(services.appsYaml(timing, fault.name === 'reload' ? 'good' : 'bad'))
      return () => gateways.reload(services.appsYaml(timing, 'good'))
  }
}

/** No process listens there: a replica of nobody refuses to write, and keeps what it has. */
const NOBODY = ['127.0.0.1', 1] as const

async function strikeRedis(name: FaultName<'redis'>, redis: TestRedis): Promise<End> {
  if (name === 'kill') {
    await redis.kill()
    return () => redis.start()
  }
  if (name === 'freeze') {
    redis.freeze()
    return () => redis.thaw()
  }
  const client = await redis.client()
  if (name === 'full') {
    await client.config('SET', 'maxmemory', 1)
    return async () => void (await client.config('SET', 'maxmemory', 0))
  }
  await client.replicaof(...NOBODY)
  return async () => void (await client.replicaof('NO', 'ONE'))
}
