/** Senders in the thread that asks for them. */
import { kindOf, type ProviderKinds } from '../config/schema.ts'
import type { Sender } from '../core/provider.ts'
import type { WireCounts } from '../core/wire.ts'
import { createDial, type Proxy } from '../network/dial.ts'
import type { Senders, SendingRoute, Warn } from './senders.ts'
import { WireCounter } from './wire-counter.ts'

export interface LocalSendersParts {
  readonly kinds: ProviderKinds
  readonly nowMs: () => number
  readonly warn: Warn
}

export class LocalSenders implements Senders {
  readonly #parts: LocalSendersParts
  readonly #wire = new WireCounter()

  constructor(parts: LocalSendersParts) {
    this.#parts = parts
  }

  async open({ app, provider, options, concurrency }: SendingRoute, proxy: Proxy | undefined): Promise<Sender> {
    const { kinds, nowMs, warn } = this.#parts
    const way = this.#wire.count(app, provider, createDial(proxy))
    const context = { ...way, app, nowMs, concurrency, warn: (message: string) => warn(app, message) }
    return kindOf(kinds, provider).open(options, context)
  }

  async wire(): Promise<readonly WireCounts[]> {
    return this.#wire.counts()
  }

  async close(): Promise<void> {}
}
