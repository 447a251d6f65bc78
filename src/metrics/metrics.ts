/** What is counted, by subject: one method per event, so that a metric and its labels are defined together. docs/metrics.md is written from here. */
import { CanaryMetrics, type CountedCanary } from './canary-metrics.ts'
import { DeliveryMetrics, type CountedRoute } from './delivery-metrics.ts'
import { Instruments, type Description, type Exposition } from './instruments.ts'
import { IntakeMetrics } from './intake-metrics.ts'
import { ProcessMetrics } from './process-metrics.ts'
import { StoreMetrics } from './store-metrics.ts'
import { WireMetrics } from './wire-metrics.ts'

/** What of a configuration is seen in the metrics. */
export interface CountedConfig {
  readonly routes: readonly CountedRoute[]
  /** Of the settings, without secrets. */
  readonly hash: string
  readonly highWater: number
  /** Default: none. */
  readonly canaries?: readonly CountedCanary[] | undefined
  /** Whether this process hands pushes to push services; default: yes. */
  readonly sends?: boolean | undefined
}

export class Metrics {
  readonly intake: IntakeMetrics
  readonly delivery: DeliveryMetrics
  readonly store: StoreMetrics
  readonly wire: WireMetrics
  readonly canaries: CanaryMetrics
  readonly process: ProcessMetrics
  readonly #instruments = new Instruments()

  constructor(version: string) {
    this.process = new ProcessMetrics(this.#instruments, version)
    this.intake = new IntakeMetrics(this.#instruments)
    this.delivery = new DeliveryMetrics(this.#instruments)
    this.wire = new WireMetrics(this.#instruments)
    this.store = new StoreMetrics(this.#instruments)
    this.canaries = new CanaryMetrics(this.#instruments)
  }

  /** Of our own metrics. */
  get descriptions(): readonly Description[] {
    return this.#instruments.descriptions
  }

  /** A configuration is in use from now on. Nothing is told any more of apps that are not in it. */
  configured({ routes, hash, highWater, canaries = [], sends = true }: CountedConfig, nowMs: number): void {
    this.#instruments.keepOnly(routes)
    this.intake.configured(routes)
    this.delivery.configured(routes)
    this.store.configured(highWater)
    this.canaries.configured(canaries, sends, nowMs)
    this.process.configured({ hash, nowMs })
  }

  /** `stored`: settles when all that is in the store is told. */
  expose(stored: Promise<unknown> = Promise.resolve()): Promise<Exposition> {
    return this.#instruments.expose(stored)
  }
}
