/**
 * Remembers which endpoints of the relay were revoked by the app that has the pushkey: of a device and one sender, all that were traded up to a time. One entry
 * for all of them, by keyed hash, for as long as the youngest of them could still be used.
 */
import { HourlyLimit } from '../core/hourly-limit.ts'
import type { Identities } from '../core/identities.ts'
import { MAX_ENDPOINT_AGE_SECONDS, type Registration } from '../core/relay-endpoint.ts'
import { isSameText } from '../core/same-text.ts'
import type { Memory, Owner } from '../store/contract.ts'
import type { KnownDevices } from './known-devices.ts'

/** Of one route and by one process: whoever has a device can trade for as many senders as he likes. */
const REVOKED_PER_HOUR = 1000
/** Of one device, so that one does not take the room of all. */
const REVOKED_OF_DEVICE_PER_HOUR = 10

export interface RevokedEndpointsParts {
  readonly memory: Pick<Memory, 'get' | 'set'>
  readonly known: Pick<KnownDevices, 'isKnown'>
  readonly identities: Pick<Identities, 'revoked' | 'revocation'>
  readonly nowMs: () => number
}

type Device = Required<Owner> & { readonly deviceHash: string }
type Traded = Pick<Registration, 'vapidKey' | 'issuedAt'>

/** `unknown`: nothing was ever delivered to the device. `later`: as many were revoked in this hour as are remembered of one. */
export type Revoked = 'revoked' | 'unknown' | 'later'

export class RevokedEndpoints {
  readonly #parts: RevokedEndpointsParts
  readonly #ofRoute: HourlyLimit
  readonly #ofDevice: HourlyLimit

  constructor(parts: RevokedEndpointsParts) {
    this.#parts = parts
    this.#ofRoute = new HourlyLimit(REVOKED_PER_HOUR, parts.nowMs)
    this.#ofDevice = new HourlyLimit(REVOKED_OF_DEVICE_PER_HOUR, parts.nowMs)
  }

  /**
   * What was traded up to when this was. Of a device that nothing was ever delivered to it is not remembered: anybody can make such devices up, and fill the
   * memory with them. Rejects with StoreUnavailableError.
   */
  async revoke(device: Device, traded: Traded): Promise<Revoked> {
    const { memory, known, identities, nowMs } = this.#parts
    const leftMs = (traded.issuedAt + MAX_ENDPOINT_AGE_SECONDS) * 1000 - nowMs()
    if (leftMs <= 0) return 'revoked'
    if (!(await known.isKnown(device))) return 'unknown'
    if (await this.isRevoked(device, traded)) return 'revoked'
    if (!this.#ofDevice.take(device.deviceHash) || !this.#ofRoute.take(device.route)) return 'later'
    const hash = identities.revoked(device.deviceHash, traded.vapidKey)
    const upTo = String(traded.issuedAt)
    await memory.set(device, keyOf(hash), `${upTo} ${identities.revocation(hash, upTo)}`, leftMs)
    return 'revoked'
  }

  /** Rejects with StoreUnavailableError. */
  async isRevoked(device: Device, { vapidKey, issuedAt }: Traded): Promise<boolean> {
    const { memory, identities } = this.#parts
    const hash = identities.revoked(device.deviceHash, vapidKey)
    const [upTo, signature] = (await memory.get(device, keyOf(hash)))?.split(' ') ?? []
    if (upTo === undefined || signature === undefined) return false
    // Who can only write to the store must not have a homeserver delete a pusher.
    return isSameText(signature, identities.revocation(hash, upTo)) && issuedAt <= Number(upTo)
  }

  /** Key of the memory with an entry where endpoints of the device for this sender were revoked. */
  keyOf({ deviceHash }: Pick<Device, 'deviceHash'>, { vapidKey }: Pick<Traded, 'vapidKey'>): string {
    return keyOf(this.#parts.identities.revoked(deviceHash, vapidKey))
  }
}

function keyOf(revokedHash: string): string {
  return `revoked:${revokedHash}`
}
