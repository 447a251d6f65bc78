/** How Redis is called: with a time limit, and with errors that say in our words what is wrong. Redis' own messages may quote a command. */
import { StoreUnavailableError } from '../../core/errors.ts'
import { withTimeLimit } from '../../core/time-limit.ts'
import { STORE_TIMEOUT_MS } from '../contract.ts'
import { isReady, type Client } from './connection.ts'

export const NOT_CONNECTED = 'Redis is not connected'
const NO_ANSWER = 'Redis did not answer in time'

/** How error replies begin (redis/src/server.c, `createSharedObjects`), and errors of ioredis. */
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

export function toUnavailableError(error: unknown): StoreUnavailableError {
  if (error instanceof StoreUnavailableError) return error
  const message = error instanceof Error ? error.message : ''
  const meaning = MEANINGS.find(([beginning]) => message.startsWith(beginning))?.[1]
  return new StoreUnavailableError(meaning ?? 'Redis failed')
}

/** Rejects with StoreUnavailableError: at once when Redis is not connected, and when the time limit is over; a later answer is ignored. */
export async function callRedis<T>(
  client: Client,
  call: () => Promise<T>,
  limitMs: number = STORE_TIMEOUT_MS,
): Promise<T> {
  if (!isReady(client)) throw new StoreUnavailableError(NOT_CONNECTED)
  try {
    return await withTimeLimit(limitMs, call(), () => new StoreUnavailableError(NO_ANSWER))
  } catch (error) {
    throw toUnavailableError(error)
  }
}
