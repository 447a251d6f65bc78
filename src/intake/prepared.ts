/** What is to be stored, and on what conditions. */
import type { DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { rememberedOf } from '../memory/deduplication.ts'
import { knownKey } from '../memory/known-devices.ts'
import type { NewDelivery } from '../store/contract.ts'
import type { Candidate } from './candidate.ts'

export type Admission = Awaited<ReturnType<DeadPushkeys['admit']>>

/** What is to be stored, unless there is an entry under one of these keys. */
export interface Prepared extends Candidate {
  readonly unless: readonly string[]
}

/** The memory was asked about the device. */
export function admitted(candidate: Candidate, admission: Admission): Prepared {
  const delivery = { ...candidate.delivery, probesDead: admission === 'probe' || undefined }
  const { claims } = rememberedOf(delivery)
  return { ...candidate, delivery, unless: claims === undefined ? [] : [claims] }
}

/** `isTried`: only if a push was ever delivered to the device. */
export function newDeliveryOf({ delivery, unless }: Prepared, isTried: boolean): NewDelivery {
  return { delivery, unless, requires: isTried ? knownKey(delivery) : undefined, ...rememberedOf(delivery) }
}
