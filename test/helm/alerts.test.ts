/** Each alert, in promtool: what makes it fire, what does not, and which others do not fire beside it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { monitoringTools } from '../../scripts/helm-tools.ts'
import { chartFolder } from './helpers/chart.ts'

const RULES = join(chartFolder, 'files/alerts.yaml')
const POD = 'namespace="push",job="push/hushgate",instance="a"'
const IOS = `${POD},app="ios",provider="apns"`
const WEB = `${POD},app="web",provider="webpush"`
const DAY_S = 86_400

/** Series by their name and labels, with their values a minute apart, as promtool writes them: `from+stepxtimes`. */
type Series = Readonly<Record<string, string>>

/** For seven hours. */
const always = (value: number): string => `${value}+0x420`
const growing = (perMinute: number): string => `0+${perMinute}x420`

/** Of an app that works, all of it. */
const HEALTHY: Series = {
  [`hushgate_build_info{${POD},version="1"}`]: always(1),
  [`process_start_time_seconds{${POD}}`]: always(1),
  [`hushgate_worker_up{${POD}}`]: always(1),
  [`hushgate_worker_busy{${IOS}}`]: always(3),
  [`hushgate_worker_concurrency{${POD}}`]: always(1000),
  [`hushgate_store_writable{${POD}}`]: always(1),
  [`hushgate_store_dangers{${POD}}`]: always(0),
  [`hushgate_store_fill_ratio{${POD}}`]: always(0.1),
  [`hushgate_queue_deliveries{${IOS},state="waiting"}`]: always(5),
  [`hushgate_queue_deliveries{${IOS},state="dead"}`]: always(2000),
  [`hushgate_queue_high_water{${POD}}`]: always(1000),
  [`hushgate_queue_oldest_age_seconds{${IOS}}`]: always(1),
  [`hushgate_queue_overdue_seconds{${IOS}}`]: always(1),
  [`hushgate_queue_oldest_age_seconds{${WEB}}`]: always(1),
  [`hushgate_queue_overdue_seconds{${WEB}}`]: always(1),
  [`hushgate_app_blocked{${IOS}}`]: always(0),
  [`hushgate_app_paused{${IOS}}`]: always(0),
  [`hushgate_circuit_open{${IOS}}`]: always(0),
  [`hushgate_rejections_suspected{${IOS}}`]: always(0),
  [`hushgate_canary_age_seconds{${IOS}}`]: always(200),
  [`hushgate_canary_interval_seconds{${IOS}}`]: always(300),
  [`hushgate_attempts_total{${IOS}}`]: growing(1000),
  [`hushgate_retries_total{${IOS}}`]: growing(10),
  [`hushgate_outcomes_total{${IOS},outcome="delivered"}`]: growing(990),
  [`hushgate_outcomes_total{${IOS},outcome="failed"}`]: growing(1),
  [`hushgate_outcomes_total{${IOS},outcome="dropped"}`]: always(0),
  [`hushgate_event_pushes_total{${IOS},arrived="in_time"}`]: growing(995),
  [`hushgate_event_pushes_total{${IOS},arrived="late"}`]: growing(5),
  [`hushgate_event_pushes_total{${IOS},arrived="never"}`]: always(0),
  [`hushgate_call_delay_seconds_bucket{${IOS},le="5"}`]: growing(10),
  [`hushgate_call_delay_seconds_bucket{${IOS},le="60"}`]: growing(10),
  [`hushgate_call_delay_seconds_bucket{${IOS},le="+Inf"}`]: growing(10),
  [`hushgate_call_delay_seconds_count{${IOS}}`]: growing(10),
  [`hushgate_credential_expiry_timestamp_seconds{${IOS}}`]: always(400 * DAY_S),
  [`hushgate_devices_received_total{${POD},app="_unknown",intake="unknown_app"}`]: growing(1),
  [`hushgate_devices_received_total{${POD},app="ios",intake="not_allowed"}`]: always(0),
  [`hushgate_notify_request_duration_seconds_count{${POD},code="200"}`]: growing(1000),
  [`hushgate_notify_request_duration_seconds_count{${POD},code="503"}`]: growing(1),
  [`hushgate_notify_request_duration_seconds_bucket{${POD},code="200",le="0.1"}`]: growing(999),
  [`hushgate_notify_request_duration_seconds_bucket{${POD},code="200",le="+Inf"}`]: growing(1000),
  [`hushgate_door_total{${POD},door="source_limit",result="refused"}`]: always(0),
  [`nodejs_eventloop_lag_p99_seconds{${POD}}`]: always(0.02),
  [`hushgate_config_last_reload_successful{${POD}}`]: always(1),
  [`hushgate_restart_pending{${POD}}`]: always(0),
  [`hushgate_config_info{${POD},hash="one"}`]: always(1),
}
/** Another pod of the same. */
const OTHER_POD = POD.replace('"a"', '"b"')

let folder: string
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'hushgate-alerts-'))))
afterAll(() => rmSync(folder, { recursive: true }))

/** The alerts that fire at this minute, each once. */
function firingAt(minute: number, series: Series): readonly string[] {
  const suite = {
    rule_files: [RULES],
    evaluation_interval: '1m',
    tests: [
      {
        interval: '1m',
        input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
        promql_expr_test: [
          {
            expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
            eval_time: `${minute}m`,
            exp_samples: [{ labels: '{alertname="none"}', value: 0 }],
          },
        ],
      },
    ],
  }
  const file = join(folder, 'suite.yaml')
  writeFileSync(file, JSON.stringify(suite))
  const { stdout, stderr } = spawnSync(monitoringTools.promtool, ['test', 'rules', file], { encoding: 'utf8' })
  // It prints what it got instead of what was expected here, which never fits.
  const [, got = ''] = /got:(.*)/.exec(stdout + stderr) ?? []
  expect(stdout + stderr).toContain('got:')
  return [...got.matchAll(/alertname=\\?"(\w+)\\?"/g)].map(([, name]) => name ?? '').toSorted()
}

it('the rules are as Prometheus wants them', () => {
  const { status, stdout } = spawnSync(monitoringTools.promtool, ['check', 'rules', RULES], { encoding: 'utf8' })
  expect(stdout).toContain('SUCCESS')
  expect(status).toBe(0)
})

it('nothing fires where all is well', () => {
  expect(firingAt(400, HEALTHY)).toEqual([])
})

it('only that none answers fires where there is nothing', () => {
  expect(firingAt(10, { 'up{job="push/hushgate"}': always(0) })).toEqual(['HushgateDown'])
})

describe.each<[alert: string, changed: Series, firesAt: number, notAt: number, beside?: readonly string[]]>([
  ['HushgateRestartsOften', { [`process_start_time_seconds{${POD}}`]: '1+100x420' }, 10, 2],
  ['HushgateNoWorker', { [`hushgate_worker_up{${POD}}`]: always(0) }, 5, 1],
  ['HushgateStoreNotWritable', { [`hushgate_store_writable{${POD}}`]: always(0) }, 3, 0],
  ['HushgateStoreInDanger', { [`hushgate_store_dangers{${POD}}`]: always(1) }, 6, 3],
  ['HushgateClockSkew', { [`hushgate_clock_skew_seconds{${POD}}`]: always(-70) }, 6, 3],
  ['HushgateStoreFilling', { [`hushgate_store_fill_ratio{${POD}}`]: always(0.7) }, 12, 5],
  ['HushgateStoreFull', { [`hushgate_store_fill_ratio{${POD}}`]: always(0.95) }, 15, 1, ['HushgateStoreFilling']],
  ['HushgateQueueFilling', { [`hushgate_queue_deliveries{${IOS},state="waiting"}`]: always(700) }, 15, 5],
  ['HushgateQueueLag', { [`hushgate_queue_oldest_age_seconds{${IOS}}`]: always(100) }, 6, 4],
  ['HushgateQueueStuck', { [`hushgate_queue_oldest_age_seconds{${IOS}}`]: '0+60x420' }, 10, 6, ['HushgateQueueLag']],
  ['HushgateWorkersBusy', { [`hushgate_worker_busy{${IOS}}`]: always(990) }, 12, 5],
  ['HushgateAppBlocked', { [`hushgate_app_blocked{${IOS}}`]: always(1) }, 2, 0],
  ['HushgateAppPaused', { [`hushgate_app_paused{${IOS}}`]: always(1) }, 250, 200],
  ['HushgateCanaryStopped', { [`hushgate_canary_age_seconds{${IOS}}`]: '0+60x420' }, 20, 14],
  ['HushgatePushServiceAway', { [`hushgate_circuit_open{${IOS}}`]: always(1) }, 6, 4],
  ['HushgatePushServiceDegraded', { [`hushgate_retries_total{${IOS}}`]: growing(200) }, 30, 5],
  ['HushgateRejectionsSuspected', { [`hushgate_rejections_suspected{${IOS}}`]: '0 1+0x50' }, 1, 0],
  [
    'HushgateFreshnessBurnsFast',
    { [`hushgate_event_pushes_total{${IOS},arrived="late"}`]: growing(300) },
    60,
    1,
    ['HushgateFreshnessBurnsSlowly'],
  ],
  ['HushgateFreshnessBurnsSlowly', { [`hushgate_event_pushes_total{${IOS},arrived="never"}`]: growing(100) }, 400, 5],
  ['HushgateCallsLate', { [`hushgate_call_delay_seconds_bucket{${IOS},le="5"}`]: growing(9) }, 60, 4],
  ['HushgateDeliveriesFail', { [`hushgate_outcomes_total{${IOS},outcome="failed"}`]: growing(50) }, 60, 5],
  ['HushgateDeadLettersGrow', { [`hushgate_queue_deliveries{${IOS},state="dead"}`]: growing(2) }, 70, 50],
  [
    'HushgateCredentialExpires',
    { [`hushgate_credential_expiry_timestamp_seconds{${IOS}}`]: always(20 * DAY_S) },
    70,
    50,
  ],
  [
    'HushgateCredentialExpiresSoon',
    { [`hushgate_credential_expiry_timestamp_seconds{${IOS}}`]: always(2 * DAY_S) },
    70,
    3,
    ['HushgateCredentialExpires'],
  ],
  [
    'HushgateUnknownApps',
    { [`hushgate_devices_received_total{${POD},app="_unknown",intake="unknown_app"}`]: growing(10) },
    60,
    5,
  ],
  ['HushgatePushesDropped', { [`hushgate_outcomes_total{${IOS},outcome="dropped"}`]: growing(10) }, 60, 5],
  [
    'HushgateNotifyErrors',
    { [`hushgate_notify_request_duration_seconds_count{${POD},code="503"}`]: growing(100) },
    15,
    3,
  ],
  [
    'HushgateNotifySlow',
    {
      [`hushgate_notify_request_duration_seconds_bucket{${POD},code="200",le="0.1"}`]: growing(900),
      [`hushgate_notify_request_duration_seconds_bucket{${POD},code="200",le="1"}`]: growing(1000),
    },
    20,
    5,
  ],
  ['HushgateEventLoopLag', { [`nodejs_eventloop_lag_p99_seconds{${POD}}`]: always(0.8) }, 12, 5],
  ['HushgateConfigRefused', { [`hushgate_config_last_reload_successful{${POD}}`]: always(0) }, 6, 3],
  ['HushgateRestartPending', { [`hushgate_restart_pending{${POD}}`]: always(2) }, 70, 50],
  ['HushgateConfigDiffers', { [`hushgate_config_info{${OTHER_POD},hash="two"}`]: always(1) }, 20, 10],
])('%s', (alert, changed, firesAt, notAt, beside = []) => {
  it('fires, and no other that is not called for', () => {
    expect(firingAt(firesAt, { ...HEALTHY, ...changed })).toEqual([alert, ...beside].toSorted())
  })

  it('does not fire at once', () => {
    expect(firingAt(notAt, { ...HEALTHY, ...changed })).not.toContain(alert)
  })
})

it.each([
  ['a blocked', 'hushgate_app_blocked', ['HushgateAppBlocked']],
  ['a paused', 'hushgate_app_paused', []],
])('%s app is not late as well', (_state, gauge, expected) => {
  const stopped = { [`${gauge}{${IOS}}`]: always(1) }
  const late = {
    [`hushgate_queue_oldest_age_seconds{${IOS}}`]: growing(60),
    [`hushgate_queue_overdue_seconds{${IOS}}`]: growing(60),
    [`hushgate_canary_age_seconds{${IOS}}`]: growing(60),
    [`hushgate_call_delay_seconds_bucket{${IOS},le="5"}`]: always(0),
  }
  expect(firingAt(60, { ...HEALTHY, ...stopped, ...late })).toEqual(expected)
})

it('a Web Push host that a stranger names and that never answers makes nothing late', () => {
  const strange = {
    [`hushgate_queue_oldest_age_seconds{${WEB}}`]: growing(60),
    [`hushgate_event_pushes_total{${WEB},arrived="in_time"}`]: growing(1),
    [`hushgate_event_pushes_total{${WEB},arrived="never"}`]: growing(100),
  }
  expect(firingAt(400, { ...HEALTHY, ...strange })).toEqual([])
})

it('a Web Push app whose pushes could be sent and are not is late', () => {
  const late = { [`hushgate_queue_overdue_seconds{${WEB}}`]: always(400) }
  expect(firingAt(10, { ...HEALTHY, ...late })).toEqual(['HushgateQueueLag', 'HushgateQueueStuck'])
})

it('a few late pushes of a gateway with few pushes burn nothing', () => {
  const few = {
    [`hushgate_event_pushes_total{${IOS},arrived="in_time"}`]: '0+0.1x420',
    [`hushgate_event_pushes_total{${IOS},arrived="late"}`]: '0+0.02x420',
  }
  expect(firingAt(400, { ...HEALTHY, ...few })).toEqual([])
})

it('a late call now and then is not most of them', () => {
  const few = {
    [`hushgate_call_delay_seconds_bucket{${IOS},le="5"}`]: '0+0.05x420',
    [`hushgate_call_delay_seconds_bucket{${IOS},le="60"}`]: '0+0.1x420',
    [`hushgate_call_delay_seconds_bucket{${IOS},le="+Inf"}`]: '0+0.1x420',
    [`hushgate_call_delay_seconds_count{${IOS}}`]: '0+0.1x420',
  }
  expect(firingAt(400, { ...HEALTHY, ...few })).toEqual([])
})

it('a canary that another process sends has not stopped', () => {
  const elsewhere = {
    [`hushgate_canary_age_seconds{${IOS}}`]: growing(60),
    [`hushgate_canary_age_seconds{${IOS.replace(POD, OTHER_POD)}}`]: always(100),
    [`hushgate_canary_interval_seconds{${IOS.replace(POD, OTHER_POD)}}`]: always(300),
  }
  expect(firingAt(60, { ...HEALTHY, ...elsewhere })).toEqual([])
})

it('what two pods say of one store is not added up', () => {
  const twice = Object.fromEntries(
    Object.entries(HEALTHY).map(([name, values]) => [name.replace(POD, OTHER_POD), values]),
  )
  const half = {
    [`hushgate_queue_deliveries{${IOS},state="waiting"}`]: always(400),
    [`hushgate_queue_deliveries{${IOS.replace(POD, OTHER_POD)},state="waiting"}`]: always(400),
  }
  expect(firingAt(30, { ...HEALTHY, ...twice, ...half })).toEqual([])
})
