/** Senders in the thread that asks for them. */
import { kindOf, type ProviderKinds } from '../config/schema.ts'
import type { Sender } from '../core/provider.ts'
import { createDial, type Proxy } from '../network/dial.ts'
import type { Senders, SendingRoute, Warn } from './senders.ts'

export interface LocalSendersParts {
  readonly kinds: ProviderKinds
  readonly nowMs: () => number
  readonly warn: Warn
}

export class LocalSenders implements Senders {
  readonly #parts: LocalSendersParts

  constructor(parts: LocalSendersParts) {
    this.#parts = parts
  }

  async open({ app, provider, options, concurrency }: SendingRoute, proxy: Proxy | undefined): Promise<Sender> {
    const { kinds, nowMs, warn } = this.#parts
    const context = { app, nowMs, dial: createDial(proxy), concurrency, warn: (message: string) => warn(app, message) }
    return kindOf(kinds, provider).open(options, context)
  }

  async close(): Promise<void> {}
}
