/** The one place where the parts meet: opens the store, the apps and the two ports, and closes them in reverse. */
import { createAdminServer } from './http/admin-server.ts'
import { createNotifyServer } from './http/notify-server.ts'
import { Apps } from './delivery/running-apps.ts'
import type { Config } from './config/config.ts'
import { ConfigError } from './config/config-error.ts'
import { codeOf } from './config/files.ts'
import { appsChanged, restartOnly } from './config/reload.ts'
import { privacyStatement } from './privacy/statement.ts'
import type { ProviderKind } from './core/provider.ts'
import type { Keyring } from './core/keyring.ts'
import type { Secret } from './core/secret.ts'
import { Breaker } from './memory/rejection-guard.ts'
import { Deduplication } from './memory/deduplication.ts'
import { createMetrics } from './metrics/metrics.ts'
import { Rejections } from './memory/dead-pushkeys.ts'
import { forgetDevice } from './operator/forget-device.ts'
import { createIntake } from './intake/create-intake.ts'
import { createOutflow } from './delivery/outflow.ts'
import type { Log } from './log.ts'
import { createDial } from './network/dial.ts'
import type { Store } from './store/contract.ts'
import { openSeal } from './intake/encrypt-for-device.ts'

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

const MOST_DEAD_LISTED = 1000

export async function openGateway(initial: Config, ports: GatewayPorts): Promise<Gateway> {
  const { log, role, keyring, nowMs = Date.now, random = Math.random } = ports
  let config = initial
  let dial = createDial(initial.proxy)
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
  const rejections = new Rejections(store.memory, breaker, keyring, nowMs)
  const deduplication = new Deduplication(store.memory)

  const portsFor = createOutflow({ store, rejections, deduplication, metrics, log, nowMs, random })
  const apps = new Apps({
    kinds: ports.kinds,
    contextFor: (app) => ({ app, nowMs, dial, warn: (message) => log.warn(message, { app }) }),
    worker: role === 'http' ? undefined : { concurrency: config.queue.concurrency, portsFor },
  })

  const intake = createIntake({
    store,
    rejections,
    deduplication,
    keyring,
    seal: await openSeal(),
    metrics,
    log,
    nowMs,
    settings: () => config,
    appFor: (appId) => apps.appFor(appId)?.intake,
  })

  let isClosing = false
  const stated = (app: Config['apps'][number]) => {
    const kind = ports.kinds[app.kind]
    return kind === undefined ? [] : [{ ...app, ledger: kind.ledger(app.options) }]
  }
  const notifyServer =
    role === 'worker'
      ? undefined
      : createNotifyServer({
          bodyLimitBytes: config.http.bodyLimitBytes,
          notify: intake.notify,
          vapidKeyFor: (appId) => apps.appFor(appId)?.publicKey,
          privacyStatement: () => privacyStatement({ apps: config.apps.flatMap(stated), ...config.queue }),
          onAnswer: (statusCode, seconds) => metrics.notifyAnswered(statusCode, seconds),
          onError: intake.onError,
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
    metrics: async () => {
      const { writable, dangers } = store.health()
      metrics.storeHealth(writable, dangers.length)
      await showSuspected()
      return metrics.expose((app) => store.queue.depth(app).catch(() => undefined))
    },
    listDead: (filter) => store.queue.listDead(filter, MOST_DEAD_LISTED),
    retryDead: (filter) => store.queue.retryDead(filter, nowMs() + config.queue.maxAgeMs),
    dropDead: (filter) => store.queue.dropDead(filter),
    listSuspected: async () =>
      (await suspectedApps()).filter(({ isSuspected }) => isSuspected).map(({ app, windows }) => ({ app, windows })),
    releaseSuspected: (app, verdict) => breaker.release(app, verdict),
    forget: (device) => forgetDevice(device, { config, kinds: ports.kinds, keyring, store }),
    onError: (error) => log.error('A request on the admin port failed', error),
  })

  function suspectedApps() {
    return Promise.all(
      apps.list().map(async ({ config: { name: app } }) => {
        const windows = await breaker.windows(app)
        return { app, windows, isSuspected: windows.some((window) => window.isDiscarded !== true) }
      }),
    )
  }

  /** As the store has it: another process may have tripped the breaker, or this one before it was started again. */
  async function showSuspected(): Promise<void> {
    for (const { app, isSuspected } of await suspectedApps().catch(() => [])) metrics.suspected(app, isSuspected)
  }

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
    const adminUrl = await listen(adminServer, 'admin', config)
    const notifyUrl = notifyServer && (await listen(notifyServer, 'http', config))
    return {
      notifyUrl,
      adminUrl,
      async reload(next) {
        const waiting = restartOnly(config, next)
        const dialBefore = dial
        dial = createDial(next.proxy)
        try {
          await apps.apply(next.apps, appsChanged(config, next))
        } catch (error) {
          dial = dialBefore
          throw error
        }
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

interface Server {
  listen(address: { readonly host: string; readonly port: number }): Promise<string>
}

async function listen(server: Server, section: 'http' | 'admin', config: Config): Promise<string> {
  const { host, port } = config[section]
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = codeOf(error)
    const reason = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be listened on (${code})`
    throw new ConfigError([
      { path: `${section}.port`, file: config.file, message: `port ${port} of ${host} ${reason}` },
    ])
  }
}
