/** The one place where the parts meet: opens the store, the routes and the two ports, and closes them in reverse. */
import { Activity } from './activity/activity.ts'
import type { Config } from './config/config.ts'
import { ConfigInUse } from './config/config-in-use.ts'
import { restartOnly, routesChanged } from './config/reload.ts'
import { openRoutes, type Routes } from './config/routes.ts'
import { oncePer } from './core/once-per.ts'
import { DeadLetterShare } from './delivery/dead-letter-share.ts'
import { DeliveringRoutes } from './delivery/delivering-routes.ts'
import { countedOf, createTracer, logSuspected, readinessOf, rememberedIn } from './gateway-parts.ts'
import type { GatewayParts, Remembered } from './gateway-parts.ts'
import { createAdminServer, type Readiness } from './http/admin-server.ts'
import type { Operators } from './http/api.ts'
import { createEntrance, type Entrance } from './http/doors.ts'
import { createNotifyServer } from './http/notify-server.ts'
import { Canaries } from './intake/canaries.ts'
import { encryptForDevice } from './intake/encrypt-for-device.ts'
import { Intake } from './intake/intake.ts'
import { Pauses } from './memory/pauses.ts'
import { Receipts } from './memory/receipts.ts'
import { areSuspected, RejectionGuard } from './memory/rejection-guard.ts'
import { Metrics } from './metrics/metrics.ts'
import { Scrape } from './metrics/scrape.ts'
import { GatewayOperator } from './operator/gateway-operator.ts'
import type { StatementInput } from './privacy/statement.ts'
import { StoreOperator } from './operator/store-operator.ts'
import { listen } from './listen.ts'
import { Senders } from './sending/senders.ts'
import type { Store } from './store/contract.ts'
import { createTestPush } from './test-push.ts'
import type { Tracer } from './tracing/tracer.ts'

/** Resolves when it listens. Rejects, with everything closed again, when it cannot. */
export async function openGateway(config: Config, parts: GatewayParts): Promise<Gateway> {
  const routes = await openRoutes(config.routes, parts.kinds)
  let gateway: Gateway | undefined
  const store = await parts.openStore()
  try {
    gateway = new Gateway(config, routes, store, parts)
    await gateway.start()
    return gateway
  } catch (error) {
    await (gateway ?? store).close()
    throw error
  }
}

export class Gateway implements AsyncDisposable {
  readonly #parts: GatewayParts
  readonly #nowMs: () => number
  readonly #store: Store
  readonly #metrics: Metrics
  readonly #activity: Activity
  readonly #tracer: Tracer
  readonly #pauses: Pauses
  readonly #guard: RejectionGuard
  readonly #remembered: Remembered
  readonly #intake: Intake
  /** Absent where nothing is sent. */
  readonly #delivery: DeliveringRoutes | undefined
  readonly #senders: Senders
  /** Absent where nothing is accepted. */
  readonly #notifyServer: Server | undefined
  readonly #canaries: Canaries | undefined
  readonly #adminServer: Server
  readonly #configInUse: ConfigInUse
  /** The same object until a reload, so that what is made of it is made once. */
  readonly #stated = oncePer(({ all }: Routes): StatementInput => {
    const { operator, receipts, queue, tracing } = this.#config
    return { routes: all, operator, areReceiptsKept: receipts, isTraced: tracing !== undefined, ...queue }
  })
  readonly #readiness = (): Readiness => readinessOf(this.#store.health(), this.#isClosing)
  #config: Config
  #entrance: Entrance
  #routes: Routes
  #notifyUrl: string | undefined
  #adminUrl = ''
  #isClosing = false

  constructor(config: Config, routes: Routes, store: Store, parts: GatewayParts) {
    const { role, keyring, log, kinds, nowMs = Date.now, systemMs = nowMs, random = Math.random } = parts
    this.#parts = parts
    this.#nowMs = nowMs
    this.#config = config
    this.#configInUse = new ConfigInUse(config, nowMs())
    this.#entrance = createEntrance(config.http)
    this.#routes = routes
    this.#store = store
    this.#senders = new Senders({ kinds, nowMs: systemMs, warn: (app, message) => log.warn(message, { app }) })
    this.#metrics = new Metrics(parts.version)
    this.#activity = new Activity(nowMs)
    this.#tracer = createTracer(parts, this.#metrics, config)
    this.#pauses = new Pauses(store.memory, nowMs)
    this.#metrics.process.sends(role === 'http' ? undefined : config.queue.concurrency)
    this.#guard = new RejectionGuard(store.memory, nowMs, (route, isSuspected) => this.#onSuspected(route, isSuspected))
    const { memory } = store
    const remembered = (this.#remembered = rememberedIn(memory, { keyring, guard: this.#guard, nowMs }))
    const { identities, known } = remembered
    const common = { ...remembered, keyring, activity: this.#activity, tracer: this.#tracer, log, nowMs }
    this.#intake = new Intake({ ...common, store, encryptForDevice, metrics: this.#metrics }, routes, config)
    if (role !== 'http') {
      this.#delivery = new DeliveringRoutes({
        ...common,
        queue: store.queue,
        receipts: new Receipts({ memory, identities, keyring, nowMs, areKept: () => this.#config.receipts }),
        deadLetterShare: new DeadLetterShare({ queue: store.queue, known, nowMs }),
        metrics: this.#metrics.delivery,
        canaries: this.#metrics.canaries,
        random,
        concurrency: config.queue.concurrency,
        openSender: (route, proxy) => this.#senders.open({ ...route, concurrency: config.queue.concurrency }, proxy),
      })
    }
    if (role !== 'worker') {
      this.#notifyServer = this.#createNotifyServer()
      this.#canaries = new Canaries({ memory, intake: this.#intake, metrics: this.#metrics.canaries, log, nowMs })
    }
    this.#adminServer = this.#createAdminServer()
  }

  /** Where it listens, e.g. `http://127.0.0.1:5000`; undefined for a worker. */
  get notifyUrl(): string | undefined {
    return this.#notifyUrl
  }

  get adminUrl(): string {
    return this.#adminUrl
  }

  async start(): Promise<void> {
    const { role } = this.#parts
    if (role !== 'http')
      await this.#pauses.follow((paused) => this.#delivery?.setPaused(paused), this.#config.store.kind === 'redis')
    await this.#delivery?.apply(this.#config, new Set())
    this.#announceRoutes()
    this.#adminUrl = await listen(this.#adminServer, 'admin', this.#config)
    if (this.#notifyServer !== undefined) this.#notifyUrl = await listen(this.#notifyServer, 'http', this.#config)
  }

  /** Uses the new configuration without losing or delaying a push; resolves with the settings that wait for a restart. */
  async reload(next: Config): Promise<readonly string[]> {
    const before = this.#config
    const routes = await openRoutes(next.routes, this.#parts.kinds)
    const swap = (): void => {
      this.#config = next
      this.#configInUse.replaced(next, this.#nowMs())
      this.#entrance = createEntrance(next.http, this.#entrance)
      this.#routes = routes
      this.#intake.configure(routes, next)
      this.#tracer.configure(next.tracing)
    }
    if (this.#delivery === undefined) swap()
    else await this.#delivery.apply(next, routesChanged(before, next), swap)
    this.#announceRoutes()
    return restartOnly(before, next)
  }

  /** For a configuration that was refused: the one in use stays. */
  reloadFailed(): void {
    this.#configInUse.refused()
    this.#metrics.process.configRefused()
  }

  /** Stops accepting, finishes what is in flight, closes everything. */
  async close(): Promise<void> {
    if (this.#isClosing) return
    this.#isClosing = true
    this.#canaries?.stop()
    this.#pauses.stop()
    await this.#notifyServer?.close()
    await this.#delivery?.close()
    await this.#adminServer.close()
    await this.#remembered.known.flush()
    await this.#store.close()
    await this.#tracer.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #createNotifyServer(): Server {
    const { http } = this.#config
    return createNotifyServer({
      limits: http,
      entrance: () => this.#entrance,
      intake: this.#intake,
      relayed: this.#intake.relayed,
      publicKeyFor: (appId) => this.#routes.publicKeyFor(appId),
      stated: () => this.#stated(this.#routes),
      metrics: this.#metrics.intake,
      tracer: this.#tracer,
      log: this.#parts.log,
      nowMs: this.#nowMs,
    })
  }

  #createAdminServer(): Server {
    const { adminToken, log } = this.#parts
    const scrape = new Scrape({
      metrics: this.#metrics,
      store: this.#store,
      routes: () => this.#routes.all,
      gateOf: (route) => this.#delivery?.gateStatus(route)?.state,
      isPaused: (route) => this.#pauses.paused.has(route),
      wire: () => this.#senders.wire(),
      isSuspected: async (route) => areSuspected(await this.#guard.windows(route)),
      nowMs: this.#nowMs,
      clockSkewMs: () => (this.#parts.systemMs ?? this.#nowMs)() - this.#nowMs(),
    })
    return createAdminServer({
      token: adminToken,
      ownHost: this.#config.admin.host,
      allowedHosts: this.#config.admin.allowedHosts,
      readiness: this.#readiness,
      metrics: () => scrape.expose(),
      operators: this.#createOperators(),
      log,
    })
  }

  #createOperators(): Operators {
    const config = (): Config => this.#config
    const common = { store: this.#store, guard: this.#guard, nowMs: this.#nowMs, routes: () => this.#routes, config }
    return {
      store: new StoreOperator({
        ...this.#parts,
        ...common,
        known: this.#remembered.known,
        isBlocked: (route) => this.#delivery?.isBlocked(route),
      }),
      gateway: new GatewayOperator({
        ...this.#parts,
        ...common,
        activity: this.#activity,
        pauses: this.#pauses,
        canaryArrivals: this.#remembered.canaryArrivals,
        configuration: () => this.#configInUse.state,
        readiness: this.#readiness,
        gateStatus: (route) => this.#delivery?.gateStatus(route),
        credentialExpiresAtMs: (route) => this.#delivery?.credentialExpiresAtMs(route),
        testPush: createTestPush({ ...common, delivery: () => this.#delivery }),
      }),
    }
  }

  #onSuspected(name: string, isSuspected: boolean): void {
    const route = this.#routes.all.find((each) => each.name === name)
    if (route !== undefined) this.#metrics.delivery.suspected(route, isSuspected)
    if (isSuspected) logSuspected(this.#parts.log, route?.app ?? name)
  }

  #announceRoutes(): void {
    this.#metrics.configured(countedOf(this.#config, this.#parts.role), this.#nowMs())
    this.#metrics.process.restartPending(this.#configInUse.state.pendingRestarts.length)
    this.#activity.keepOnly(new Set(this.#routes.all.map(({ name }) => name)))
    for (const route of this.#routes.all) {
      this.#metrics.delivery.credentialExpires(route, this.#delivery?.credentialExpiresAtMs(route.name))
      this.#metrics.delivery.blocked(route, this.#delivery?.isBlocked(route.name) === true)
    }
    this.#canaries?.configure({ ...this.#config, routes: this.#routes })
  }
}

type Server = ReturnType<typeof createAdminServer>
