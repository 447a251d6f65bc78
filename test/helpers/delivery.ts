/** Deliveries and keys for tests of what stores, hands out and sends them. */
import { randomUUID } from 'node:crypto'
import type { Delivery } from '../../src/core/delivery.ts'
import { createKeyFile, Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Revival } from '../../src/store/contract.ts'

/** Each call is a delivery of its own, to a device of its own, expiring in an hour, unless told otherwise. */
export function createDelivery(overrides: Partial<Delivery> = {}): Delivery {
  const id = randomUUID()
  const acceptedAtMs = overrides.acceptedAtMs ?? Date.now()
  return {
    id,
    route: 'com.example.app',
    priority: 'event',
    target: new Secret(`pushkey-${id}`),
    message: { headers: { 'apns-priority': '10' }, body: JSON.stringify({ aps: { 'mutable-content': 1 } }) },
    deviceHash: `device-${id}`,
    acceptedAtMs,
    expiresAtMs: acceptedAtMs + 3600_000,
    ...overrides,
  }
}

/** `count` of them, named apart by their ids. */
export function createDeliveries(count: number, overrides: Partial<Delivery> = {}): Delivery[] {
  return Array.from({ length: count }, () => createDelivery(overrides))
}

/** Fresh random keys. */
export function createKeyring(): Keyring {
  return keyringIn(createKeyFile())
}

/** That of a key file. */
export function keyringIn(text: string): Keyring {
  const keyring = parseKeyFile(text)
  if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))
  return keyring
}

/** Dead letters that are put back are worth delivering until then; calls for a minute from when they were accepted. */
export function revivedUntil(expiresAtMs: number): Revival {
  return { expiresAtMs, callMaxAgeMs: 60_000 }
}
