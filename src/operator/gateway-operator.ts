/** What an operator can ask of a running gateway, and only of that: how each app does, what failed lately, what it works with, and to pause an app. */
import type { Activity, Failure } from '../activity/activity.ts'
import type { UnknownApp } from '../activity/unknown-apps.ts'
import type { Config } from '../config/config.ts'
import type { OpenRoute, Routes } from '../config/routes.ts'
import type { JsonObject } from '../core/json.ts'
import type { Log } from '../core/log.ts'
import type { CanaryArrivals } from '../memory/canary-arrivals.ts'
import type { Pauses } from '../memory/pauses.ts'
import { areSuspected, type RejectionGuard } from '../memory/rejection-guard.ts'
import type { QueueDepth, Store } from '../store/contract.ts'
import { canaryStatus } from './canary-status.ts'
import type { TestPush, TestPushAnswer } from './operator.ts'
import { runningConfig } from './running-config.ts'
import type { AppStatus, CanaryStatus, Failures, Paused, Status } from './status.ts'

/** Whether a route's deliveries are handed out, as the process that delivers knows. */
interface GateStatus {
  readonly state: 'open' | 'held' | 'blocked'
  readonly reason?: string | undefined
  readonly sinceMs?: number | undefined
}

export interface GatewayOperatorParts {
  readonly version: string
  readonly role: Status['role']
  readonly store: Pick<Store, 'queue' | 'health'>
  readonly guard: RejectionGuard
  readonly activity: Activity
  readonly pauses: Pauses
  readonly canaryArrivals: Pick<CanaryArrivals, 'find'>
  readonly log: Log
  readonly nowMs: () => number
  /** What is so at the moment. */
  readonly routes: () => Routes
  readonly config: () => Config
  readonly configuration: () => Status['configuration']
  readonly readiness: () => { readonly isReady: boolean; readonly reasons: readonly string[] }
  /** By the name of a route; undefined where this process does not deliver. */
  readonly gateStatus: (route: string) => GateStatus | undefined
  readonly credentialExpiresAtMs: (route: string) => number | undefined
  readonly testPush: (push: TestPush) => Promise<TestPushAnswer | undefined>
}

const DAY_MS = 24 * 3600_000

export class GatewayOperator {
  readonly #parts: GatewayOperatorParts
  readonly #startedAtMs: number

  constructor(parts: GatewayOperatorParts) {
    this.#parts = parts
    this.#startedAtMs = parts.nowMs()
  }

  async status(): Promise<Status> {
    const { version, role, store, pauses, nowMs, routes, config, configuration, readiness } = this.#parts
    const { writable, fit, dangers, fill } = store.health()
    const { isReady, reasons } = readiness()
    // Another process may have paused one.
    const paused = pauses.read().catch(() => pauses.paused)
    return {
      version,
      role,
      startedAtMs: this.#startedAtMs,
      nowMs: nowMs(),
      isReady,
      reasons: [...reasons],
      configuration: configuration(),
      store: { kind: config().store.kind, isWritable: writable, isFit: fit, dangers: [...dangers], fill },
      apps: await Promise.all(routes().all.map((route) => this.#appStatus(route, paused))),
    }
  }

  /** Of one app, or of all; the newest first. */
  failures(app?: string): Failures {
    const { activity } = this.#parts
    const routes = this.#parts.routes()
    const failures = (app === undefined ? routes.all : routes.named(app)).flatMap((route) =>
      activity.failuresOf(route.name).map(({ device, attempt, isFinal, ...failure }) => ({
        app: route.app,
        provider: route.provider,
        device,
        attempt,
        ...shownFailure(failure),
        isFinal,
      })),
    )
    return { failures: failures.sort((one, other) => other.atMs - one.atMs) }
  }

  /** Undefined where no app is configured for it. */
  testPush(push: TestPush): Promise<TestPushAnswer | undefined> {
    return this.#parts.testPush(push)
  }

  unknownApps(): readonly UnknownApp[] {
    return this.#parts.activity.unknownApps.list()
  }

  configuration(): JsonObject {
    return runningConfig(this.#parts.config())
  }

  /** Holds the deliveries of an app in every process, until it is resumed; also over a restart. Undefined where no app is configured under this name. */
  async setPaused({ app, isPaused }: Paused): Promise<Paused | undefined> {
    const { pauses, log, routes } = this.#parts
    const names = routes()
      .named(app)
      .map(({ name }) => name)
    if (names.length === 0) return undefined
    await pauses.set(names, isPaused)
    log.info(isPaused ? 'The operator paused an app: its deliveries wait' : 'The operator resumed an app', { app })
    return { app, isPaused }
  }

  async #appStatus({ name, app, provider }: OpenRoute, paused: Promise<Pauses['paused']>): Promise<AppStatus> {
    const { store, guard, activity, nowMs, gateStatus, credentialExpiresAtMs } = this.#parts
    const [queue, windows, canary, pausedSinceMs] = await Promise.all([
      store.queue.depth(name).catch(() => null),
      guard.windows(name).catch(() => undefined),
      this.#canaryStatus(name),
      paused.then((since) => since.get(name)),
    ])
    const { lastDeliveredAtMs = null, lastFailure, delayMs = null, lastHour, ...rates } = activity.of(name)
    const gate = gateStatus(name)
    const expiresAtMs = credentialExpiresAtMs(name)
    return {
      app,
      provider,
      state: pausedSinceMs === undefined ? (gate?.state ?? 'unknown') : 'paused',
      sinceMs: pausedSinceMs ?? gate?.sinceMs ?? null,
      reason: gate?.reason ?? null,
      lastDeliveredAtMs,
      lastFailure: lastFailure === undefined ? null : shownFailure(lastFailure),
      ...rates,
      delayMs,
      queue: queue === null ? null : queueOf(queue),
      isAtHighWater: queue === null ? null : waitingIn(queue) >= this.#parts.config().queue.highWater,
      credentialExpiresAtMs: expiresAtMs ?? null,
      credentialDaysLeft: expiresAtMs === undefined ? null : Math.floor((expiresAtMs - nowMs()) / DAY_MS),
      isSuspected: windows === undefined ? null : areSuspected(windows),
      canary,
      lastHour: {
        accepted: [...lastHour.accepted],
        delivered: [...lastHour.delivered],
        failed: [...lastHour.failed],
        retried: [...lastHour.retried],
      },
    }
  }

  async #canaryStatus(route: string): Promise<CanaryStatus | null> {
    const { canaryArrivals, config, configuration, nowMs } = this.#parts
    const canary = config().canaries.find((each) => each.route === route)
    if (canary === undefined) return null
    const arrival = await canaryArrivals.find(route).catch(() => 'unknown' as const)
    const awaitedSinceMs = Math.max(this.#startedAtMs, configuration().loadedAtMs)
    return canaryStatus(arrival, { everyMs: canary.everyMs, nowMs: nowMs(), awaitedSinceMs })
  }
}

function shownFailure({ atMs, result, reason }: Pick<Failure, 'atMs' | 'result' | 'reason'>) {
  return { atMs, result, reason: reason ?? null }
}

function waitingIn({ waiting, delayed, active }: QueueDepth): number {
  return waiting + delayed + active
}

function queueOf({ waiting, delayed, active, dead, oldestAgeMs }: NonNullable<AppStatus['queue']>) {
  return { waiting, delayed, active, dead, oldestAgeMs }
}
