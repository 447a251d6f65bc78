/** Opens the store that the configuration names. */
import type { Store, StoreParts } from './contract.ts'
import type { StoreSettings } from './settings.ts'

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
