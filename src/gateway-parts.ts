/** What a gateway is put together of, beside its configuration, and what it says of itself. */
import type { Keys } from './config/keys.ts'
import type { ProviderKinds } from './config/schema.ts'
import { Identities } from './core/identities.ts'
import type { Log } from './core/log.ts'
import { hashOfSettings } from './config/hash.ts'
import type { Config } from './config/config.ts'
import { CanaryArrivals } from './memory/canary-arrivals.ts'
import { DeadPushkeys } from './memory/dead-pushkeys.ts'
import { Deduplication } from './memory/deduplication.ts'
import { KnownDevices } from './memory/known-devices.ts'
import type { RejectionGuard } from './memory/rejection-guard.ts'
import type { Readiness } from './http/admin-server.ts'
import type { CountedConfig, Metrics } from './metrics/metrics.ts'
import type { Memory, Store, StoreHealth } from './store/contract.ts'
import { Tracer } from './tracing/tracer.ts'

export type Role = 'all' | 'http' | 'worker'

export interface GatewayParts extends Pick<Keys, 'keyring' | 'adminToken'> {
  readonly role: Role
  readonly version: string
  readonly kinds: ProviderKinds
  readonly log: Log
  readonly openStore: () => Promise<Store>
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

export interface Remembered {
  readonly identities: Identities
  readonly known: KnownDevices
  readonly deadPushkeys: DeadPushkeys
  readonly deduplication: Deduplication
  readonly canaryArrivals: CanaryArrivals
}

/** What the way in and the way out both ask. */
export function rememberedIn(
  memory: Memory,
  {
    keyring,
    guard,
    nowMs,
  }: Pick<GatewayParts, 'keyring'> & { readonly guard: RejectionGuard; readonly nowMs: () => number },
): Remembered {
  const identities = new Identities(keyring)
  const known = new KnownDevices(memory, nowMs)
  const deadPushkeys = new DeadPushkeys({ memory, guard, known, identities, nowMs })
  const [deduplication, canaryArrivals] = [new Deduplication(memory), new CanaryArrivals(memory)]
  return { identities, known, deadPushkeys, deduplication, canaryArrivals }
}

/** What of the configuration is seen in the metrics. */
export function countedOf(config: Config, role: Role): CountedConfig {
  const { routes, queue } = config
  const canaries = config.canaries.flatMap(({ route: name, everyMs }) => {
    const route = routes.find((each) => each.name === name)
    return route === undefined ? [] : [{ route, everyMs }]
  })
  return { routes, hash: hashOfSettings(config), highWater: queue.highWater, canaries, sends: role !== 'http' }
}

export function createTracer(
  { version, log, nowMs = Date.now, random = Math.random }: GatewayParts,
  metrics: Metrics,
  { tracing }: Pick<Config, 'tracing'>,
): Tracer {
  const count = (result: 'exported' | 'dropped', spans: number): void => metrics.process.spans(result, spans)
  const tracer = new Tracer({ version, log, count, nowMs, random })
  tracer.configure(tracing)
  return tracer
}
