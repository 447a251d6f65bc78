/** A push that is ready to be stored, what is said about it to the store and to who traces it, and what became of it. */
import type { OpenRoute } from '../config/routes.ts'
import type { Delivery } from '../core/delivery.ts'
import type { Rendered } from '../core/message.ts'
import type { Device } from '../core/notification.ts'
import type { Sealing } from '../core/privacy-policy.ts'
import type { TraceContext } from '../core/trace.ts'
import { tombstoneKey, type DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { rememberedOf } from '../memory/deduplication.ts'
import { knownKey } from '../memory/known-devices.ts'
import type { Accepted, NewDelivery, Owner } from '../store/contract.ts'
import type { Tracer } from '../tracing/tracer.ts'
import type { Addressee } from './candidate.ts'
import type { NothingStored } from './turned-away.ts'

/** What a notification has that no homeserver says. */
export interface Marks {
  /** Where it is traced. */
  readonly trace?: TraceContext | undefined
  /** It is a canary push, which is worth delivering so long. */
  readonly canary?: { readonly maxAgeMs: number } | undefined
}

/** What became of one device of a notification. */
export type DeviceResult = 'stored' | NothingStored

export type Admission = Awaited<ReturnType<DeadPushkeys['admit']>>

/** What is to be stored, unless there is an entry under one of these keys. */
export interface Prepared {
  readonly route: OpenRoute
  readonly delivery: Delivery
  readonly rendered: Rendered & { readonly kind: 'message' }
  /** Undefined where there is nothing to seal for the device. */
  readonly sealing?: Sealing | undefined
  readonly unless: readonly string[]
  /** `key` is one of `unless`: where it has an entry, it may be that the device does not want it, whatever is known of its pushkey. */
  readonly refusedBy?: { readonly key: string; readonly isRefused: () => Promise<boolean> } | undefined
}

export function ownerOf({ route, deviceHash }: Addressee): Owner {
  return { route: route.name, deviceHash }
}

/** Unless it is known to be dead, or its event to be sent. */
export function preparedOf(of: Omit<Prepared, 'unless'>): Prepared {
  const { claims } = rememberedOf(of.delivery)
  const keys = [tombstoneKey(of.delivery), claims, of.refusedBy?.key]
  return { ...of, unless: keys.filter((key) => key !== undefined) }
}

/** The memory was asked about the device. */
export function admitted(of: Omit<Prepared, 'unless'>, admission: Admission): Prepared {
  const delivery = { ...of.delivery, probesDead: admission === 'probe' || undefined }
  const { claims } = rememberedOf(delivery)
  return { ...of, delivery, unless: claims === undefined ? [] : [claims] }
}

/** A canary push goes behind all others, and is not kept when it is too old. */
export function marked(prepared: Prepared, { trace, canary }: Marks): Prepared {
  const { delivery } = prepared
  const ofCanary =
    canary === undefined
      ? {}
      : ({ canary: true, priority: 'counts', expiresAtMs: delivery.acceptedAtMs + canary.maxAgeMs } as const)
  return { ...prepared, delivery: { ...delivery, ...ofCanary, trace } }
}

/** As `accepting` does, and says of each how it went. */
export async function traceStoring(
  trace: TraceContext,
  prepared: readonly Prepared[],
  accepting: Promise<readonly Accepted[]>,
  { tracer, nowMs }: { readonly tracer?: Pick<Tracer, 'stored'> | undefined; readonly nowMs: () => number },
): Promise<readonly Accepted[]> {
  const startMs = nowMs()
  const accepted = await accepting.catch(() => undefined)
  for (const [index, { route }] of prepared.entries())
    tracer?.stored(trace, route, startMs, storedAs(accepted?.[index]))
  return accepted ?? accepting
}

/** Undefined: the store has refused it. */
function storedAs(accepted: Accepted | undefined): 'stored' | 'known' | 'refused' {
  if (accepted === undefined || 'isRefused' in accepted) return 'refused'
  return 'order' in accepted ? 'stored' : 'known'
}

/** `isTried`: only if a push was ever delivered to the device. */
export function newDeliveryOf({ delivery, unless }: Prepared, isTried: boolean): NewDelivery {
  return { delivery, unless, requires: isTried ? knownKey(delivery) : undefined, ...rememberedOf(delivery) }
}

/** The pushkeys that the homeserver is told of. */
export function rejectedOf(devices: readonly Device[], results: readonly DeviceResult[]): readonly string[] {
  if (!results.includes('rejected')) return []
  const rejected = devices.filter((_, index) => results[index] === 'rejected')
  return [...new Set(rejected.map(({ pushkey }) => pushkey.reveal()))]
}
