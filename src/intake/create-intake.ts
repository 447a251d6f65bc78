/** The way in, put together: what `http/accept` needs from the store, the memory, the metrics and the configuration. */
import { randomBytes, randomUUID } from 'node:crypto'
import { atMostEvery } from '../core/throttle.ts'
import { accept, type Intake as IntakeResult, type IntakeApp, type IntakePorts } from './accept.ts'
import type { Config } from '../config/config.ts'
import type { Delivery } from '../core/delivery.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Rendered } from '../core/message.ts'
import type { Notification } from '../core/notification.ts'
import { PlaceholderIds } from '../core/placeholder-ids.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Seal } from '../core/device-key.ts'
import type { Deduplication } from '../memory/deduplication.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Rejections } from '../memory/dead-pushkeys.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import type { Log } from '../log.ts'
import { STORE_TIMEOUT_MS, type Store } from '../store/contract.ts'

export interface IntakeParts {
  readonly store: Store
  readonly rejections: Rejections
  readonly deduplication: Deduplication
  readonly keyring: Keyring
  readonly seal: Seal
  readonly metrics: Metrics
  readonly log: Log
  readonly nowMs: () => number
  /** The configuration as it is now. */
  readonly settings: () => Config
  readonly appFor: (appId: string) => IntakeApp | undefined
}

export interface Intake {
  /** Resolves with the pushkeys to reject once everything else is durable; rejects with StoreUnavailableError within a second. */
  readonly notify: (notification: Notification) => Promise<readonly string[]>
  readonly onError: (error: unknown) => void
}

/** Under a second in all, whatever the store is doing: a homeserver waits no longer for a 503 than for a 200. */
const ACCEPT_TIMEOUT_MS = STORE_TIMEOUT_MS + 50
const UNKNOWN_APP_WARNING_MS = 60_000
const REFUSED_WARNING_MS = 1000

export function createIntake(parts: IntakeParts): Intake {
  const { store, rejections, deduplication, keyring, seal, metrics, log, nowMs, settings, appFor } = parts
  const wakeUps = new WakeUps(store.memory, randomUUID)
  const isFull = createHighWaterMark(store, () => settings().queue.highWater, nowMs)
  const ports: Omit<IntakePorts, 'unknownApp' | 'maxAgeMs' | 'callMaxAgeMs'> = {
    appFor,
    hash: (purpose, ...values) => keyring.hash(purpose, ...values),
    admit: (device) => rejections.admit(device),
    seal,
    createPlaceholderIds: () => new PlaceholderIds(randomBytes),
    planWakeUp: (key, atMs, windowMs) => wakeUps.plan(key, atMs, windowMs),
    plannedWakeUpMs: (key) => wakeUps.plannedMs(key),
    onSealing: (app, key) => metrics.deviceKeySeen(app, key),
    isKnownEvent: (key) => deduplication.isKnown(key),
    store: storeAll,
    onIntake,
    nowMs,
  }

  async function storeAll(deliveries: readonly Delivery[]): Promise<void> {
    if (deliveries.some(({ app }) => isFull(app))) throw new StoreUnavailableError('queue.high_water is reached')
    const orders = await store.queue.add(deliveries)
    // Stored is stored: the worker claims the event for itself before it sends, so what fails here costs a second copy in the queue at worst.
    await Promise.allSettled(deliveries.map((delivery, index) => deduplication.onStored(delivery, orders[index] ?? 0)))
  }

  const warnOfUnknownApp = atMostEvery(UNKNOWN_APP_WARNING_MS, nowMs, () =>
    log.warn('A homeserver pushes to an app_id that is not configured', { answer: settings().unknownApp }),
  )
  function onIntake(app: string | undefined, result: IntakeResult, rendered?: Rendered): void {
    metrics.deviceReceived(app, result)
    if (result === 'unknown_app') warnOfUnknownApp()
    if (app !== undefined && rendered?.kind === 'message')
      metrics.messageRendered(app, Buffer.byteLength(rendered.message.body), rendered.truncated)
  }

  const reportRefused = atMostEvery(REFUSED_WARNING_MS, nowMs, (reason) =>
    log.error(`Notifications are refused with 503: ${reason}`),
  )
  return {
    async notify(notification) {
      if (!store.health().writable) throw new StoreUnavailableError('the store is not writable')
      const { unknownApp, queue } = settings()
      const { maxAgeMs, callMaxAgeMs } = queue
      return withTimeout(accept(notification, { ...ports, unknownApp, maxAgeMs, callMaxAgeMs }), ACCEPT_TIMEOUT_MS)
    },
    onError: (error) =>
      error instanceof StoreUnavailableError ? reportRefused(error.message) : log.error('A request failed', error),
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
    timer = setTimeout(() => reject(new StoreUnavailableError('the store does not answer')), timeoutMs)
  })
  try {
    return await Promise.race([promise, timeout])
  } finally {
    clearTimeout(timer)
  }
}
