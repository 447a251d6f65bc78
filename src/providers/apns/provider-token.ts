/** The JWT that a signing key proves itself with: one per team and key in this process, whatever the number of apps and connections. */
import { createHash } from 'node:crypto'
import type { KeyCredential } from './credentials.ts'
import { createSignature, type Signature } from './node-apn.ts'

const MINUTE_MS = 60_000
// Apple, "Establishing a token-based connection to APNs": refused when older than 60 minutes, and when changed more often than every 20.
const RENEW_AFTER_MS = 50 * MINUTE_MS
/** A token that is younger cannot have expired, so a new one would be refused too: one of the two clocks is wrong. */
const MIN_EXPIRED_AGE_MS = MINUTE_MS

export class ProviderToken {
  readonly #signature: Signature
  readonly #nowMs: () => number
  #signedAtMs: number

  constructor(signature: Signature, nowMs: () => number) {
    this.#signature = signature
    this.#nowMs = nowMs
    this.#signedAtMs = nowMs()
  }

  /** For the header `authorization`. */
  current(): string {
    // A clock that was set back makes it a token from the future, which is refused as well.
    if (Math.abs(this.#ageMs()) >= RENEW_AFTER_MS) this.#sign()
    return `bearer ${this.#signature.current()}`
  }

  /** APNs says that `refused` has expired. Whether there is another one to try. */
  replace(refused: string): boolean {
    if (this.current() !== refused) return true
    if (Math.abs(this.#ageMs()) < MIN_EXPIRED_AGE_MS) return false
    this.#sign()
    return true
  }

  #ageMs(): number {
    return this.#nowMs() - this.#signedAtMs
  }

  #sign(): void {
    this.#signature.sign()
    this.#signedAtMs = this.#nowMs()
  }
}

/** Shared because Apple counts changes per key: every app of a team, and the sender after a reload, must show the same token. */
const shared = new Map<string, ProviderToken>()

export function providerTokenFor(credential: KeyCredential, nowMs: () => number): ProviderToken {
  const { key, keyId, teamId } = credential
  const name = createHash('sha256')
    .update(JSON.stringify([teamId, keyId, key.reveal()]))
    .digest('base64')
  const token = shared.get(name) ?? new ProviderToken(createSignature(key.reveal(), keyId, teamId), nowMs)
  shared.set(name, token)
  return token
}
