/** The signed introduction to a push service (RFC 8292), made once per origin and half a day. */
import { forgetOldest } from '../../core/forget-oldest.ts'
import type { VapidKey } from './vapid-key.ts'

/** RFC 8292 §2: at most 24 hours; half of it leaves room for clocks that differ. */
const LIFETIME_SECONDS = 12 * 3600
const RENEW_BEFORE_MS = 3600_000
/** More origins than that are forgotten, the oldest first: strangers name them. */
const MAX_ORIGINS = 1000

/** web-push's: signs with ES256. */
export type SignVapid = (
  audience: string,
  subject: string,
  publicKey: string,
  privateKey: string,
  contentEncoding: 'aes128gcm',
  expiration: number,
) => { readonly Authorization: string }

export class VapidHeaders {
  readonly #key: VapidKey
  readonly #subject: string
  readonly #sign: SignVapid
  readonly #nowMs: () => number
  readonly #headers = new Map<string, { readonly value: string; readonly renewAtMs: number }>()

  constructor(key: VapidKey, subject: string, sign: SignVapid, nowMs: () => number) {
    this.#key = key
    this.#subject = subject
    this.#sign = sign
    this.#nowMs = nowMs
  }

  /** The `Authorization` header for this origin. */
  get(origin: string): string {
    const nowMs = this.#nowMs()
    const known = this.#headers.get(origin)
    if (known !== undefined && nowMs < known.renewAtMs) return known.value
    const { publicKey, privateKey } = this.#key
    const expiration = Math.floor(nowMs / 1000) + LIFETIME_SECONDS
    const { Authorization: value } = this.#sign(origin, this.#subject, publicKey, privateKey, 'aes128gcm', expiration)
    this.#headers.delete(origin)
    this.#headers.set(origin, { value, renewAtMs: expiration * 1000 - RENEW_BEFORE_MS })
    forgetOldest(this.#headers, MAX_ORIGINS)
    return value
  }

  /** It was refused: the next one is signed anew, for our clock may have been wrong. */
  drop(origin: string): void {
    this.#headers.delete(origin)
  }
}
