/** The apps that run: per app its way in, its sender and its worker; swapped as a whole when the configuration changes. */
import type { AppConfig } from '../config/config.ts'
import { compileApps } from '../core/app-match.ts'
import type { ProviderContext, ProviderKind, Sender } from '../core/provider.ts'
import type { IntakeApp } from '../intake/accept.ts'
import { startWorker, type AppWorker, type WorkerPorts } from './worker.ts'

export interface RunningApp {
  readonly config: AppConfig
  readonly intake: IntakeApp
  /** What the app needs to register its pusher, where there is such a thing (Web Push). */
  readonly publicKey: string | undefined
  /** Absent where nothing is sent (role http). */
  readonly sender: Sender | undefined
}

export interface AppsPorts {
  readonly kinds: Readonly<Record<string, ProviderKind>>
  /** Absent where nothing is sent. */
  readonly worker?:
    | { readonly concurrency: number; readonly portsFor: (app: string) => Omit<WorkerPorts, 'send'> }
    | undefined
  readonly contextFor: (app: string) => ProviderContext
}

const STOP_GRACE_MS = 20_000

export class Apps {
  readonly #ports: AppsPorts
  #running: ReadonlyMap<string, RunningApp> = new Map()
  #match: (appId: string) => string | undefined = compileApps([])
  readonly #workers = new Map<string, AppWorker>()

  constructor(ports: AppsPorts) {
    this.#ports = ports
  }

  appFor(appId: string): RunningApp | undefined {
    const name = this.#match(appId)
    return name === undefined ? undefined : this.#running.get(name)
  }

  list(): readonly RunningApp[] {
    return [...this.#running.values()]
  }

  /** The sender of an app as it is now; a delivery on its way keeps the one it started with. */
  senderOf(app: string): Sender | undefined {
    return this.#running.get(app)?.sender
  }

  workerOf(app: string): AppWorker | undefined {
    return this.#workers.get(app)
  }

  /** Opens what is new first, so that a failure changes nothing; then swaps; then lets what was replaced finish. `changed` names the apps to open anew. */
  async apply(configs: readonly AppConfig[], changed: ReadonlySet<string>): Promise<void> {
    const next = new Map<string, RunningApp>()
    try {
      for (const config of configs) {
        const existing = this.#running.get(config.name)
        next.set(config.name, existing !== undefined && !changed.has(config.name) ? existing : await this.#open(config))
      }
    } catch (error) {
      await closeSenders([...next.values()].filter((app) => this.#running.get(app.config.name) !== app))
      throw error
    }
    const replaced = [...this.#running.values()].filter((app) => next.get(app.config.name) !== app)
    this.#running = next
    this.#match = compileApps(configs.map(({ name }) => name))
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

  async #open(config: AppConfig): Promise<RunningApp> {
    const kind = this.#ports.kinds[config.kind]
    if (kind === undefined) throw new TypeError(`no push service is called ${config.kind}`)
    const publicKey = await kind.publicKey?.(config.options)
    const sender =
      this.#ports.worker === undefined
        ? undefined
        : await kind.open(config.options, this.#ports.contextFor(config.name))
    const intake: IntakeApp = {
      name: config.name,
      policy: config.policy,
      timing: config.timing,
      isVoip: config.options['push_type'] === 'voip',
      countsPer: kind.countsPer,
      targetOf: (pushkey, data) => kind.targetOf?.(pushkey, data) ?? pushkey,
      render: kind.renderer(config.options),
    }
    return { config, intake, publicKey, sender }
  }

  #startWorkers(): void {
    const { worker } = this.#ports
    if (worker === undefined) return
    for (const name of this.#running.keys()) {
      if (this.#workers.has(name)) continue
      const ports: WorkerPorts = {
        ...worker.portsFor(name),
        send: async (delivery, signal) => {
          const sender = this.senderOf(name)
          if (sender === undefined) return { kind: 'retry', reason: 'app_removed', scope: 'delivery', ambiguous: false }
          return sender.send(delivery.message, delivery.target, signal)
        },
      }
      this.#workers.set(name, startWorker(name, worker.concurrency, ports))
    }
  }

  async #stopWorker(name: string): Promise<void> {
    const worker = this.#workers.get(name)
    this.#workers.delete(name)
    await worker?.stop(STOP_GRACE_MS)
  }
}

async function closeSenders(apps: readonly RunningApp[]): Promise<void> {
  await Promise.all(apps.map(async ({ sender }) => sender?.close()))
}
