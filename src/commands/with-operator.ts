/** Runs an operator's command: through the running gateway's admin API, or on the store itself when none runs. */
import { openKeys } from '../config/keys.ts'
import { openRoutes } from '../config/routes.ts'
import { createLog } from '../log.ts'
import { KnownDevices } from '../memory/known-devices.ts'
import { RejectionGuard } from '../memory/rejection-guard.ts'
import { OperatorError, type Operator } from '../operator/operator.ts'
import { RemoteOperator } from '../operator/remote-operator.ts'
import { StoreOperator } from '../operator/store-operator.ts'
import { providers } from '../providers/index.ts'
import { openOperatedStore } from './open-configured-store.ts'
import { tellMistakes, type OperatorAccess } from './operator-access.ts'

const ALIVE_MS = 2000

export async function withOperator<T>(
  access: OperatorAccess,
  stderr: NodeJS.WritableStream,
  action: (operator: Operator) => Promise<T>,
): Promise<T> {
  const remote = await runningGateway(access, stderr)
  if (remote !== undefined) return action(remote)
  const { config, mistakes } = access
  if (config === undefined) throw mistakes
  const { keyring } = await openKeys(config)
  const routes = await openRoutes(config.routes, providers)
  await using store = await openOperatedStore(config, keyring, createLog({ level: 'error', format: 'text' }, stderr))
  const guard = new RejectionGuard(store.memory, Date.now, () => {})
  const known = new KnownDevices(store.memory, Date.now)
  // Awaited here: the store is closed when this function returns.
  return await action(
    new StoreOperator({
      store,
      guard,
      known,
      isBlocked: () => undefined,
      keyring,
      nowMs: Date.now,
      routes: () => routes,
      config: () => config,
    }),
  )
}

/** For what only a running gateway can tell. */
export async function withGateway<T>(
  access: OperatorAccess,
  stderr: NodeJS.WritableStream,
  action: (operator: RemoteOperator) => Promise<T>,
): Promise<T> {
  const remote = await runningGateway(access, stderr)
  if (remote === undefined)
    throw new OperatorError(
      `No gateway answers at ${access.url}: does it run, and is this where admin.host and admin.port lead from this machine?`,
    )
  return action(remote)
}

/** Undefined where none runs. */
async function runningGateway(
  access: OperatorAccess,
  stderr: NodeJS.WritableStream,
): Promise<RemoteOperator | undefined> {
  const life = await lifeAt(access.url)
  if (life === 'none') return undefined
  if (life === 'silent')
    throw new OperatorError(
      `What listens at ${access.url} does not answer: the gateway is frozen, or the machine has too much to do. See what it does (ps, top), and restart it if it stays so; what it has accepted is kept`,
    )
  tellMistakes(access, stderr)
  const token = await access.token()
  if (token === undefined)
    throw new OperatorError('A gateway runs, and admin.token_file is not set: without a token its admin API is closed')
  return new RemoteOperator(access.url, token)
}

/** `silent`: something takes connections there, and does not answer in time. */
export async function lifeAt(url: string): Promise<'alive' | 'silent' | 'none'> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(ALIVE_MS) })).ok ? 'alive' : 'none'
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError' ? 'silent' : 'none'
  }
}
