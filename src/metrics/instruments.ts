/**
 * How metrics are made and written. They are our own, and not prom-client's, so that counting a push looks nothing up and allocates nothing: whoever counts
 * holds the series itself (`Value`, `Distribution`). What Node.js tells of itself comes from prom-client, of which this is the only import.
 */
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { Route } from '../core/route.ts'

/** Counts of Node.js that other metrics tell better. */
const LEFT_OUT = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total']

export type Labels = Readonly<Record<string, string>>

/** What a metric is, for Prometheus and for docs/metrics.md. */
export interface Description {
  readonly name: string
  readonly kind: 'counter' | 'gauge' | 'histogram'
  /** One sentence. */
  readonly help: string
  readonly labels: readonly string[]
}

/** A series of a counter or of a gauge. */
export class Value {
  now = 0
}

/** The series of a histogram for one set of labels. */
export class Distribution {
  /** Of each bucket, how many were within it and not within the one before; the last: beyond all. */
  readonly counts: number[]
  sum = 0
  readonly #bounds: readonly number[]

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.counts = [...bounds, Infinity].map(() => 0)
  }

  observe(value: number): void {
    let bucket = 0
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? Infinity)) bucket += 1
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.sum += value
  }
}

interface Series<T> {
  readonly labels: Labels
  readonly value: T
  /** Its lines, each up to where its number stands; made when they are first written. */
  heads?: readonly string[]
}

/** How the series of a metric are written. */
interface Format<T> {
  /** Each line of a series up to its number, by the name of the metric and the text of the labels. */
  readonly headsOf: (name: string, labels: string) => readonly string[]
  readonly write: (heads: readonly string[], value: T) => string
}

/** A metric with all its series. A series is there from when it is first asked for until it is removed. */
export class Metric<T = Value> {
  readonly description: Description
  readonly #create: () => T
  readonly #format: Format<T>
  readonly #series = new Map<string, Series<T>>()

  constructor(description: Description, create: () => T, format: Format<T>) {
    this.description = description
    this.#create = create
    this.#format = format
  }

  of(labels: Labels = {}): T {
    const text = textOf(labels)
    const known = this.#series.get(text)
    if (known !== undefined) return known.value
    const value = this.#create()
    this.#series.set(text, { labels, value })
    return value
  }

  remove(labels: Labels): void {
    this.#series.delete(textOf(labels))
  }

  /** Those with these labels, whatever others they have. */
  seriesOf(labels: Labels): readonly Series<T>[] {
    const wanted = Object.entries(labels)
    return [...this.#series.values()].filter((series) => wanted.every(([name, value]) => series.labels[name] === value))
  }

  /** Removes the series about which `isGone` says so. */
  removeWhere(isGone: (labels: Labels) => boolean): void {
    for (const [text, { labels }] of this.#series) if (isGone(labels)) this.#series.delete(text)
  }

  /** Prometheus' text. */
  write(): string {
    const { name, kind, help } = this.description
    const { headsOf, write } = this.#format
    let written = `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${kind}\n`
    for (const [text, series] of this.#series) written += write((series.heads ??= headsOf(name, text)), series.value)
    return written
  }
}

type WrittenMetric = Pick<Metric, 'description' | 'removeWhere' | 'write'>

export class Instruments {
  readonly #ofNode = new Registry()
  readonly #metrics: WrittenMetric[] = []
  /** Of what is in the store. */
  readonly #stored = new Set<WrittenMetric>()

  constructor() {
    collectDefaultMetrics({ register: this.#ofNode })
    for (const name of LEFT_OUT) this.#ofNode.removeSingleMetric(name)
  }

  counter(name: string, help: string, labels: readonly string[] = []): Metric {
    return this.#add(new Metric({ name, kind: 'counter', help, labels }, () => new Value(), ONE_LINE))
  }

  gauge(name: string, help: string, labels: readonly string[] = []): Metric {
    return this.#add(new Metric({ name, kind: 'gauge', help, labels }, () => new Value(), ONE_LINE))
  }

  /** Of which the store is asked when somebody scrapes. */
  storedGauge(...[name, help, labels]: Parameters<Instruments['gauge']>): Metric {
    const metric = this.gauge(name, help, labels)
    this.#stored.add(metric)
    return metric
  }

  /** `bounds`: the greatest value of each bucket, growing. */
  histogram(name: string, help: string, labels: readonly string[], bounds: readonly number[]): Metric<Distribution> {
    const format: Format<Distribution> = { headsOf: bucketHeads(bounds), write: writeBuckets }
    return this.#add(new Metric({ name, kind: 'histogram', help, labels }, () => new Distribution(bounds), format))
  }

  /** Removes what is about an app, or an app on a push service, that is not among these routes. */
  keepOnly(routes: readonly Route[]): void {
    const kept = new Set(routes.flatMap(({ app, provider }) => [app, `${app} ${provider}`]))
    const isGone = ({ app, provider }: Labels): boolean =>
      app !== undefined && app !== UNKNOWN_APP && !kept.has(provider === undefined ? app : `${app} ${provider}`)
    for (const metric of this.#metrics) metric.removeWhere(isGone)
  }

  /** Of our own metrics, in the order in which they were made. */
  get descriptions(): readonly Description[] {
    return this.#metrics.map(({ description }) => description)
  }

  /** Prometheus' text. `stored`: settles when the gauges of what is in the store have their values. All else is written by then. */
  async expose(stored: Promise<unknown>): Promise<Exposition> {
    const own = writeAll(this.#metrics.filter((metric) => !this.#stored.has(metric)))
    const ofNode = await this.#ofNode.metrics()
    await stored
    return { contentType: this.#ofNode.contentType, text: `${own}${ofNode}${writeAll([...this.#stored])}` }
  }

  #add<T>(metric: Metric<T>): Metric<T> {
    this.#metrics.push(metric)
    return metric
  }
}

/** Prometheus' text, and what it is to be called. */
export interface Exposition {
  readonly contentType: string
  readonly text: string
}

/** The app of an app_id that is not configured: whose it is never becomes a label, as anybody can make one up. */
export const UNKNOWN_APP = '_unknown'

export const ROUTE_LABELS = ['app', 'provider'] as const

export function routeLabels({ app, provider }: Pick<Route, 'app' | 'provider'>): Labels {
  return { app, provider }
}

/** Seconds of what takes well under one where all is well. */
export const FAST_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

function writeAll(metrics: readonly WrittenMetric[]): string {
  return metrics.map((metric) => metric.write()).join('')
}

function textOf(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, escaped)}"`)
    .join(',')
}

function escaped(character: string): string {
  return character === '\n' ? '\\n' : `\\${character}`
}

const ONE_LINE: Format<Value> = {
  headsOf: (name, labels) => [labels === '' ? `${name} ` : `${name}{${labels}} `],
  write: ([head = ''], { now }) => `${head}${now}\n`,
}

function bucketHeads(bounds: readonly number[]): Format<Distribution>['headsOf'] {
  return (name, labels) => {
    const before = labels === '' ? '' : `${labels},`
    const braced = labels === '' ? '' : `{${labels}}`
    const buckets = [...bounds, '+Inf'].map((bound) => `${name}_bucket{${before}le="${bound}"} `)
    return [...buckets, `${name}_sum${braced} `, `${name}_count${braced} `]
  }
}

function writeBuckets(heads: readonly string[], { counts, sum }: Distribution): string {
  let written = ''
  let count = 0
  for (const [index, inBucket] of counts.entries()) {
    count += inBucket
    written += `${heads[index]}${count}\n`
  }
  return `${written}${heads[counts.length]}${sum}\n${heads[counts.length + 1]}${count}\n`
}
