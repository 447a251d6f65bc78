/** The routes that deliver: of each its sender and its worker. All senders are swapped in one step when the configuration changes. */
import type { Config, ProxyConfig, RouteConfig } from '../config/config.ts'
import type { Message } from '../core/message.ts'
import type { Outcome } from '../core/outcome.ts'
import type { Sender } from '../core/provider.ts'
import type { Secret } from '../core/secret.ts'
import type { GateStatus } from './gate.ts'
import { Worker, type Delivering, type WorkerParts } from './worker.ts'

export interface DeliveringRoutesParts extends WorkerParts {
  /** Deliveries of one route in flight at once. */
  readonly concurrency: number
  /** Rejects when the route's files cannot be used. */
  readonly openSender: (route: RouteConfig, proxy: ProxyConfig | undefined) => Promise<Sender>
}

/** What is configured of all routes: which there are, and how their push services are reached. */
type Configured = Pick<Config, 'routes' | 'proxy'>

interface RunningRoute extends Delivering {
  readonly route: RouteConfig
}

const STOP_GRACE_MS = 20_000

export class DeliveringRoutes {
  readonly #parts: DeliveringRoutesParts
  #running: ReadonlyMap<string, RunningRoute> = new Map()
  readonly #workers = new Map<string, Worker>()
  /** Names of routes. */
  #paused: Pick<ReadonlySet<string>, 'has'> = new Set()
  /** One change at a time. */
  #changing: Promise<void> = Promise.resolve()

  constructor(parts: DeliveringRoutesParts) {
    this.#parts = parts
  }

  isBlocked(route: string): boolean {
    return this.#workers.get(route)?.isBlocked === true
  }

  /** Undefined for a route that does not deliver. */
  gateStatus(route: string): GateStatus | undefined {
    return this.#workers.get(route)?.gateStatus
  }

  /** These, by the names of the routes, are paused by the operator from now on, and no others. */
  setPaused(routes: Pick<ReadonlySet<string>, 'has'>): void {
    this.#paused = routes
    for (const [name, worker] of this.#workers) worker.setPaused(routes.has(name))
  }

  /** One attempt past the queue, which nothing follows from. Undefined for a route that does not deliver. */
  async sendOnce(route: string, message: Message, target: Secret, signal: AbortSignal): Promise<Outcome | undefined> {
    return this.#running.get(route)?.sender.send(message, target, signal)
  }

  credentialExpiresAtMs(route: string): number | undefined {
    return this.#running.get(route)?.sender.credentialExpiresAtMs
  }

  /**
   * Opens what is new first, so that a failure changes nothing; then swaps; then lets what was replaced finish. `changed` names the routes to open anew.
   * `onSwapped` is called in the step that swaps: what is accepted from then on has to be for the new routes, or it would wait for those that go.
   */
  apply(configured: Configured, changed: ReadonlySet<string>, onSwapped: () => void = () => {}): Promise<void> {
    const applied = this.#changing.then(() => this.#apply(configured, changed, onSwapped))
    this.#changing = applied.catch(() => {})
    return applied
  }

  async #apply({ routes, proxy }: Configured, changed: ReadonlySet<string>, onSwapped: () => void): Promise<void> {
    const next = new Map<string, RunningRoute>()
    try {
      for (const route of routes) {
        const existing = this.#running.get(route.name)
        const isKept = existing !== undefined && !changed.has(route.name)
        next.set(route.name, isKept ? existing : { route, sender: await this.#parts.openSender(route, proxy) })
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
    await this.#changing
    await Promise.all([...this.#workers.keys()].map((name) => this.#stopWorker(name)))
    await closeSenders([...this.#running.values()])
  }

  #startWorkers(): void {
    for (const { route } of this.#running.values()) {
      const { name } = route
      if (this.#workers.has(name)) continue
      const worker = new Worker(route, () => this.#running.get(name), this.#parts.concurrency, this.#parts)
      worker.setPaused(this.#paused.has(name))
      this.#workers.set(name, worker)
    }
  }

  async #stopWorker(name: string): Promise<void> {
    const worker = this.#workers.get(name)
    this.#workers.delete(name)
    await worker?.stop(STOP_GRACE_MS)
  }
}

async function closeSenders(routes: readonly RunningRoute[]): Promise<void> {
  await Promise.all(routes.map(({ sender }) => sender.close()))
}
