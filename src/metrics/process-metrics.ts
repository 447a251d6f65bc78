/** The process itself: what it runs with, and whether it sends. */
import type { Instruments } from './instruments.ts'

export class ProcessMetrics {
  readonly #configOk
  readonly #configTime
  readonly #configInfo
  readonly #restartPending
  readonly #workerUp
  readonly #concurrency
  readonly #scalingLag
  readonly #spans

  constructor(instruments: Instruments, version: string) {
    instruments
      .gauge('hushgate_build_info', 'Always 1; the version is in the label.', ['version'])
      .of({ version }).now = 1
    this.#configOk = instruments.gauge(
      'hushgate_config_last_reload_successful',
      '1 when the newest configuration is the one in use.',
    )
    this.#configTime = instruments.gauge(
      'hushgate_config_last_reload_success_timestamp_seconds',
      'When the configuration in use was loaded.',
    )
    this.#configInfo = instruments.gauge(
      'hushgate_config_info',
      'Always 1; the hash of the settings in use is in the label. Secrets, and what key files hold, are not in it.',
      ['hash'],
    )
    this.#restartPending = instruments.gauge(
      'hushgate_restart_pending',
      'Settings that were changed and take effect only after a restart; hushgate status names them.',
    )
    this.#workerUp = instruments.gauge('hushgate_worker_up', '1 where this process sends, 0 where it only accepts.')
    this.#concurrency = instruments.gauge(
      'hushgate_worker_concurrency',
      'Deliveries of an app on one push service that this process has under way at most (queue.concurrency).',
    )
    this.#scalingLag = instruments.storedGauge(
      'hushgate_scaling_lag_seconds',
      'For autoscaling: the greatest hushgate_queue_overdue_seconds among apps that this process can deliver now, so that no push that waits for a credential or a push service asks for more processes. 0 where it only accepts.',
    )
    this.#spans = instruments.counter(
      'hushgate_trace_spans_total',
      'Spans of traces: exported, or dropped because the collector (tracing.otlp_url) was away or took too long.',
      ['result'],
    )
    for (const result of ['exported', 'dropped']) this.#spans.of({ result })
  }

  /** Spans of traces, where these are exported. */
  spans(result: 'exported' | 'dropped', spans: number): void {
    this.#spans.of({ result }).now += spans
  }

  configured({ hash, nowMs }: { readonly hash: string; readonly nowMs: number }): void {
    this.#configOk.of().now = 1
    this.#configTime.of().now = nowMs / 1000
    this.#configInfo.removeWhere((labels) => labels['hash'] !== hash)
    this.#configInfo.of({ hash }).now = 1
  }

  /** `concurrency`: of each route; undefined where this process only accepts. */
  sends(concurrency: number | undefined): void {
    this.#workerUp.of().now = concurrency === undefined ? 0 : 1
    this.#concurrency.of().now = concurrency ?? 0
  }

  /** So many settings wait for a restart. */
  restartPending(settings: number): void {
    this.#restartPending.of().now = settings
  }

  /** The newest configuration was refused. */
  configRefused(): void {
    this.#configOk.of().now = 0
  }

  scalingLag(seconds: number): void {
    this.#scalingLag.of().now = seconds
  }
}
