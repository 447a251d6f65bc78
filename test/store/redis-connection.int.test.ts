/** No connection to Redis ends for good before the store is closed, whatever has ended it. */
import { describe, expect, it, onTestFinished } from 'vitest'
import { Connections, isReady, type Client } from '../../src/store/redis/connection.ts'
import { until } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'

describe.each(['single', 'cluster'] as const)('the connections to Redis (%s)', (mode) => {
  async function connect(): Promise<{ connections: Connections; clients: readonly Client[] }> {
    const redis = await startRedis({ mode })
    const { topology } = redis
    const connections = new Connections({
      topology,
      tls: false,
      ca: undefined,
      username: undefined,
      password: undefined,
    })
    onTestFinished(async () => {
      connections.closeAll()
      await redis.stop()
    })
    const { commands, work, memory, listening } = connections
    const clients = [commands, work, memory, listening]
    await until('all are ready', () => clients.every(isReady))
    return { connections, clients }
  }

  it('are opened again when they have ended, and work', async () => {
    const { clients } = await connect()
    for (const client of clients) {
      await endAndAwait(client)
      expect(await client.get('key')).toBeNull()
    }
  })

  it('stay closed when the store is closed', async () => {
    const { connections, clients } = await connect()
    let ready = 0
    for (const client of clients) client.on('ready', () => (ready += 1))
    connections.closeAll()
    await until('all have ended', () => clients.every(({ status }) => status === 'end'))
    // Longer than until one is opened again that has ended: of a connection of the same kind that is opened now.
    const { commands } = (await connect()).connections
    await endAndAwait(commands)
    expect(ready).toBe(0)
  })
})

/** Ends it, as ioredis does for good; resolves when it is ready again. */
async function endAndAwait(client: Client): Promise<void> {
  let hasEnded = false
  client.once('end', () => (hasEnded = true))
  client.disconnect()
  await until('it has ended', () => hasEnded)
  await until('it is ready again', () => isReady(client))
}
