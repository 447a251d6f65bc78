/**
 * Whether the operator's proxy refuses us, or a host. 401 and 407 say that it does not know us; but it may say so for one host only, and strangers name
 * hosts. So the app is blocked only where it refuses a host that the operator means to reach, and not again for a host for which that led nowhere.
 */
import { forgetOldest } from '../../../core/forget-oldest.ts'

const MAX_HOSTS = 1000

export class ProxyRefusals {
  /** Named hosts that it refused since it let anybody through. */
  readonly #refused = new Set<string>()

  /** True: all of the app must wait. False: this host alone. */
  isProof(host: string, isNamed: boolean): boolean {
    if (!isNamed || this.#refused.has(host)) return false
    this.#refused.add(host)
    forgetOldest(this.#refused, MAX_HOSTS)
    return true
  }

  /** A host has answered. */
  letThrough(): void {
    this.#refused.clear()
  }
}
