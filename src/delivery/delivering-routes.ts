/** The routes that deliver: of each its sender and its worker. All senders are swapped in one step when the configuration changes. */
import type { RouteConfig } from '../config/config.ts'
import { kindOf, type ProviderKinds } from '../config/schema.ts'
import type { ProviderContext, Sender } from '../core/provider.ts'
import { Worker, type Delivering, type WorkerParts } from './worker.ts'

export interface DeliveringRoutesParts extends WorkerParts {
  readonly kinds: ProviderKinds
  /** Deliveries of one route in flight at once. */
  readonly concurrency: number
  readonly contextFor: (route: RouteConfig) => ProviderContext
}

const STOP_GRACE_MS = 20_000

export class DeliveringRoutes {
  readonly #parts: DeliveringRoutesParts
  #running: ReadonlyMap<string, Delivering> = new Map()
  readonly #workers = new Map<string, Worker>()

  constructor(parts: DeliveringRoutesParts) {
    this.#parts = parts
  }

  isBlocked(route: string): boolean {
    return this.#workers.get(route)?.isBlocked === true
  }

  credentialExpiresAtMs(route: string): number | undefined {
    return this.#running.get(route)?.sender.credentialExpiresAtMs
  }

  /**
   * Opens what is new first, so that a failure changes nothing; then swaps; then lets what was replaced finish. `changed` names the routes to open anew.
   * `onSwapped` is called in the step that swaps: what is accepted from then on has to be for the new routes, or it would wait for those that go.
   */
  async apply(
    configs: readonly RouteConfig[],
    changed: ReadonlySet<string>,
    onSwapped: () => void = () => {},
  ): Promise<void> {
    const next = new Map<string, Delivering>()
    try {
      for (const config of configs) {
        const existing = this.#running.get(config.name)
        const isKept = existing !== undefined && !changed.has(config.name)
        next.set(config.name, isKept ? existing : { route: config, sender: await this.#openSender(config) })
      }
    } catch (error) {
      await closeSenders([...next.values()].filter((opened) => this.#running.get(opened.route.name) !== opened))
      throw error
    }
    const replaced = [...this.#running.values()].filter((running) => next.get(running.route.name) !== running)
    this.#running = next
    onSwapped()
    const removed = [...this.#workers.keys()].filter((name) => !next.has(name))
    this.#startWorkers()
    for (const name of changed) this.#workers.get(name)?.probeNow()
    await Promise.all(removed.map((name) => this.#stopWorker(name)))
    await closeSenders(replaced)
  }

  async close(): Promise<void> {
    await Promise.all([...this.#workers.keys()].map((name) => this.#stopWorker(name)))
    await closeSenders([...this.#running.values()])
  }

  async #openSender(config: RouteConfig): Promise<Sender> {
    return kindOf(this.#parts.kinds, config.provider).open(config.options, this.#parts.contextFor(config))
  }

  #startWorkers(): void {
    for (const { route } of this.#running.values()) {
      const { name } = route
      if (this.#workers.has(name)) continue
      this.#workers.set(name, new Worker(route, () => this.#running.get(name), this.#parts.concurrency, this.#parts))
    }
  }

  async #stopWorker(name: string): Promise<void> {
    const worker = this.#workers.get(name)
    this.#workers.delete(name)
    await worker?.stop(STOP_GRACE_MS)
  }
}

async function closeSenders(routes: readonly Delivering[]): Promise<void> {
  await Promise.all(routes.map(({ sender }) => sender.close()))
}
