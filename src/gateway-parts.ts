/** What a gateway is put together of, beside its configuration. */
import type { Keys } from './config/keys.ts'
import type { ProviderKinds } from './config/schema.ts'
import type { Log } from './core/log.ts'
import type { Store } from './store/contract.ts'

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
