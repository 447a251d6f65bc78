/** The routes that deliver: of each its sender and its worker, swapped as a whole when the configuration changes. */
import type { RouteConfig } from '../config/config.ts'
import type { ProviderKinds } from '../config/schema.ts'
import type { ProviderContext, Sender } from '../core/provider.ts'
import { Worker, type WorkerParts } from './worker.ts'

export interface RunningRoutesParts extends WorkerParts {
  readonly kinds: ProviderKinds
  /** Deliveries of one route in flight at once. */
  readonly concurrency: number
  readonly contextFor: (route: RouteConfig) => ProviderContext
}

interface Running {
  readonly config: RouteConfig
  readonly sender: Sender
}

const STOP_GRACE_MS = 20_000

export class RunningRoutes {
  readonly #parts: RunningRoutesParts
  #running: ReadonlyMap<string, Running> = new Map()
  readonly #workers = new Map<string, Worker>()

  constructor(parts: RunningRoutesParts) {
    this.#parts = parts
  }

  isBlocked(route: string): boolean {
    return this.#workers.get(route)?.isBlocked === true
  }

  credentialExpiresAtMs(route: string): number | undefined {
    return this.#running.get(route)?.sender.credentialExpiresAtMs
  }

  /** Opens what is new first, so that a failure changes nothing; then swaps; then lets what was replaced finish. `changed` names the routes to open anew. */
  async apply(configs: readonly RouteConfig[], changed: ReadonlySet<string>): Promise<void> {
    const next = new Map<string, Running>()
    try {
      for (const config of configs) {
        const existing = this.#running.get(config.name)
        const isKept = existing !== undefined && !changed.has(config.name)
        next.set(config.name, isKept ? existing : { config, sender: await this.#openSender(config) })
      }
    } catch (error) {
      await closeSenders([...next.values()].filter((opened) => this.#running.get(opened.config.name) !== opened))
      throw error
    }
    const replaced = [...this.#running.values()].filter((running) => next.get(running.config.name) !== running)
    this.#running = next
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
    const kind = this.#parts.kinds[config.provider]
    if (kind === undefined) throw new TypeError(`no push service is called ${config.provider}`)
    return kind.open(config.options, this.#parts.contextFor(config))
  }

  #startWorkers(): void {
    for (const { config } of this.#running.values()) {
      const { name } = config
      if (this.#workers.has(name)) continue
      const senderNow = (): Sender | undefined => this.#running.get(name)?.sender
      this.#workers.set(name, new Worker(config, senderNow, this.#parts.concurrency, this.#parts))
    }
  }

  async #stopWorker(name: string): Promise<void> {
    const worker = this.#workers.get(name)
    this.#workers.delete(name)
    await worker?.stop(STOP_GRACE_MS)
  }
}

async function closeSenders(routes: readonly Running[]): Promise<void> {
  await Promise.all(routes.map(({ sender }) => sender.close()))
}
