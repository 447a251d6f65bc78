/** Opens the senders of push services, and counts what they answer. */
import type { RouteConfig } from '../config/config.ts'
import { kindOf, type ProviderKinds } from '../config/schema.ts'
import type { Sender } from '../core/provider.ts'
import type { WireCounts } from '../core/wire.ts'
import { createDial, type Proxy } from '../network/dial.ts'
import { WireCounter } from './wire-counter.ts'

/** What there is to know of a route to send for it. */
export interface SendingRoute extends Pick<RouteConfig, 'app' | 'provider' | 'options'> {
  /** How many deliveries may be in flight at once. */
  readonly concurrency: number
}

export interface SendersParts {
  readonly kinds: ProviderKinds
  readonly nowMs: () => number
  /** Tells the operator of something about an app. */
  readonly warn: (app: string, message: string) => void
}

export class Senders {
  readonly #parts: SendersParts
  readonly #wire = new WireCounter()

  constructor(parts: SendersParts) {
    this.#parts = parts
  }

  /** Rejects when the files among the options cannot be used. `proxy`: how push services are reached; undefined: directly. */
  async open({ app, provider, options, concurrency }: SendingRoute, proxy: Proxy | undefined): Promise<Sender> {
    const { kinds, nowMs, warn } = this.#parts
    const way = this.#wire.count(app, provider, createDial(proxy))
    const context = { ...way, app, nowMs, concurrency, warn: (message: string) => warn(app, message) }
    return kindOf(kinds, provider).open(options, context)
  }

  /** Of each route that a sender was opened for. */
  wire(): readonly WireCounts[] {
    return this.#wire.counts()
  }
}
