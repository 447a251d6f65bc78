/** Sealed deliveries as base64, for JSON and for fields of Redis: in UTF-8 that is a third smaller than Latin-1. */
import type { Delivery } from '../../core/delivery.ts'
import type { Keyring } from '../../core/keyring.ts'
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

/** `mayBeIn` needs so many characters, and more for each delivery. */
export const START_CHARACTERS = charactersOf(startBytes(0))
export const CHARACTERS_PER_DELIVERY = charactersOf(startBytes(1) - startBytes(0))

/** As `mayBeFor`. */
export function mayBeIn(keyring: Keyring, starts: readonly string[], hashStart: string): boolean[] {
  return mayBeFor(
    keyring,
    starts.map((start) => Buffer.from(start, 'base64')),
    hashStart,
  )
}

function charactersOf(bytes: number): number {
  return Math.ceil(bytes / 3) * 4
}
