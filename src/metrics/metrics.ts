/** What is counted, by subject: one method per event, so that a metric and its labels are defined together. */
import type { Route } from '../core/route.ts'
import { DeliveryMetrics } from './delivery-metrics.ts'
import { Instruments } from './instruments.ts'
import { IntakeMetrics } from './intake-metrics.ts'
import { StoreMetrics } from './store-metrics.ts'

export class Metrics {
  readonly intake: IntakeMetrics
  readonly delivery: DeliveryMetrics
  readonly store: StoreMetrics
  readonly #instruments = new Instruments()
  readonly #configOk
  readonly #configTime

  constructor(version: string) {
    this.#instruments
      .gauge('hushgate_build_info', 'Always 1; the version is in the label.', ['version'])
      .set({ version }, 1)
    this.intake = new IntakeMetrics(this.#instruments)
    this.delivery = new DeliveryMetrics(this.#instruments)
    this.store = new StoreMetrics(this.#instruments)
    this.#configOk = this.#instruments.gauge(
      'hushgate_config_last_reload_successful',
      '1 when the newest configuration is the one in use.',
      [],
    )
    this.#configTime = this.#instruments.gauge(
      'hushgate_config_last_reload_success_timestamp_seconds',
      'When the configuration in use was loaded.',
      [],
    )
  }

  /** A configuration is in use from now on, with these routes. */
  configured(routes: readonly Route[], nowMs: number): void {
    for (const route of routes) {
      this.intake.begin(route)
      this.delivery.begin(route)
    }
    this.#configOk.set(1)
    this.#configTime.set(nowMs / 1000)
  }

  /** The newest configuration was refused. */
  configRefused(): void {
    this.#configOk.set(0)
  }

  /** Prometheus' text. */
  expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    return this.#instruments.expose()
  }
}
