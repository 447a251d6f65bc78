/** What is not counted as it happens but asked for when somebody scrapes: the queues, the gates, the store. */
import type { Route } from '../core/route.ts'
import type { WireCounts } from '../core/wire.ts'
import type { QueueDepth, Store } from '../store/contract.ts'
import type { Exposition } from './instruments.ts'
import type { Metrics } from './metrics.ts'

export interface ScrapeParts {
  readonly metrics: Metrics
  readonly store: Pick<Store, 'health' | 'queue'>
  readonly routes: () => readonly Route[]
  /** Of a route by its name; undefined where nothing is sent. */
  readonly gateOf: (route: string) => 'open' | 'held' | 'blocked' | undefined
  /** By the operator. */
  readonly isPaused: (route: string) => boolean
  /** Of what is sent in this process. */
  readonly wire: () => readonly WireCounts[]
  /** As the store has it: another process may have tripped the guard, or this one before it was started again. Rejects where the store does not say. */
  readonly isSuspected: (route: string) => Promise<boolean>
  /** How far the machine's clock is ahead of ours. */
  readonly clockSkewMs: () => number
  readonly nowMs: () => number
}

/** What the store says of a route; undefined where it does not. */
interface ReadRoute {
  readonly route: Route
  readonly depth: QueueDepth | undefined
  readonly suspected: boolean | undefined
}

export class Scrape {
  readonly #parts: ScrapeParts
  #reading: Promise<void> | undefined

  constructor(parts: ScrapeParts) {
    this.#parts = parts
  }

  /** Who asks while another is answered gets the same: however many scrape, each queue is read once. */
  async expose(): Promise<Exposition> {
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined))
    await this.#reading
    return this.#parts.metrics.expose()
  }

  async #read(): Promise<void> {
    const { metrics, store, routes, wire, isSuspected, clockSkewMs, nowMs } = this.#parts
    metrics.canaries.aged(nowMs())
    metrics.store.health(store.health())
    metrics.store.clockSkew(clockSkewMs())
    const read = await Promise.all(
      routes().map(async (route) => {
        const [depth, suspected] = await Promise.all([
          orUndefined<QueueDepth>(store.queue.depth(route.name)),
          orUndefined<boolean>(isSuspected(route.name)),
        ])
        return { route, depth, suspected }
      }),
    )
    // The configuration may have changed meanwhile.
    const left = new Set(routes().map(({ app, provider }) => `${app} ${provider}`))
    const lags = read.map((each) => (left.has(`${each.route.app} ${each.route.provider}`) ? this.#tell(each) : 0))
    metrics.wire.counted(routes(), wire())
    metrics.process.scalingLag(Math.max(0, ...lags))
  }

  /** Returns the seconds by which the route lags, as far as more processes would help. */
  #tell({ route, depth, suspected }: ReadRoute): number {
    const { metrics, gateOf, isPaused } = this.#parts
    const gate = gateOf(route.name)
    metrics.delivery.circuitOpen(route, gate === 'held')
    metrics.delivery.paused(route, isPaused(route.name))
    metrics.store.depth(route, depth)
    if (suspected !== undefined) metrics.delivery.suspected(route, suspected)
    return gate === 'open' && !isPaused(route.name) && depth !== undefined ? depth.overdueMs / 1000 : 0
  }
}

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch(() => undefined)
}
