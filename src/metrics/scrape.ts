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

/** Of the event loop: in the first what is asked together is collected, in the second it is sent (store/redis/depth.ts). */
const TURNS_TO_ASK = 2

export class Scrape {
  readonly #parts: ScrapeParts
  #exposing: Promise<Exposition> | undefined

  constructor(parts: ScrapeParts) {
    this.#parts = parts
  }

  /** Who asks while another is answered gets the same: however many scrape, each queue is read once. */
  expose(): Promise<Exposition> {
    this.#exposing ??= this.#expose().finally(() => (this.#exposing = undefined))
    return this.#exposing
  }

  /** While the store counts, what it need not be asked for is written. */
  async #expose(): Promise<Exposition> {
    const { metrics } = this.#parts
    const stored = this.#read()
    // Who waits for it comes later.
    stored.catch(() => {})
    // By then what is asked in one turn is on its way.
    for (let turn = 0; turn < TURNS_TO_ASK; turn += 1) await new Promise<void>((resolve) => void setImmediate(resolve))
    this.#tellOwn()
    return metrics.expose(stored)
  }

  #tellOwn(): void {
    const { metrics, store, routes, gateOf, isPaused, wire, clockSkewMs, nowMs } = this.#parts
    metrics.canaries.aged(nowMs())
    metrics.store.health(store.health())
    metrics.store.clockSkew(clockSkewMs())
    metrics.wire.counted(routes(), wire())
    for (const route of routes()) {
      metrics.delivery.circuitOpen(route, gateOf(route.name) === 'held')
      metrics.delivery.paused(route, isPaused(route.name))
    }
  }

  async #read(): Promise<void> {
    const { metrics, store, routes, isSuspected } = this.#parts
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
    metrics.process.scalingLag(Math.max(0, ...lags))
  }

  /** Returns the seconds by which the route lags, as far as more processes would help. */
  #tell({ route, depth, suspected }: ReadRoute): number {
    const { metrics, gateOf, isPaused } = this.#parts
    metrics.store.depth(route, depth)
    if (suspected !== undefined) metrics.delivery.suspected(route, suspected)
    return gateOf(route.name) === 'open' && !isPaused(route.name) && depth !== undefined ? depth.overdueMs / 1000 : 0
  }
}

async function orUndefined<T>(asked: Promise<T>): Promise<T | undefined> {
  return asked.catch(() => undefined)
}
