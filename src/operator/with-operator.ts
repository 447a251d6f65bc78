/** What the operator's commands do, through the running gateway's admin API, or on the store itself when none runs. */
import type { Config } from '../config/config.ts'
import { openKeys } from '../config/keys.ts'
import { isJsonObject } from '../core/json.ts'
import { Breaker } from '../memory/rejection-guard.ts'
import type { DeadFilter } from '../http/admin-server.ts'
import { forgetDevice, type ForgottenDevice, type Forgotten } from './forget-device.ts'
import { createLog } from '../log.ts'
import { openStore } from '../store/open.ts'
import { providers } from '../providers/index.ts'
import type { DeadLetter } from '../store/contract.ts'
import { adminUrl } from './admin-url.ts'

export interface Operator {
  listDead(filter: DeadFilter): Promise<readonly DeadLetter[]>
  retryDead(filter: DeadFilter): Promise<number>
  dropDead(filter: DeadFilter): Promise<number>
  releaseSuspected(app: string, verdict: 'confirm' | 'discard'): Promise<number>
  /** Undefined where no app is configured for it. */
  forget(device: ForgottenDevice): Promise<Forgotten | undefined>
}

/** The running gateway refused; the sentence is for the operator. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError'
}

const MOST_LISTED = 1000

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
    return action(remoteOperator(url, adminToken.reveal()))
  }
  await using store = await openStore(config, keyring, createLog({ level: 'error', format: 'text' }, stderr))
  const breaker = new Breaker(store.memory, Date.now, () => {})
  // Awaited here: the store is closed when this function returns.
  return await action({
    listDead: (filter) => store.queue.listDead(filter, MOST_LISTED),
    retryDead: (filter) => store.queue.retryDead(filter, Date.now() + config.queue.maxAgeMs),
    dropDead: (filter) => store.queue.dropDead(filter),
    releaseSuspected: (app, verdict) => breaker.release(app, verdict),
    forget: (device) => forgetDevice(device, { config, kinds: providers, keyring, store }),
  })
}

async function isAlive(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(2000) })).ok
  } catch {
    return false
  }
}

function remoteOperator(url: string, token: string): Operator {
  async function call(path: string, body?: object): Promise<Record<string, unknown>> {
    const init = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    const response = await fetch(url + path, {
      ...init,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
    })
    if (response.status === 401)
      throw new OperatorError('The running gateway has another token: does it use another admin.token_file?')
    if (!response.ok) throw new OperatorError(`The running gateway answered ${response.status}`)
    const json: unknown = await response.json()
    return typeof json === 'object' && json !== null ? { ...json } : {}
  }
  return {
    async listDead(filter) {
      const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined))
      const { dead } = await call(`/api/dead?${query.toString()}`)
      return Array.isArray(dead) ? dead.filter(isRow) : []
    },
    retryDead: async (filter) => numberOf((await call('/api/dead/retry', filter))['retried']),
    dropDead: async (filter) => numberOf((await call('/api/dead/drop', filter))['dropped']),
    releaseSuspected: async (app, verdict) => numberOf((await call('/api/rejections', { app, verdict }))['released']),
    async forget({ appId, pushkey, data }) {
      const { forgotten } = await call('/api/forget', { app_id: appId, pushkey: pushkey.reveal(), data })
      if (!isJsonObject(forgotten)) return undefined
      return {
        death: forgotten['death'] === true,
        latestBadge: forgotten['latestBadge'] === true,
        departure: forgotten['departure'] === true,
        deliveries: numberOf(forgotten['deliveries']),
        deadLetters: numberOf(forgotten['deadLetters']),
        unreadable: numberOf(forgotten['unreadable']),
      }
    },
  }
}

function isRow(value: unknown): value is DeadLetter {
  return typeof value === 'object' && value !== null && 'id' in value && 'app' in value && 'reason' in value
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0
}
