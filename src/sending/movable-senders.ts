/**
 * Senders in this thread, until there is so much to do that those that take most of it get one of their own. Not from the start: that takes 40 MB, and most
 * gateways never have that much to do. Not all of them: where sending is little work, handing it over is as much (docs/decisions.md).
 */
import { kindOf } from '../config/schema.ts'
import type { DeliverySender } from '../core/provider.ts'
import type { WireCounts } from '../core/wire.ts'
import type { Proxy } from '../network/dial.ts'
import { LocalSenders, type LocalSendersParts } from './local-senders.ts'
import type { Senders, SendingRoute } from './senders.ts'
import { ThreadSenders } from './thread-senders.ts'

export class MovableSenders implements Senders {
  readonly #parts: LocalSendersParts
  readonly #local: Senders
  #inThread: Senders | undefined

  constructor(parts: LocalSendersParts) {
    this.#parts = parts
    this.#local = new LocalSenders(parts)
  }

  open(route: SendingRoute, proxy: Proxy | undefined): Promise<DeliverySender> {
    const senders = this.#inThread !== undefined && this.movesToThread(route) ? this.#inThread : this.#local
    return senders.open(route, proxy)
  }

  /** Whether it is one of those that get a thread of their own. */
  movesToThread({ provider }: Pick<SendingRoute, 'provider'>): boolean {
    return kindOf(this.#parts.kinds, provider).encryptsWhenSending === true
  }

  /**
   * From now on senders that are to move are opened in a thread of their own, which knows the push services of providers/index.ts. `reopen` opens those that are
   * in use anew; its error is passed on, and those that it could not open stay where they are.
   */
  async moveToThread(reopen: () => Promise<void>): Promise<void> {
    this.#inThread ??= new ThreadSenders(this.#parts.warn)
    await reopen()
  }

  /** A route may be in it twice: as it was sent for before, and as it is now. */
  async wire(): Promise<readonly WireCounts[]> {
    const [local, inThread = []] = await Promise.all([this.#local.wire(), this.#inThread?.wire()])
    return [...local, ...inThread]
  }

  async close(): Promise<void> {
    await Promise.all([this.#local.close(), this.#inThread?.close()])
  }
}
