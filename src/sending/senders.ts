/** Where the senders of push services are opened: in this thread (local-senders.ts), or in one of their own (thread-senders.ts). */
import type { RouteConfig } from '../config/config.ts'
import type { DeliverySender } from '../core/provider.ts'
import type { WireCounts } from '../core/wire.ts'
import type { Proxy } from '../network/dial.ts'

/** What there is to know of a route to send for it. */
export interface SendingRoute extends Pick<RouteConfig, 'app' | 'provider' | 'options'> {
  /** How many deliveries may be in flight at once. */
  readonly concurrency: number
}

/** Tells the operator of something about an app. */
export type Warn = (app: string, message: string) => void

export interface Senders {
  /** Rejects when the files among the options cannot be used. `proxy`: how push services are reached; undefined: directly. */
  open(route: SendingRoute, proxy: Proxy | undefined): Promise<DeliverySender>
  /** Of each route that a sender was opened for. */
  wire(): Promise<readonly WireCounts[]>
  /** After all senders are closed. */
  close(): Promise<void>
}
