/** Who is sending, as APNs finds out: by the provider token of a request, or by the connection's certificate. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { readSignedToken } from '../core/signed-token.ts'
import type { ApnsReason } from './apns-refusal.ts'

/** A signing key that the simulator knows, and the apps it may send for. */
export interface ApnsKey {
  readonly keyId: string
  readonly teamId: string
  /** PEM if it is text. */
  readonly publicKey: KeyObject | string
  readonly topics: readonly string[]
}

/** What is known of a connection. */
export interface Peer {
  /** The UID in the subject of a certificate that we trust. */
  readonly certificateTopic?: string | undefined
  /** The key of the first provider token on it. */
  keyId?: string | undefined
}

const MINUTE_MS = 60_000
const MAX_AGE_MS = 60 * MINUTE_MS
const MIN_BETWEEN_UPDATES_MS = 20 * MINUTE_MS
/** Allowed for clocks that differ. */
const MAX_FUTURE_MS = MINUTE_MS

interface Verified {
  readonly key: ApnsKey
  readonly issuedAtMs: number
}

export class Authorization {
  readonly #keys: ReadonlyMap<string, ApnsKey>
  readonly #limitsUpdates: boolean
  readonly #nowMs: () => number
  /** By key: the token of now, and since when. */
  readonly #current = new Map<string, { readonly token: string; readonly sinceMs: number }>()
  /** Checking a signature takes longer than all the rest of a push. */
  readonly #verified = new Map<string, Verified>()

  constructor(keys: readonly ApnsKey[], limitsUpdates: boolean, nowMs: () => number) {
    this.#keys = new Map(keys.map((key) => [key.keyId, key]))
    this.#limitsUpdates = limitsUpdates
    this.#nowMs = nowMs
  }

  /** The topics that may be sent to, or why none. */
  topicsFor(header: string | undefined, peer: Peer): readonly string[] | ApnsReason {
    if (header === undefined)
      return peer.certificateTopic === undefined ? 'MissingProviderToken' : [peer.certificateTopic]
    const token = /^bearer (\S+)$/i.exec(header)?.[1]
    const verified = token === undefined ? undefined : this.#verify(token)
    if (token === undefined || verified === undefined) return 'InvalidProviderToken'
    const { key, issuedAtMs } = verified
    const ageMs = this.#nowMs() - issuedAtMs
    if (ageMs < -MAX_FUTURE_MS) return 'InvalidProviderToken'
    if (ageMs > MAX_AGE_MS) return 'ExpiredProviderToken'
    peer.keyId ??= key.keyId
    if (peer.keyId !== key.keyId) return 'UnrelatedKeyIdInToken'
    return this.#isTooManyUpdates(key.keyId, token) ? 'TooManyProviderTokenUpdates' : key.topics
  }

  #isTooManyUpdates(keyId: string, token: string): boolean {
    const current = this.#current.get(keyId)
    if (current?.token === token) return false
    const nowMs = this.#nowMs()
    if (this.#limitsUpdates && current !== undefined && nowMs - current.sinceMs < MIN_BETWEEN_UPDATES_MS) return true
    this.#current.set(keyId, { token, sinceMs: nowMs })
    return false
  }

  #verify(token: string): Verified | undefined {
    const known = this.#verified.get(token)
    if (known !== undefined) return known
    const read = readSignedToken(token)
    if (read === undefined) return undefined
    const { header, claims, signed, signature } = read
    const { alg, kid } = header
    const { iss, iat } = claims
    const key = typeof kid === 'string' ? this.#keys.get(kid) : undefined
    if (alg !== 'ES256' || key === undefined || iss !== key.teamId || typeof iat !== 'number') return undefined
    const publicKey = typeof key.publicKey === 'string' ? createPublicKey(key.publicKey) : key.publicKey
    const verifier = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const
    if (!verify('sha256', Buffer.from(signed), verifier, Buffer.from(signature, 'base64url'))) return undefined
    const verified = { key, issuedAtMs: iat * 1000 }
    this.#verified.set(token, verified)
    return verified
  }
}
