/** Opens the store of a configuration; what it refuses is a mistake of the operator's. */
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { StoreRefusedError } from '../core/errors.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Log } from '../core/log.ts'
import { objectionToServing } from '../memory/store-move.ts'
import type { Store, StoreParts } from '../store/contract.ts'
import { openStore } from '../store/open.ts'

export async function openConfiguredStore(
  { store, file }: Config,
  keyring: Keyring,
  log: Log,
  { nowMs = Date.now, onTime }: Partial<Pick<StoreParts, 'nowMs' | 'onTime'>> = {},
): Promise<Store> {
  try {
    return await openStore(store, { keyring, nowMs, onTime, onError: (message) => log.error(message) })
  } catch (error) {
    if (!(error instanceof StoreRefusedError)) throw error
    throw new ConfigError([{ path: 'store.url', file, message: error.message }])
  }
}

/** For a gateway: not while what is stored is being moved, or after it was. */
export async function openServedStore(...options: Parameters<typeof openConfiguredStore>): Promise<Store> {
  const store = await openConfiguredStore(...options)
  const objection = await objectionToServing(store.memory)
  if (objection === undefined) return store
  await store.close()
  throw new ConfigError([{ path: 'store.url', file: options[0].file, message: objection }])
}
