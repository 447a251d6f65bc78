/** Runs an operator's command: through the running gateway's admin API, or on the store itself when none runs. */
import type { Config } from '../config/config.ts'
import { openKeys } from '../config/keys.ts'
import { openRoutes } from '../config/routes.ts'
import { createLog } from '../log.ts'
import { Identities } from '../core/identities.ts'
import { KnownDevices } from '../memory/known-devices.ts'
import { Receipts } from '../memory/receipts.ts'
import { RejectionGuard } from '../memory/rejection-guard.ts'
import { OperatorError, type Operator } from '../operator/operator.ts'
import { RemoteOperator } from '../operator/remote-operator.ts'
import { StoreOperator } from '../operator/store-operator.ts'
import { providers } from '../providers/index.ts'
import { adminUrl } from './admin-url.ts'
import { openConfiguredStore } from './open-configured-store.ts'

export async function withOperator<T>(
  config: Config,
  stderr: NodeJS.WritableStream,
  action: (operator: Operator) => Promise<T>,
): Promise<T> {
  const { keyring, adminToken } = await openKeys(config)
  const url = adminUrl(config.admin)
  if (await isAlive(url)) {
    if (adminToken === undefined)
      throw new OperatorError(
        'A gateway runs, and admin.token_file is not set: without a token its admin API is closed',
      )
    return action(new RemoteOperator(url, adminToken))
  }
  const routes = await openRoutes(config.routes, providers)
  await using store = await openConfiguredStore(config, keyring, createLog({ level: 'error', format: 'text' }, stderr))
  const guard = new RejectionGuard(store.memory, Date.now, () => {})
  const known = new KnownDevices(store.memory, Date.now)
  const identities = new Identities(keyring)
  const receipts = new Receipts({
    memory: store.memory,
    identities,
    keyring,
    nowMs: Date.now,
    areKept: () => config.receipts,
  })
  // Awaited here: the store is closed when this function returns.
  return await action(
    new StoreOperator({
      store,
      guard,
      known,
      receipts,
      isBlocked: () => undefined,
      keyring,
      nowMs: Date.now,
      routes: () => routes,
      ages: () => config.queue,
    }),
  )
}

async function isAlive(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}
