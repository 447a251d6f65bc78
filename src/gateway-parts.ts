/** What a gateway is put together of, beside its configuration, and what it says of itself. */
import type { Keys } from './config/keys.ts'
import type { ProviderKinds } from './config/schema.ts'
import type { Log } from './core/log.ts'
import type { Readiness } from './http/admin-server.ts'
import type { Store, StoreHealth } from './store/contract.ts'

export type Role = 'all' | 'http' | 'worker'

export interface GatewayParts extends Pick<Keys, 'keyring' | 'adminToken'> {
  readonly role: Role
  readonly version: string
  readonly kinds: ProviderKinds
  readonly log: Log
  readonly openStore: () => Promise<Store>
  /** Whether sending gets a thread of its own when this one is busy; default: no. That thread knows the push services of providers/index.ts alone. */
  readonly mayStartThread?: boolean | undefined
  /** What waits and what expires goes by it. */
  readonly nowMs?: () => number
  /** What credentials are signed by and push services go by; default: `nowMs`. */
  readonly systemMs?: () => number
  readonly random?: () => number
}

export function readinessOf({ writable, trouble, fit, dangers }: StoreHealth, isClosing: boolean): Readiness {
  const stopping = isClosing ? ['the gateway is stopping'] : []
  const unwritable = `the store cannot be written to${trouble === undefined ? '' : `: ${trouble}`}`
  const reasons = [...stopping, ...(writable ? [] : [unwritable]), ...dangers]
  return { isReady: !isClosing && writable && fit, reasons }
}

export function logSuspected(log: Log, app: string): void {
  log.error(
    'Most pushkeys of this app were called dead within five minutes: is its topic, project or environment wrong? They are not reported until "hushgate rejections" releases them',
    undefined,
    { app },
  )
}
