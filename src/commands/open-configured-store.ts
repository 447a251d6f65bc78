/** Opens the store of a configuration; what it refuses is a mistake of the operator's. */
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { StoreRefusedError, StoreUnavailableError } from '../core/errors.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Log } from '../core/log.ts'
import { AwaitedStore } from '../memory/awaited-store.ts'
import { objectionToUse } from '../memory/store-move.ts'
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

/** For a gateway: not while what is stored is being moved, or after it was. Where a Redis does not say so, it is kept closed until it does. */
export async function openServedStore(...options: Parameters<typeof openConfiguredStore>): Promise<Store> {
  const store = await openConfiguredStore(...options)
  const [config, , log] = options
  try {
    await refuseMoved(store, config)
  } catch (error) {
    if (config.store.kind === 'redis' && error instanceof StoreUnavailableError)
      return new AwaitedStore(store, (objection) =>
        log.error('Nothing is accepted or sent', undefined, { reason: objection }),
      )
    await store.close()
    throw error
  }
  return store
}

/** For an operator, where no gateway runs. */
export async function openOperatedStore(...options: Parameters<typeof openConfiguredStore>): Promise<Store> {
  const store = await openConfiguredStore(...options)
  try {
    await refuseMoved(store, options[0])
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

async function refuseMoved({ memory }: Store, { file }: Config): Promise<void> {
  const objection = await objectionToUse(memory)
  if (objection !== undefined) throw new ConfigError([{ path: 'store.url', file, message: objection }])
}
