/** Writes docs/metrics.md from what the code counts (src/metrics). */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Metrics } from '../src/metrics/metrics.ts'

export const metricsDoc = join(import.meta.dirname, '../docs/metrics.md')

/** Each of Sygnal's, with what takes its place. */
const OF_SYGNAL: readonly (readonly [sygnal: string, ours: string])[] = [
  ['sygnal_notifications_received', '`hushgate_notify_request_duration_seconds_count`'],
  ['sygnal_notifications_devices_received', '`hushgate_devices_received_total`, of all `intake` together'],
  ['sygnal_per_pushkin_type', '`hushgate_attempts_total`, by `provider`'],
  ['sygnal_pushgateway_status_codes', '`hushgate_notify_request_duration_seconds_count`, by `code`'],
  [
    'sygnal_notify_time',
    '`hushgate_notify_request_duration_seconds`; it ends when the push is durable, and what the push service takes is in `hushgate_delivery_delay_seconds`',
  ],
  ['sygnal_requests_in_flight', '`hushgate_worker_busy`'],
  [
    'sygnal_apns_request_time, sygnal_gcm_request_time, sygnal_webpush_request_time',
    '`hushgate_send_duration_seconds`, by `provider`',
  ],
  [
    'sygnal_gcm_queue_time, sygnal_webpush_queue_time',
    '`hushgate_delivery_delay_seconds` and `hushgate_queue_overdue_seconds`',
  ],
  [
    'sygnal_pending_gcm_requests, sygnal_pending_webpush_requests',
    '`hushgate_queue_deliveries`, of the `state` waiting',
  ],
  [
    'sygnal_active_apns_requests, sygnal_active_gcm_requests, sygnal_active_webpush_requests',
    '`hushgate_worker_busy`, by `provider`',
  ],
  ['sygnal_apns_status_codes, sygnal_gcm_status_codes', '`hushgate_push_service_answers_total`, by `code`'],
  ['sygnal_client_cert_expiry', '`hushgate_credential_expiry_timestamp_seconds`'],
  [
    'sygnal_inflight_request_limit_drop',
    '`hushgate_notify_request_duration_seconds_count` of the `code` 503; nothing is dropped',
  ],
]

const HEAD = `<!-- Written by scripts/write-metrics-doc.ts from src/metrics: change it there. -->

# Metrics

The admin port answers \`GET /metrics\` in the text format of Prometheus, without a token. Rules, a dashboard and how to set both up:
[operating without Kubernetes](deploying.md#monitoring), [the chart](../helm/README.md). What each alert means: [runbook](runbook.md).

- \`app\` is the name of an app in the configuration, \`provider\` its \`type\`. No label comes from a request: an app_id that is not configured is counted
  as \`_unknown\`, and what a push service says is a word of its documentation, a status, or \`other\`. So the number of series is bounded by the configuration.
- An app that is taken out of the configuration takes its series with it; one that comes back begins at 0.
- What is said to be the same from every replica is about the store: take its \`max\`, never its \`sum\`.
- Also there: \`process_*\` and \`nodejs_*\` of Node.js, e.g. \`nodejs_eventloop_lag_p99_seconds\`, \`process_resident_memory_bytes\`.
`

/** The whole page. */
export function writeMetrics(): string {
  const rows = new Metrics('0.0.0').descriptions
    .toSorted((one, other) => one.name.localeCompare(other.name))
    .map(
      ({ name, kind, labels, help }) =>
        `| \`${name}\` | ${kind} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    )
  const table = ['| Metric | Type | Labels | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
  const names = OF_SYGNAL.map(([sygnal, ours]) => `| ${sygnal.replaceAll(/\w+/g, '`$&`')} | ${ours} |`)
  const ofSygnal = ['| Sygnal | Hushgate |', '| --- | --- |', ...names].join('\n')
  return `${HEAD}\n## What there is\n\n${table}\n\n## Names of Sygnal\n\n${ofSygnal}\n`
}

if (import.meta.main) writeFileSync(metricsDoc, writeMetrics())
