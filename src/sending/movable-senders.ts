/**
 * Senders in this thread, until there is so much to do that they get one of their own. Not from the start: that takes 20 MB, and most gateways never have
 * that much to do (docs/decisions.md).
 */
import type { DeliverySender } from '../core/provider.ts'
import type { WireCounts } from '../core/wire.ts'
import type { Proxy } from '../network/dial.ts'
import { LocalSenders, type LocalSendersParts } from './local-senders.ts'
import type { Senders, SendingRoute } from './senders.ts'
import { ThreadSenders } from './thread-senders.ts'

export class MovableSenders implements Senders {
  readonly #parts: LocalSendersParts
  #current: Senders
  /** What was counted before it moved goes on to count. */
  #before: Senders | undefined

  constructor(parts: LocalSendersParts) {
    this.#parts = parts
    this.#current = new LocalSenders(parts)
  }

  open(route: SendingRoute, proxy: Proxy | undefined): Promise<DeliverySender> {
    return this.#current.open(route, proxy)
  }

  /**
   * From now on senders are opened in a thread of their own, which knows the push services of providers/index.ts. `reopen` opens all that are in use anew;
   * when it rejects, all is as before, and the error is passed on.
   */
  async moveToThread(reopen: () => Promise<void>): Promise<void> {
    const before = this.#current
    const inThread = new ThreadSenders(this.#parts.warn)
    this.#current = inThread
    try {
      await reopen()
      this.#before = before
    } catch (error) {
      this.#current = before
      await inThread.close()
      throw error
    }
  }

  /** A route may be in it twice: as it was sent for before, and as it is now. */
  async wire(): Promise<readonly WireCounts[]> {
    const [now, before = []] = await Promise.all([this.#current.wire(), this.#before?.wire()])
    return [...before, ...now]
  }

  close(): Promise<void> {
    return this.#current.close()
  }
}
