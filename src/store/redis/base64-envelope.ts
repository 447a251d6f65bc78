/** Sealed deliveries as base64, for JSON and for fields of Redis: in UTF-8 that is a third smaller than Latin-1. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
import { MAX_BATCH } from '../contract.ts'
import { mayBeFor, sealDeliveries, startBytes, tryOpenDeliveries } from '../envelope.ts'

export function sealToBase64(keyring: Keyring, route: string, deliveries: readonly Delivery[]): string {
  return sealDeliveries(keyring, route, deliveries).toString('base64')
}

/** Undefined when it cannot be opened. `hashStart`: only those for devices whose hash begins so. */
export function openBase64(
  keyring: Keyring,
  route: string,
  sealed: string,
  hashStart?: string,
): Delivery[] | undefined {
  return tryOpenDeliveries(keyring, route, Buffer.from(sealed, 'base64'), hashStart)
}

/** So much of what holds deliveries `mayBeIn` has to see. */
export const START_CHARACTERS = Math.ceil(startBytes(MAX_BATCH) / 3) * 4

/** As `mayBeFor`. */
export function mayBeIn(keyring: Keyring, sealed: readonly string[], hashStart: string): boolean[] {
  const starts = sealed.map((each) => Buffer.from(each.slice(0, START_CHARACTERS), 'base64'))
  return mayBeFor(keyring, starts, hashStart)
}
