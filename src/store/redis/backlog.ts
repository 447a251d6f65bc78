/** When the number of a route's shards changes, what waits in the former ones is handed out before what comes now: so that what a device gets keeps its order. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from './connection.ts'
import type { Shard } from './shard.ts'

/** Not longer: a call is worth a minute. */
export const BACKLOG_LIMIT_MS = 30_000
const LOOK_EVERY_MS = 100

/** Resolves when all that waits in these shards at first has been handed out, or when the limit is over (epoch ms). Never rejects. */
export async function untilHandedOut(client: Client, shards: readonly Shard[], limitMs: number): Promise<void> {
  let backlog: readonly (readonly [Shard, lastId: number])[] | undefined
  while (Date.now() < limitMs) {
    try {
      backlog ??= await Promise.all(
        shards.map(async (shard) => [shard, Number((await client.get(`${shard.id}:id`)) ?? 0)] as const),
      )
      const areLeft = await Promise.all(backlog.map(([shard, lastId]) => isLeft(client, shard, lastId)))
      backlog = backlog.filter((_, index) => areLeft[index] === true)
      if (backlog.length === 0) return
    } catch {
      // Redis is away, or too busy: it is asked again.
    }
    await sleep(LOOK_EVERY_MS, undefined, { ref: false })
  }
}

/** Whether the job that is handed out next, or the next with a priority, was stored by then. Ids are counted; one that is split out begins with that of its batch. */
async function isLeft(client: Client, { id }: Shard, lastId: number): Promise<boolean> {
  const heads = await Promise.all([client.lrange(`${id}:wait`, -1, -1), client.zrange(`${id}:prioritized`, '0', '0')])
  return heads.flat().some((jobId) => Number.parseInt(jobId, 10) <= lastId)
}
