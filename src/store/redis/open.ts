/** The store on Redis: BullMQ for deliveries, plain keys for the memory. Opens whether Redis is there or not. */
import { readFile } from 'node:fs/promises'
import type { Secret } from '../../core/secret.ts'
import type { Keyring } from '../../core/keyring.ts'
import type { Store } from '../contract.ts'
import { RouteQueues, DEFAULT_TIMINGS, hashTagged, type Timings } from './route-queues.ts'
import type { RedisTopology } from '../settings.ts'
import { Connections, readyWithin } from './connection.ts'
import { DeadLetters } from './dead-letters.ts'
import { Health } from './health.ts'
import { createMemory } from './memory.ts'
import { RedisQueue } from './queue.ts'
import { Sweep } from './sweep.ts'
import { Writer } from './writer.ts'

export interface RedisStoreOptions {
  readonly topology: RedisTopology
  readonly tls?: boolean | undefined
  /** PEM file of the authority that signed Redis' certificate. */
  readonly caFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: Secret | undefined
  /** What all keys begin with, in braces. */
  readonly prefix?: string | undefined
  readonly keyring: Keyring
  readonly nowMs: () => number
  /** How many replicas must have a delivery before it counts as stored (WAIT); default 0. */
  readonly replicaAcks?: number | undefined
  readonly requirePersistence?: boolean | undefined
  /** Sentences without data. */
  readonly onError: (message: string) => void
  /** Only for tests: how soon a worker is taken to be dead. */
  readonly timings?: Timings | undefined
}

const DEFAULT_PREFIX = 'hushgate'
/** A Redis that is there is connected within milliseconds; one that is not must not hold up the start. */
const FIRST_CONNECTION_TIMEOUT_MS = 1000

/** Resolves once Redis is connected, or soon without it: then nothing is writable until it comes. */
export async function openRedisStore(options: RedisStoreOptions): Promise<Store> {
  const { topology, tls = false, caFile, username, password, keyring, nowMs, onError } = options
  const ca = caFile === undefined ? undefined : await readFile(caFile, 'utf8')
  const prefix = hashTagged(options.prefix ?? DEFAULT_PREFIX)
  const probeKey = `${prefix}:probe`
  const connections = new Connections({ topology, tls, ca, username, password })
  const { commands, work } = connections
  const queues = new RouteQueues(connections, prefix)
  const writer = new Writer({
    client: commands,
    queues,
    keyring,
    probeKey,
    replicaAcks: options.replicaAcks ?? 0,
    nowMs,
  })
  const requirePersistence = options.requirePersistence ?? false
  const health = new Health({ commands, work, writer, probeKey, requirePersistence, onError })
  const deadLetters = new DeadLetters(work, prefix, keyring, nowMs)
  const sweep = new Sweep({ client: work, queues, deadLetters, keyring, prefix, nowMs })
  const queue = new RedisQueue({
    connections,
    queues,
    writer,
    deadLetters,
    keyring,
    timings: options.timings ?? DEFAULT_TIMINGS,
    nowMs,
    onError,
  })
  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    health.stop()
    sweep.stop()
    await Promise.all([queue.close(), writer.settled()])
    await queues.close()
    connections.closeAll()
    await sweep.ended
  }

  await Promise.all(
    [connections.commands, work, connections.memory].map((client) => readyWithin(client, FIRST_CONNECTION_TIMEOUT_MS)),
  )
  await health.check()
  return {
    queue,
    memory: createMemory(connections.memory, prefix),
    health: () => health.current(),
    close: () => (closed ??= close()),
    [Symbol.asyncDispose]: () => (closed ??= close()),
  }
}
