/** The store of a run's gateways, and what can go wrong with it. */
import { startRedis, type TestRedis } from '../../test/helpers/redis.ts'
import { needsSmallDisk, type End, type RedisFault } from './faults.ts'
import { strikeOne } from './one-redis.ts'
import { startReplicatedRedis } from './replicated-redis.ts'
import type { Schedule } from './schedule.ts'
import { mountSmallDisk, type SmallDisk } from './small-disk.ts'

export interface Store extends AsyncDisposable {
  /** The section `store`, as flow YAML; undefined: SQLite in the folder of the process. */
  readonly section: string | undefined
  strikeRedis(fault: RedisFault): Promise<End>
  fillDisk(): Promise<End>
}

export async function startStore(schedule: Schedule): Promise<Store> {
  await using stack = new AsyncDisposableStack()
  const { topology, appendfsync, faults } = schedule
  const disk = faults.some(needsSmallDisk) ? stack.use(await mountSmallDisk()) : undefined
  const fillDisk = (): Promise<End> => full(disk)
  if (topology === 'sqlite') {
    const section = disk === undefined ? undefined : `{ url: "sqlite:${disk.path}/hushgate.db" }`
    return own(stack, { section, fillDisk, strikeRedis: () => Promise.reject(new Error('SQLite has no Redis')) })
  }
  if (topology === 'sentinel' || topology === 'cluster') {
    const redis = stack.use(await startReplicatedRedis(topology, appendfsync))
    return own(stack, { section: redis.section, strikeRedis: (fault) => redis.strike(fault), fillDisk })
  }
  const redis = await startRedis({ settings: { appendfsync, ...(disk === undefined ? {} : { dir: disk.path }) } })
  stack.defer(() => redis.stop())
  return own(stack, {
    section: `{ url: "redis://127.0.0.1:${redis.port}" }`,
    fillDisk,
    strikeRedis: ({ name }) => (name === 'disk-full' ? fullUnder(redis, fillDisk) : strikeOne(name, redis)),
  })
}

function own(stack: AsyncDisposableStack, store: Omit<Store, typeof Symbol.asyncDispose>): Store {
  const owned = stack.move()
  return { ...store, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}

async function full(disk: SmallDisk | undefined): Promise<End> {
  if (disk === undefined) throw new Error('there is no small disk')
  await disk.fill()
  return () => disk.clear()
}

/** With `appendfsync always` Redis ends, and is started again by whoever runs it when there is room. */
async function fullUnder(redis: TestRedis, fill: () => Promise<End>): Promise<End> {
  const clear = await fill()
  return async () => {
    await clear()
    if (await isAnswering(redis)) return
    await redis.kill()
    await redis.start()
  }
}

/** That it ended just now is not yet known here. */
async function isAnswering(redis: TestRedis): Promise<boolean> {
  try {
    const client = await redis.client()
    await client.ping()
    return true
  } catch {
    return false
  }
}
