/** Whichever process is killed: what was accepted is delivered. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyFile, Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'
import type { Timings } from '../../src/store/redis/shard-queues.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import { isInTime } from './in-time.ts'

const ROUTE = 'com.example.app'
/** BullMQ's note of who looked last for what died, and the lease of the sweep: they go by themselves. */
const EXPIRING = /:(stalled-check|sweep|probe)$/

async function queued({ queue }: Store): Promise<number> {
  const { waiting, active, delayed } = await queue.depth(ROUTE)
  return waiting + active + delayed
}

describe('a store on Redis', () => {
  let redis: TestRedis
  let folder: string
  let store: Store
  let child: ChildProcess | undefined

  beforeEach(async () => {
    redis = await startRedis()
    folder = await mkdtemp(join(tmpdir(), 'hushgate-keys-'))
  })
  afterEach(async () => {
    child?.kill('SIGKILL')
    child = undefined
    await store.close()
    await redis.stop()
    await rm(folder, { recursive: true })
  })

  /** Opens the store, and says how a process that hangs with all that it is handed is started on it. */
  async function openWithChildren(timings?: Timings): Promise<(onHandedOut: (id: string) => void) => ChildProcess> {
    const keyFile = join(folder, 'keys')
    const keys = createKeyFile()
    await writeFile(keyFile, keys)
    const keyring = parseKeyFile(keys)
    if (!(keyring instanceof Keyring)) throw new Error('a key file')
    store = await openRedisStore({ topology: redis.topology, keyring, nowMs: Date.now, onError: () => {}, timings })
    const given = [String(redis.port), keyFile, ...(timings === undefined ? [] : [JSON.stringify(timings)])]
    return (onHandedOut) => {
      const started = spawn(process.execPath, [join(import.meta.dirname, 'redis-child.ts'), ...given], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      createInterface(started.stdout).on('line', onHandedOut)
      child = started
      return started
    }
  }

  it('delivers within 15 s what a killed process had in flight', async () => {
    const startChild = await openWithChildren()
    const inFlight = new Set<string>()
    const started = startChild((id) => inFlight.add(id))
    const deliveries = createDeliveries(200)
    await store.queue.add(deliveries)
    await until('all are in flight', () => inFlight.size === 200)

    const received = new Received()
    store.queue.consume(ROUTE, 200, received.handler)
    started.kill('SIGKILL')
    expect(await isInTime(received.atLeast(200), 15_000)).toBe(true)
    expect(received.ids.toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted())
    await until('nothing is left', async () => (await queued(store)) === 0)
  })

  it('gives up nothing and leaves nothing where a worker is killed eleven times while its push service hangs', async () => {
    const startChild = await openWithChildren({ lockMs: 400, lookEveryMs: 100 })
    const raw = await redis.client()
    const deliver = async (count: number): Promise<string[]> => {
      const received = new Received()
      const consumer = store.queue.consume(ROUTE, 200, received.handler)
      await received.atLeast(count)
      await until('nothing is left', async () => (await queued(store)) === 0)
      await consumer.stop(0)
      return received.ids.toSorted()
    }
    // What an app leaves in Redis in any case.
    await store.queue.add(createDeliveries(1))
    await deliver(1)
    const usual = await raw.keys('*')

    const deliveries = createDeliveries(100)
    await store.queue.add(deliveries)
    let mostPutAside = 0
    for (let kill = 1; kill <= 11; kill += 1) {
      let handedOut = 0
      const started = startChild(() => (handedOut += 1))
      await until('it hangs with all that is not put aside', async () => {
        const { delayed } = await store.queue.depth(ROUTE)
        mostPutAside = Math.max(mostPutAside, delayed)
        return handedOut + delayed >= deliveries.length
      })
      const ended = once(started, 'exit')
      started.kill('SIGKILL')
      await ended
    }
    // So the loop was long enough for what it is about.
    expect(mostPutAside).toBeGreaterThan(0)
    expect((await store.queue.depth(ROUTE)).dead).toBe(0)
    const delayedKey = (await raw.keys('*:delayed'))[0] ?? ''
    const putAside = await raw.zrange(delayedKey, 0, '-1')
    // Their pause is half a minute. BullMQ keeps the time that a job is due at above twelve bits.
    if (putAside.length > 0) await raw.zadd(delayedKey, ...putAside.flatMap((id) => [Date.now() * 0x1000, id]))
    expect(await deliver(100)).toEqual(deliveries.map(({ id }) => id).toSorted())
    expect(await store.queue.listDead({}, 10)).toEqual([])
    expect((await raw.keys('*')).filter((key) => !usual.includes(key) && !EXPIRING.test(key))).toEqual([])
  })

  it('loses nothing that it accepted when Redis is killed', async () => {
    store = await openRedisStore({
      topology: redis.topology,
      keyring: createKeyring(),
      nowMs: Date.now,
      onError: () => {},
      timings: { lockMs: 1000, lookEveryMs: 200 },
    })
    const accepted: string[] = []
    const ended = new Map<string, number>()
    const received = new Received(({ delivery, attempt }) => {
      if (attempt === 1 && Math.random() < 0.3) return { kind: 'requeue', atMs: Date.now() + 20 }
      ended.set(delivery.id, (ended.get(delivery.id) ?? 0) + 1)
      return { kind: 'acknowledge' }
    })
    store.queue.consume(ROUTE, 50, received.handler)
    const stopAdding = new AbortController()
    const addUntilTold = async (): Promise<void> => {
      while (!stopAdding.signal.aborted) {
        const delivery = createDelivery()
        await store.queue.add([delivery]).then(
          () => accepted.push(delivery.id),
          () => new Promise((resolve) => setTimeout(resolve, 10)),
        )
      }
    }
    const adding = Promise.all(Array.from({ length: 10 }, addUntilTold))
    for (let kill = 1; kill <= 3; kill += 1) {
      const before = accepted.length
      await until('more are accepted', () => accepted.length > before + 200)
      await redis.kill()
      await redis.start()
    }
    stopAdding.abort()
    await adding
    await until('all have ended', () => accepted.every((id) => ended.has(id)))
    expect(accepted.length).toBeGreaterThan(600)
    await until('nothing is left', async () => (await queued(store)) === 0)
  })
})
