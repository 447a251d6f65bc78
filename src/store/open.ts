/** Opens the store that the configuration names. */
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Log } from '../log.ts'
import type { Store } from './contract.ts'

export async function openStore(
  config: Config,
  keyring: Keyring,
  log: Log,
  nowMs: () => number = Date.now,
): Promise<Store> {
  const { store } = config
  const common = { keyring, nowMs, onError: (message: string) => log.error(message) }
  // Each is loaded only where it is used: BullMQ and ioredis cost a quarter of a second and 20 MB.
  if (store.kind === 'redis') {
    const { openRedisStore } = await import('./redis/open.ts')
    return openRedisStore({ ...common, ...store })
  }
  const { openSqliteStore, StoreRefusedError } = await import('./sqlite/open.ts')
  try {
    return await openSqliteStore({
      ...common,
      path: store.file,
      synchronous: store.synchronous === 'full' ? 'FULL' : 'NORMAL',
    })
  } catch (error) {
    if (!(error instanceof StoreRefusedError)) throw error
    throw new ConfigError([{ path: 'store.url', file: config.file, message: error.message }])
  }
}
