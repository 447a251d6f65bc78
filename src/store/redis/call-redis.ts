/** What a failing Redis is called. Its own error messages are never passed on: they may quote a command. */
import { StoreUnavailableError } from '../../core/errors.ts'
import { STORE_TIMEOUT_MS } from '../contract.ts'
import { isReady, type Client } from './connection.ts'

const NOT_CONNECTED = 'Redis is not connected'
const NO_ANSWER = 'Redis did not answer in time'

/** Beginnings of error replies (redis/src/server.c, `createSharedObjects`) and of what ioredis says. */
const MEANINGS: readonly (readonly [beginning: string, meaning: string])[] = [
  ['OOM', 'Redis is full (maxmemory)'],
  ['READONLY', 'Redis is read-only: it was demoted to a replica'],
  ['MISCONF', 'Redis cannot write to its disk'],
  ['NOREPLICAS', 'Redis has too few replicas (min-replicas-to-write)'],
  ['LOADING', 'Redis is still loading its data'],
  ['MASTERDOWN', 'Redis has lost its master'],
  ['CLUSTERDOWN', 'Redis Cluster is down'],
  ['NOPERM', 'Redis does not allow its user what Hushgate needs'],
  ['NOAUTH', 'Redis wants a password'],
  ['WRONGPASS', 'Redis refuses the password'],
  ['Command timed out', NO_ANSWER],
  ['Connection is closed', NOT_CONNECTED],
  ["Stream isn't writeable", NOT_CONNECTED],
  ["Cluster isn't ready", NOT_CONNECTED],
  ['Reached the max retries per request limit', NOT_CONNECTED],
]

export function unavailable(error: unknown): StoreUnavailableError {
  if (error instanceof StoreUnavailableError) return error
  const message = error instanceof Error ? error.message : ''
  const meaning = MEANINGS.find(([beginning]) => message.startsWith(beginning))?.[1]
  return new StoreUnavailableError(meaning ?? 'Redis failed')
}

/** Runs the action if Redis is there, and waits no longer than a caller may have to; a late answer is ignored. */
export async function promptly<T>(
  client: Client,
  action: () => Promise<T>,
  timeoutMs: number = STORE_TIMEOUT_MS,
): Promise<T> {
  if (!isReady(client)) throw new StoreUnavailableError(NOT_CONNECTED)
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new StoreUnavailableError(NO_ANSWER)), timeoutMs)
  try {
    return await Promise.race([action(), late])
  } catch (error) {
    throw unavailable(error)
  } finally {
    clearTimeout(timer)
  }
}
