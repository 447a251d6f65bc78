/** Whichever process is killed: what was accepted is delivered. */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKeyFile, Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import type { Store } from '../../src/store/contract.ts'
import { openRedisStore } from '../../src/store/redis/open.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import { isInTime } from './in-time.ts'

const ROUTE = 'com.example.app'

describe('a store on Redis', () => {
  let redis: TestRedis
  let folder: string
  let store: Store
  let child: ChildProcessByStdio<null, Readable, null> | undefined

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

  it('delivers within 15 s what a killed process had in flight', async () => {
    const keyFile = join(folder, 'keys')
    const keys = createKeyFile()
    await writeFile(keyFile, keys)
    const keyring = parseKeyFile(keys)
    if (!(keyring instanceof Keyring)) throw new Error('a key file')
    store = await openRedisStore({ topology: redis.topology, keyring, nowMs: Date.now, onError: () => {} })

    const inFlight = new Set<string>()
    child = spawn(process.execPath, [join(import.meta.dirname, 'redis-child.ts'), String(redis.port), keyFile], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    createInterface(child.stdout).on('line', (id) => inFlight.add(id))
    const deliveries = createDeliveries(200)
    await store.queue.add(deliveries)
    await until('all are in flight', () => inFlight.size === 200)

    const received = new Received()
    store.queue.consume(ROUTE, 200, received.handler)
    child.kill('SIGKILL')
    expect(await isInTime(received.atLeast(200), 15_000)).toBe(true)
    expect(received.ids.toSorted()).toEqual(deliveries.map(({ id }) => id).toSorted())
    await until('nothing is left', async () => {
      const { waiting, active, delayed } = await store.queue.depth(ROUTE)
      return waiting + active + delayed === 0
    })
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
    await until('nothing is left', async () => {
      const { waiting, active, delayed } = await store.queue.depth(ROUTE)
      return waiting + active + delayed === 0
    })
  })
})
