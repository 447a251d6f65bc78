/** What is counted: one function per event, so that a counter and its labels are defined together. The only import of prom-client. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { QueueDepth } from '../store/contract.ts'

/** Labels come from the configuration (app, provider) and from closed vocabularies only. */
interface AppLabels {
  readonly name: string
  readonly provider: string
}

const RESULTS = [
  'delivered',
  'rejected',
  'failed',
  'expired',
  'duplicate',
  'superseded',
  'coalesced',
  'pushkey_dead',
] as const
const INTAKES = ['queued', 'rejected', 'duplicate', 'nothing_to_send'] as const
/** What event pushes find in the pusher's data (`hushgate_key`). */
const DEVICE_KEYS = ['valid', 'invalid', 'missing'] as const
const SEND_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
const DELAY_SECONDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600]
const PAYLOAD_BYTES = [128, 256, 512, 1024, 2048, 3072, 4096]
/** A vocabulary that a push service may grow (Web Push: any stranger's); beyond this many reasons of an app the rest is "other". */
const MAX_REASONS = 100

export interface Settlement {
  readonly app: string
  readonly result: (typeof RESULTS)[number] | 'retry' | 'blocked'
  readonly reason: string | undefined
  readonly isFinal: boolean
  readonly sendSeconds: number | undefined
  readonly endToEndSeconds: number
}

export interface Metrics {
  /** Sets the apps that exist now, each counter at 0, so that the first event is seen as an increase. */
  setApps(apps: readonly AppLabels[]): void
  notifyAnswered(statusCode: number, seconds: number): void
  deviceReceived(app: string | undefined, intake: (typeof INTAKES)[number] | 'unknown_app'): void
  messageRendered(app: string, bytes: number, truncated: boolean): void
  deviceKeySeen(app: string, key: (typeof DEVICE_KEYS)[number]): void
  settled(settlement: Settlement): void
  blocked(app: string, isBlocked: boolean): void
  suspected(app: string, isSuspected: boolean): void
  credentialExpiry(app: string, epochMs: number | undefined): void
  storeHealth(isWritable: boolean, dangers: number): void
  configLoaded(isSuccess: boolean, nowMs: number): void
  /** Prometheus' text. `depths` is asked for each app when it is scraped. */
  expose(
    depths: (app: string) => Promise<QueueDepth | undefined>,
  ): Promise<{ readonly contentType: string; readonly text: string }>
}

export function createMetrics(version: string): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  for (const name of ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'])
    registry.removeSingleMetric(name)
  const registers = [registry]
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Counter({ name, help, labelNames: [...labelNames], registers })
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[]) =>
    new Gauge({ name, help, labelNames: [...labelNames], registers })
  const histogram = <L extends string>(name: string, help: string, labelNames: readonly L[], buckets: number[]) =>
    new Histogram({ name, help, labelNames: [...labelNames], buckets, registers })

  gauge('hushgate_build_info', 'Always 1; the version is in the label.', ['version']).set({ version }, 1)
  const notify = histogram(
    'hushgate_notify_request_duration_seconds',
    'Time to answer a notify request.',
    ['code'],
    SEND_SECONDS,
  )
  const received = counter(
    'hushgate_devices_received_total',
    'Devices in notify requests, by what was done with them.',
    ['app', 'intake'],
  )
  const payload = histogram('hushgate_payload_bytes', 'Size of rendered messages.', ['app'], PAYLOAD_BYTES)
  const truncated = counter(
    'hushgate_payloads_truncated_total',
    'Messages that had to be shortened to fit the push service.',
    ['app'],
  )
  const deviceKeys = counter(
    'hushgate_device_keys_total',
    'Event pushes of apps that can have them sealed to the device, by what its pusher holds as hushgate_key.',
    ['app', 'key'],
  )
  const outcomes = counter('hushgate_outcomes_total', 'Deliveries by how they ended, each once.', [
    'app',
    'provider',
    'outcome',
  ])
  const reasons = counter(
    'hushgate_push_service_refusals_total',
    'Attempts that a push service did not accept, by its own reason.',
    ['app', 'provider', 'outcome', 'reason'],
  )
  const attempts = counter('hushgate_attempts_total', 'Attempts to deliver.', ['app', 'provider'])
  const retries = counter('hushgate_retries_total', 'Attempts after which the delivery is tried again.', [
    'app',
    'provider',
  ])
  const sendDuration = histogram(
    'hushgate_send_duration_seconds',
    'Time a push service took to answer.',
    ['app', 'provider'],
    SEND_SECONDS,
  )
  const delay = histogram(
    'hushgate_delivery_delay_seconds',
    'From the notify request to the acceptance by the push service.',
    ['app', 'provider'],
    DELAY_SECONDS,
  )
  const deliveries = gauge(
    'hushgate_queue_deliveries',
    'Deliveries in the store; the same from every replica, so never sum them.',
    ['app', 'state'],
  )
  const oldest = gauge('hushgate_queue_oldest_age_seconds', 'Age of the oldest delivery that could be sent now.', [
    'app',
  ])
  const blockedGauge = gauge(
    'hushgate_app_blocked',
    '1 while the push service refuses our credential or configuration.',
    ['app', 'provider'],
  )
  const suspectedGauge = gauge(
    'hushgate_rejections_suspected',
    '1 while rejections are held back because most pushkeys were called dead.',
    ['app', 'provider'],
  )
  const expiry = gauge('hushgate_credential_expiry_timestamp_seconds', 'When the credential runs out.', [
    'app',
    'provider',
  ])
  const writable = gauge('hushgate_store_writable', '1 when new deliveries can be stored.', [])
  const dangers = gauge('hushgate_store_dangers', 'Settings of the store under which deliveries may be lost.', [])
  const configOk = gauge(
    'hushgate_config_last_reload_successful',
    '1 when the newest configuration is the one in use.',
    [],
  )
  const configTime = gauge(
    'hushgate_config_last_reload_success_timestamp_seconds',
    'When the configuration in use was loaded.',
    [],
  )

  const providers = new Map<string, string>()
  const reasonsOfApps = new Map<string, Set<string>>()
  const labels = (app: string) => ({ app, provider: providers.get(app) ?? 'unknown' })
  const bounded = (app: string, reason: string) => {
    const knownReasons = reasonsOfApps.get(app) ?? new Set<string>()
    reasonsOfApps.set(app, knownReasons)
    const isKnown = knownReasons.has(reason) || knownReasons.size < MAX_REASONS
    if (isKnown) knownReasons.add(reason)
    return isKnown ? reason : 'other'
  }
  const unknownApp = () => received.inc({ app: '_unknown', intake: 'unknown_app' }, 0)
  unknownApp()

  return {
    setApps(apps) {
      providers.clear()
      for (const { name, provider } of apps) {
        providers.set(name, provider)
        for (const intake of INTAKES) received.inc({ app: name, intake }, 0)
        for (const outcome of RESULTS) outcomes.inc({ ...labels(name), outcome }, 0)
        for (const each of [attempts, retries]) each.inc(labels(name), 0)
        truncated.inc({ app: name }, 0)
        for (const key of DEVICE_KEYS) deviceKeys.inc({ app: name, key }, 0)
        blockedGauge.set(labels(name), 0)
        suspectedGauge.set(labels(name), 0)
      }
    },
    notifyAnswered: (statusCode, seconds) => notify.observe({ code: String(statusCode) }, seconds),
    deviceReceived: (app, intake) => received.inc({ app: app ?? '_unknown', intake }),
    messageRendered(app, bytes, isTruncated) {
      payload.observe({ app }, bytes)
      if (isTruncated) truncated.inc({ app })
    },
    deviceKeySeen: (app, key) => deviceKeys.inc({ app, key }),
    settled({ app, result, reason, isFinal, sendSeconds, endToEndSeconds }) {
      if (sendSeconds !== undefined) {
        attempts.inc(labels(app))
        sendDuration.observe(labels(app), sendSeconds)
      }
      if (reason !== undefined) reasons.inc({ ...labels(app), outcome: result, reason: bounded(app, reason) })
      if (isFinal) outcomes.inc({ ...labels(app), outcome: result === 'retry' ? 'expired' : result })
      else if (result === 'retry') retries.inc(labels(app))
      if (result === 'delivered') delay.observe(labels(app), endToEndSeconds)
    },
    blocked: (app, isBlocked) => blockedGauge.set(labels(app), isBlocked ? 1 : 0),
    suspected: (app, isSuspected) => suspectedGauge.set(labels(app), isSuspected ? 1 : 0),
    credentialExpiry(app, epochMs) {
      if (epochMs !== undefined) expiry.set(labels(app), epochMs / 1000)
    },
    storeHealth(isWritable, dangerCount) {
      writable.set(isWritable ? 1 : 0)
      dangers.set(dangerCount)
    },
    configLoaded(isSuccess, nowMs) {
      configOk.set(isSuccess ? 1 : 0)
      if (isSuccess) configTime.set(nowMs / 1000)
    },
    async expose(depths) {
      await Promise.all(
        [...providers.keys()].map(async (app) => {
          const depth = await depths(app)
          if (depth === undefined) return
          for (const state of ['waiting', 'delayed', 'active', 'dead'] as const)
            deliveries.set({ app, state }, depth[state])
          oldest.set({ app }, depth.oldestAgeMs / 1000)
        }),
      )
      return { contentType: registry.contentType, text: await registry.metrics() }
    },
  }
}
