/** What is counted, and what is told of it: series only of what is configured, only as long as it is. */
import { describe, expect, it } from 'vitest'
import type { HandledDelivery } from '../../src/metrics/delivery-metrics.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { metricValue } from '../helpers/gateway.ts'

const route = (app: string, provider: string) => ({ name: app, app, provider })
const WEB = route('web', 'webpush')
const IOS = route('ios', 'apns')
const HANDLED: HandledDelivery = {
  result: 'delivered',
  reason: undefined,
  isFinal: true,
  priority: 'event',
  sendSeconds: 0.1,
  endToEndSeconds: 0.1,
  nowMs: 1000,
}

function metricsOf(...routes: Parameters<Metrics['configured']>[0]['routes']): Metrics {
  const metrics = new Metrics('0.0.0')
  metrics.configured({ routes, hash: 'abc', highWater: 10 }, 0)
  return metrics
}

const textOf = async (metrics: Metrics): Promise<string> => (await metrics.expose()).text
const seriesOf = (text: string): readonly string[] =>
  [...text.matchAll(/^(hushgate_\S+) \S+$/gm)].map(([, series]) => series ?? '').toSorted()

describe('the reasons of push services', () => {
  it('that somebody makes up for one app do not take the place of those of another', async () => {
    const metrics = metricsOf(WEB, IOS)
    const refused = (of: typeof WEB, reason: string): void =>
      metrics.delivery.handled(of, { ...HANDLED, result: 'failed', reason })
    for (let status = 400; status < 600; status += 1) refused(WEB, String(status))
    refused(IOS, 'InvalidProviderToken')
    const text = await textOf(metrics)
    const reasonsOf = (app: string) =>
      [...text.matchAll(/^hushgate_push_service_refusals_total\{app="(\w+)".*reason="(\w+)"/gm)]
        .filter((match) => match[1] === app)
        .map((match) => match[2])
    expect(reasonsOf('ios')).toEqual(['InvalidProviderToken'])
    expect(reasonsOf('web')).toHaveLength(101)
    expect(reasonsOf('web')).toContain('other')
  })
})

describe('a configuration without an app that was there', () => {
  it('leaves no series of it, whatever is still told of it', async () => {
    const metrics = metricsOf(WEB, IOS)
    const only = seriesOf(await textOf(metricsOf(WEB)))
    metrics.delivery.blocked(IOS, true)
    metrics.delivery.credentialExpires(IOS, 5000)
    metrics.store.depth(IOS, { waiting: 1, delayed: 0, active: 0, dead: 0, oldestAgeMs: 5000, overdueMs: 5000 })
    metrics.configured({ routes: [WEB], hash: 'abc', highWater: 10 }, 0)
    metrics.delivery.blocked(IOS, true)
    metrics.delivery.ended(IOS)
    metrics.delivery.handled(IOS, { ...HANDLED, reason: 'BadTopic' })
    metrics.intake.deviceSkipped(IOS, 'duplicate')
    expect(seriesOf(await textOf(metrics))).toEqual(only)
  })

  it('keeps what was counted of the others', async () => {
    const metrics = metricsOf(WEB, IOS)
    metrics.delivery.handled(WEB, HANDLED)
    metrics.configured({ routes: [WEB], hash: 'other', highWater: 10 }, 0)
    metrics.delivery.handled(WEB, HANDLED)
    const text = await textOf(metrics)
    expect(metricValue(text, 'hushgate_outcomes_total', { app: 'web', outcome: 'delivered' })).toBe(2)
    expect(text.match(/^hushgate_config_info.*$/gm)).toEqual(['hushgate_config_info{hash="other"} 1'])
  })
})

it('a certificate that is replaced by a key that does not expire leaves no expiry', async () => {
  const metrics = metricsOf(IOS)
  metrics.delivery.credentialExpires(IOS, 5000)
  expect(await textOf(metrics)).toContain('hushgate_credential_expiry_timestamp_seconds{app="ios",provider="apns"} 5\n')
  metrics.delivery.credentialExpires(IOS, undefined)
  expect(await textOf(metrics)).not.toContain('hushgate_credential_expiry_timestamp_seconds{')
})

it('a depth that could not be read leaves no value from before', async () => {
  const metrics = metricsOf(IOS)
  metrics.store.depth(IOS, { waiting: 7, delayed: 0, active: 0, dead: 0, oldestAgeMs: 5000, overdueMs: 5000 })
  expect(metricValue(await textOf(metrics), 'hushgate_queue_deliveries', { state: 'waiting' })).toBe(7)
  metrics.store.depth(IOS, undefined)
  expect(await textOf(metrics)).not.toMatch(/^hushgate_queue_(deliveries|oldest_age_seconds|overdue_seconds)\{/m)
})

it('an attempt that takes as long as any may has a bucket of its own', async () => {
  const metrics = metricsOf(IOS)
  metrics.delivery.handled(IOS, { ...HANDLED, sendSeconds: 15.01 })
  const text = await textOf(metrics)
  const within = (le: string) => metricValue(text, 'hushgate_send_duration_seconds_bucket', { le })
  expect([within('10'), within('15'), within('20'), within('+Inf')]).toEqual([0, 0, 1, 1])
})

it('a thousand made-up app_ids add no series', async () => {
  const metrics = metricsOf(IOS)
  metrics.intake.unknownApp()
  const before = seriesOf(await textOf(metrics))
  for (let count = 0; count < 1000; count += 1) {
    metrics.intake.unknownApp()
    metrics.intake.deviceSkipped(route(`made-up-${count}`, 'apns'), 'not_allowed')
    metrics.delivery.handled(route(`made-up-${count}`, 'apns'), HANDLED)
  }
  expect(seriesOf(await textOf(metrics))).toEqual(before)
  expect(metricValue(await textOf(metrics), 'hushgate_devices_received_total', { app: '_unknown' })).toBe(1001)
})

describe('an event push', () => {
  const arrivals = async (metrics: Metrics) => {
    const text = await textOf(metrics)
    const arrived = (how: string) => metricValue(text, 'hushgate_event_pushes_total', { arrived: how })
    return [arrived('in_time'), arrived('late'), arrived('never')]
  }

  it.each<[string, Partial<HandledDelivery>, readonly number[]]>([
    ['that is delivered within ten seconds is in time', { endToEndSeconds: 10 }, [1, 0, 0]],
    ['that is delivered after that is late', { endToEndSeconds: 10.1 }, [0, 1, 0]],
    ['whose pushkey the push service calls dead has arrived there', { result: 'rejected' }, [1, 0, 0]],
    ['that expires at its last attempt never arrives', { result: 'retry' }, [0, 0, 1]],
    ['that expires while it waits never arrives', { result: 'expired' }, [0, 0, 1]],
    ['that is tried again counts when it ends', { result: 'retry', isFinal: false }, [0, 0, 0]],
    ['that was sent before does not count', { result: 'duplicate' }, [0, 0, 0]],
    ['that is only a badge does not count', { priority: 'counts' }, [0, 0, 0]],
    ['that is a call counts', { priority: 'call' }, [1, 0, 0]],
  ])('%s', async (_name, handled, expected) => {
    const metrics = metricsOf(IOS)
    metrics.delivery.handled(IOS, { ...HANDLED, ...handled })
    expect(await arrivals(metrics)).toEqual(expected)
  })

  it('that waits on purpose is not late for that', async () => {
    const metrics = metricsOf({ ...IOS, timing: { releaseEveryMs: 600_000 } })
    metrics.delivery.handled(IOS, { ...HANDLED, endToEndSeconds: 609 })
    metrics.delivery.handled(IOS, { ...HANDLED, endToEndSeconds: 612 })
    expect(await arrivals(metrics)).toEqual([1, 1, 0])
  })
})

it.each<[string, Partial<HandledDelivery>, readonly number[]]>([
  ['that is delivered counts with its time', { endToEndSeconds: 4 }, [1, 1]],
  ['that is late counts as that', { endToEndSeconds: 12 }, [0, 1]],
  ['that expired counts with its age', { result: 'expired', endToEndSeconds: 61 }, [0, 1]],
  ['that is tried again counts when it ends', { result: 'retry', isFinal: false }, [0, 0]],
  ['that was sent before does not count', { result: 'duplicate' }, [0, 0]],
  ['that is none does not count', { priority: 'event' }, [0, 0]],
])('a call %s', async (_name, handled, [withinFive, all]) => {
  const metrics = metricsOf(IOS)
  metrics.delivery.handled(IOS, { ...HANDLED, priority: 'call', ...handled })
  const text = await textOf(metrics)
  expect(metricValue(text, 'hushgate_call_delay_seconds_bucket', { le: '5' })).toBe(withinFive)
  expect(metricValue(text, 'hushgate_call_delay_seconds_count')).toBe(all)
})

it('what is under way in this process is counted until it ends', async () => {
  const metrics = metricsOf(IOS)
  metrics.delivery.begun(IOS)
  metrics.delivery.begun(IOS)
  metrics.delivery.ended(IOS)
  expect(metricValue(await textOf(metrics), 'hushgate_worker_busy')).toBe(1)
})

it('when a push service last accepted a push is told once it has', async () => {
  const metrics = metricsOf(IOS)
  metrics.delivery.handled(IOS, { ...HANDLED, result: 'failed' })
  expect(await textOf(metrics)).not.toContain('hushgate_credential_last_accepted_timestamp_seconds{')
  metrics.delivery.handled(IOS, { ...HANDLED, nowMs: 7000 })
  expect(metricValue(await textOf(metrics), 'hushgate_credential_last_accepted_timestamp_seconds')).toBe(7)
})

it('a name with a quote, a backslash or a line break is written so that Prometheus reads it', async () => {
  const metrics = metricsOf(route('a"b\\c\nd', 'apns'))
  expect(await textOf(metrics)).toContain('hushgate_attempts_total{app="a\\"b\\\\c\\nd",provider="apns"} 0\n')
})

describe('the age of canary pushes', () => {
  const canaries = [{ route: IOS, everyMs: 60_000 }]
  const ageOf = async (metrics: Metrics, nowMs: number): Promise<number | undefined> => {
    metrics.canaries.aged(nowMs)
    return metricValue(await textOf(metrics), 'hushgate_canary_age_seconds', { app: 'ios' })
  }

  it('counts from when one is awaited, then from the last that arrived, and a reload changes nothing', async () => {
    const metrics = new Metrics('0.0.0')
    const configure = (nowMs: number): void =>
      metrics.configured({ routes: [IOS], hash: 'abc', highWater: 10, canaries }, nowMs)
    configure(10_000)
    expect(await ageOf(metrics, 15_000)).toBe(5)
    metrics.canaries.delivered(IOS, 0.5, 20_000)
    configure(30_000)
    metrics.canaries.ended(IOS, 'failed')
    expect(await ageOf(metrics, 50_000)).toBe(30)
    const text = await textOf(metrics)
    expect(metricValue(text, 'hushgate_canary_last_success_timestamp_seconds')).toBe(20)
    expect(metricValue(text, 'hushgate_canary_pushes_total', { outcome: 'delivered' })).toBe(1)
  })

  it('is told by nobody who sends nothing', async () => {
    const metrics = new Metrics('0.0.0')
    metrics.configured({ routes: [IOS], hash: 'abc', highWater: 10, canaries, sends: false }, 0)
    expect(await ageOf(metrics, 1000)).toBeUndefined()
    expect(metricValue(await textOf(metrics), 'hushgate_canary_interval_seconds')).toBe(60)
  })

  it('and all that is told of them goes with the setting', async () => {
    const metrics = new Metrics('0.0.0')
    metrics.configured({ routes: [IOS], hash: 'abc', highWater: 10, canaries }, 0)
    metrics.canaries.delivered(IOS, 0.5, 1000)
    metrics.configured({ routes: [IOS], hash: 'abc', highWater: 10 }, 2000)
    metrics.canaries.delivered(IOS, 0.5, 3000)
    metrics.canaries.aged(4000)
    expect(seriesOf(await textOf(metrics))).toEqual(seriesOf(await textOf(metricsOf(IOS))))
  })
})
