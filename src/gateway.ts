/** The one place where the parts meet: opens the store, the apps and the two ports, and closes them in reverse. */
import { createAdminServer } from './http/admin.ts'
import { accept, type IntakePorts } from './http/accept.ts'
import { createNotifyServer } from './http/server.ts'
import { Apps } from './apps.ts'
import type { Config } from './config/config.ts'
import { appsChanged, restartOnly } from './config/reload.ts'
import type { Delivery } from './core/delivery.ts'
import { StoreUnavailable } from './core/errors.ts'
import type { Notification } from './core/notification.ts'
import type { ProviderKind } from './core/provider.ts'
import type { Keyring } from './core/seal.ts'
import type { Secret } from './core/secret.ts'
import { Breaker } from './feedback/breaker.ts'
import { Deduplication } from './feedback/deduplication.ts'
import { createMetrics } from './feedback/metrics.ts'
import { Rejections } from './feedback/rejections.ts'
import type { Log } from './log.ts'
import { STORE_TIMEOUT_MS, type Store } from './queue/delivery-queue.ts'
import type { Settled, WorkerPorts } from './queue/delivery-worker.ts'

export type Role = 'all' | 'http' | 'worker'

export interface GatewayPorts {
  readonly role: Role
  readonly version: string
  readonly kinds: Readonly<Record<string, ProviderKind>>
  readonly keyring: Keyring
  readonly adminToken: Secret | undefined
  readonly log: Log
  readonly openStore: () => Promise<Store>
  readonly nowMs?: () => number
  readonly random?: () => number
}

export interface Gateway extends AsyncDisposable {
  /** Where it listens, e.g. `http://127.0.0.1:5000`; undefined for a worker. */
  readonly notifyUrl: string | undefined
  readonly adminUrl: string
  /** Uses the new configuration without losing or delaying a push; resolves with the settings that wait for a restart. */
  reload(config: Config): Promise<readonly string[]>
  /** For a configuration that was refused: the one in use stays. */
  reloadFailed(): void
  /** Stops accepting, finishes what is in flight, closes everything. */
  close(): Promise<void>
}

/** Under a second in all, whatever the store is doing: a homeserver waits no longer for a 503 than for a 200. */
const ACCEPT_TIMEOUT_MS = STORE_TIMEOUT_MS + 50
const UNKNOWN_APP_WARNING_MS = 60_000
const MOST_DEAD_LISTED = 1000

export async function openGateway(initial: Config, ports: GatewayPorts): Promise<Gateway> {
  const { log, role, keyring, nowMs = Date.now, random = Math.random } = ports
  let config = initial
  const metrics = createMetrics(ports.version)
  const store = await ports.openStore()
  const breaker = new Breaker(store.memory, nowMs, (app, isOpen) => {
    metrics.suspected(app, isOpen)
    if (isOpen)
      log.error(
        'Most pushkeys of this app were called dead within five minutes: is its topic, project or environment wrong? They are not reported until "hushgate rejections" releases them',
        undefined,
        { app },
      )
  })
  const rejections = new Rejections(store.memory, breaker, nowMs)
  const deduplication = new Deduplication(store.memory)

  const portsFor = (app: string): Omit<WorkerPorts, 'send'> => ({
    queue: store.queue,
    claim: async (handedOut) => {
      const [claim, isDead] = await Promise.all([deduplication.claim(handedOut), rejections.isDead(handedOut.delivery)])
      return isDead ? 'pushkey_dead' : claim
    },
    record: (delivery, outcome) => rejections.onOutcome(delivery, outcome),
    onSettled: (settled) => onSettled(settled),
    onBlocked: (reason) => {
      metrics.blocked(app, reason !== undefined)
      if (reason === undefined) log.info('The push service takes our credential again; deliveries resume', { app })
      else
        log.error(
          'The push service refuses our credential or configuration; deliveries wait until it works again',
          undefined,
          { app, reason },
        )
    },
    onError: (error) => log.error('A delivery is tried again after an error of our own', error, { app }),
    nowMs,
    random,
  })
  const apps = new Apps({
    kinds: ports.kinds,
    contextFor: (app) => ({ app, nowMs, warn: (message) => log.warn(message, { app }) }),
    worker: role === 'http' ? undefined : { concurrency: config.queue.concurrency, portsFor },
  })

  function onSettled({ delivery, attempt, result, reason, disposition, sendMs }: Settled): void {
    const isFinal = disposition === 'done' || disposition === 'dead'
    const endToEndSeconds = (nowMs() - delivery.acceptedAtMs) / 1000
    metrics.settled({
      app: delivery.app,
      result,
      reason,
      isFinal,
      sendSeconds: sendMs === undefined ? undefined : sendMs / 1000,
      endToEndSeconds,
    })
    const facts = { app: delivery.app, device: shortHash(delivery.device), attempt, result, reason, next: disposition }
    if (disposition === 'dead') log.warn('A delivery was given up', facts)
    else log.debug('A delivery was handled', facts)
  }

  let unknownApps = 0
  let warnedOfUnknownAppsMs = -Infinity
  const onUnknownApp = (): void => {
    unknownApps += 1
    if (nowMs() - warnedOfUnknownAppsMs < UNKNOWN_APP_WARNING_MS) return
    warnedOfUnknownAppsMs = nowMs()
    log.warn('A homeserver pushes to an app_id that is not configured', {
      total: unknownApps,
      answer: config.unknownApp,
    })
  }

  const isFull = createHighWaterMark(store, () => config.queue.highWater, nowMs)
  const intakePorts = (): IntakePorts => ({
    appFor: (appId) => apps.appFor(appId),
    unknownApp: config.unknownApp,
    maxAgeMs: config.queue.maxAgeMs,
    callMaxAgeMs: config.queue.callMaxAgeMs,
    hash: (purpose, ...parts) => keyring.hash(purpose, ...parts),
    admit: (device) => rejections.admit(device),
    isKnownEvent: (key) => deduplication.isKnown(key),
    store: (deliveries) => storeAll(deliveries),
    onIntake: (app, intake, detail) => {
      metrics.deviceReceived(app, intake)
      if (intake === 'unknown_app') onUnknownApp()
      if (app !== undefined && detail?.rendered.kind === 'message')
        metrics.messageRendered(app, Buffer.byteLength(detail.rendered.message.body), detail.rendered.truncated)
    },
    nowMs,
  })

  async function storeAll(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.some(({ app }) => isFull(app))) throw new StoreUnavailable('queue.high_water is reached')
    const orders = await store.queue.add(deliveries)
    // Stored is stored: the worker claims the event for itself before it sends, so what fails here costs a second copy in the queue at worst.
    await Promise.allSettled(deliveries.map((delivery, index) => deduplication.onStored(delivery, orders[index] ?? 0)))
  }

  async function notify(notification: Notification): Promise<readonly string[]> {
    if (!store.health().writable) throw new StoreUnavailable('the store is not writable')
    return withTimeout(accept(notification, intakePorts()), ACCEPT_TIMEOUT_MS)
  }

  let lastUnavailableWarningMs = -Infinity
  function onHttpError(error: unknown): void {
    if (!(error instanceof StoreUnavailable)) return log.error('A request failed', error)
    if (nowMs() - lastUnavailableWarningMs < 1000) return
    lastUnavailableWarningMs = nowMs()
    log.error(`Notifications are refused with 503: ${error.message}`)
  }

  let isClosing = false
  const notifyServer =
    role === 'worker'
      ? undefined
      : createNotifyServer({
          bodyLimitBytes: config.http.bodyLimitBytes,
          notify,
          onAnswer: metrics.notifyAnswered,
          onError: onHttpError,
        })
  const adminServer = createAdminServer({
    token: ports.adminToken,
    readiness: () => {
      const { writable, fit, dangers } = store.health()
      const reasons = [
        ...(isClosing ? ['the gateway is stopping'] : []),
        ...(writable ? [] : ['the store cannot be written to']),
        ...dangers,
      ]
      return { isReady: !isClosing && writable && fit, reasons }
    },
    metrics: () => {
      const { writable, dangers } = store.health()
      metrics.storeHealth(writable, dangers.length)
      return metrics.expose((app) => store.queue.depth(app).catch(() => undefined))
    },
    listDead: (filter) => store.queue.listDead(filter, MOST_DEAD_LISTED),
    retryDead: (filter) => store.queue.retryDead(filter, nowMs() + config.queue.maxAgeMs),
    dropDead: (filter) => store.queue.dropDead(filter),
    listSuspected: async () => {
      const all = await Promise.all(
        apps.list().map(async ({ config: { name } }) => ({ app: name, windows: await breaker.windows(name) })),
      )
      return all.filter(({ windows }) => windows.some((window) => window.isDiscarded !== true))
    },
    releaseSuspected: (app, verdict) => breaker.release(app, verdict),
    onError: (error) => log.error('A request on the admin port failed', error),
  })

  function announceApps(): void {
    metrics.setApps(apps.list().map(({ config: { name, kind } }) => ({ name, provider: kind })))
    for (const { config: app, sender } of apps.list()) {
      metrics.credentialExpiry(app.name, sender?.credentialExpiresAtMs)
      metrics.blocked(app.name, apps.workerOf(app.name)?.isBlocked === true)
    }
    metrics.configLoaded(true, nowMs())
  }

  async function close(): Promise<void> {
    if (isClosing) return
    isClosing = true
    await notifyServer?.close()
    await apps.close()
    await adminServer.close()
    await store.close()
  }

  try {
    await apps.apply(config.apps, new Set())
    announceApps()
    const adminUrl = await adminServer.listen({ host: config.admin.host, port: config.admin.port })
    const notifyUrl = await notifyServer?.listen({ host: config.http.host, port: config.http.port })
    return {
      notifyUrl,
      adminUrl,
      async reload(next) {
        const waiting = restartOnly(config, next)
        await apps.apply(next.apps, appsChanged(config, next))
        config = next
        announceApps()
        return waiting
      },
      reloadFailed: () => metrics.configLoaded(false, nowMs()),
      close,
      [Symbol.asyncDispose]: close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

/** Whether an app has as much waiting as it may have; asked on every request, looked up once a second. */
function createHighWaterMark(store: Store, highWater: () => number, nowMs: () => number): (app: string) => boolean {
  const known = new Map<string, { isFull: boolean; askedMs: number }>()
  return (app) => {
    const entry = known.get(app) ?? { isFull: false, askedMs: -Infinity }
    known.set(app, entry)
    if (nowMs() - entry.askedMs >= 1000) {
      entry.askedMs = nowMs()
      store.queue.depth(app).then(
        ({ waiting, delayed, active }) => (entry.isFull = waiting + delayed + active >= highWater()),
        () => {}, // the store says so itself when it is asked to keep something
      )
    }
    return entry.isFull
  }
}

async function withTimeout<T>(promise: Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StoreUnavailable('the store does not answer')), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}

function shortHash(hash: string): string {
  return Buffer.from(hash, 'base64url').toString('hex', 0, 4)
}
