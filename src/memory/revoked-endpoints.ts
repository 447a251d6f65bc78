/** Remembers which endpoints of the relay were revoked by whoever had them: by keyed hash, so that what is sent there later is refused. */
import type { Identities } from '../core/identities.ts'
import type { Memory, Owner } from '../store/contract.ts'
import type { KnownDevices } from './known-devices.ts'

/** As long as a dead pushkey: a homeserver that is told at its next message gives the endpoint up. */
const LIFETIME_MS = 30 * 24 * 3600_000

export interface RevokedEndpointsParts {
  readonly memory: Pick<Memory, 'set'>
  readonly known: Pick<KnownDevices, 'isKnown'>
  readonly identities: Pick<Identities, 'revoked'>
}

export class RevokedEndpoints {
  readonly #parts: RevokedEndpointsParts

  constructor(parts: RevokedEndpointsParts) {
    this.#parts = parts
  }

  /**
   * Resolves with whether it is remembered. Of a device that nothing was ever delivered to it is not: anybody can make such devices up, and fill the memory with
   * them. Rejects with StoreUnavailableError.
   */
  async revoke(device: Required<Owner> & { readonly deviceHash: string }, endpoint: string): Promise<boolean> {
    const { memory, known } = this.#parts
    if (!(await known.isKnown(device))) return false
    await memory.set(device, this.keyOf(device, endpoint), '1', LIFETIME_MS)
    return true
  }

  /** Key of the memory with an entry for an endpoint that is revoked. */
  keyOf({ deviceHash }: { readonly deviceHash: string }, endpoint: string): string {
    return `revoked:${this.#parts.identities.revoked(deviceHash, endpoint)}`
  }
}
