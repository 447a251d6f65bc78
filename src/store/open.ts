/** Opens the store that the configuration names. */
import type { Store, StoreParts } from './contract.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Arrival, Departure } from './move.ts'
import type { RedisSettings, SqliteSettings, StoreSettings } from './settings.ts'

/** Rejects with a StoreRefusedError when the operator has to do something first. */
export async function openStore(settings: StoreSettings, parts: StoreParts): Promise<Store> {
  // Each is loaded only where it is used: BullMQ and ioredis cost a quarter of a second and 20 MB.
  if (settings.kind === 'redis') {
    const { openRedisStore } = await import('./redis/open.ts')
    return openRedisStore({ ...parts, ...settings })
  }
  const { openSqliteStore } = await import('./sqlite/open.ts')
  const { file: path, synchronous } = settings
  return openSqliteStore({ ...parts, path, synchronous: synchronous === 'full' ? 'FULL' : 'NORMAL' })
}

/** A store into which another is emptied. */
export async function openForArrival(
  settings: RedisSettings,
  parts: StoreParts,
): Promise<Store & { readonly arrival: Arrival }> {
  const { openRedisStore } = await import('./redis/open.ts')
  return openRedisStore({ ...parts, ...settings, isPatient: true })
}

/** A store that is emptied into another. Rejects with StoreRefusedError, also while a gateway has it. */
export async function openForDeparture(
  { file }: SqliteSettings,
  keyring: Keyring,
  nowMs: () => number,
): Promise<Departure> {
  const { SqliteDeparture } = await import('./sqlite/departure.ts')
  return new SqliteDeparture(file, keyring, nowMs)
}
