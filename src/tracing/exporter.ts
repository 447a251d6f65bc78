/** Takes spans to the operator's collector (OTLP over HTTP). Nothing waits for it: what it cannot take is dropped, and counted. */
import { request as requestHttp, type ClientRequest } from 'node:http'
import { request as requestHttps, type RequestOptions } from 'node:https'
import type { TracingConfig } from '../config/config.ts'
import { codeOf } from '../core/error-code.ts'
import type { Log } from '../core/log.ts'
import { exportRequest, type Span } from './span.ts'

/** Where spans go. */
export type Collector = Pick<TracingConfig, 'url' | 'headers' | 'authorities'>

export interface ExporterParts {
  readonly version: string
  readonly log: Log
  /** Told of spans that the collector took, and of those that it never gets. */
  readonly count: (result: 'exported' | 'dropped', spans: number) => void
  readonly limits?: Partial<ExportLimits> | undefined
}

export interface ExportLimits {
  /** Spans in memory, those on their way included. */
  readonly queue: number
  /** Spans in one request. */
  readonly batch: number
  /** What does not fill a batch waits so long; and so long is waited after a failure. */
  readonly delayMs: number
  readonly timeoutMs: number
  /** At the end, for all that is left. */
  readonly lastMs: number
}

/** The first three are OpenTelemetry's own (OTEL_BSP_…). */
const LIMITS: ExportLimits = { queue: 2048, batch: 512, delayMs: 5000, timeoutMs: 10_000, lastMs: 2000 }
/** A collector that says so may take the same a moment later (OTLP/HTTP, "Retryable response codes"). */
const PASSING = new Set([429, 502, 503, 504])

export class Exporter {
  readonly #collector: Collector
  readonly #parts: ExporterParts
  readonly #limits: ExportLimits
  /** Of the request that is under way, or was last. */
  #cutOff: () => void = () => {}
  #spans: Span[] = []
  #timer: NodeJS.Timeout | undefined
  #exporting: Promise<void> | undefined
  #isAway = false
  #isClosed = false
  #isTimeOver = false

  constructor(collector: Collector, parts: ExporterParts) {
    this.#collector = collector
    this.#parts = parts
    this.#limits = { ...LIMITS, ...parts.limits }
  }

  add(span: Span): void {
    const { queue, batch, delayMs } = this.#limits
    if (this.#spans.length >= queue || this.#isClosed) return this.#parts.count('dropped', 1)
    this.#spans.push(span)
    if (this.#spans.length >= batch && !this.#isAway) this.#export()
    else this.#timer ??= setTimeout(() => this.#export(), delayMs).unref()
  }

  /** Tries for a moment to get rid of what is left. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    const limit = setTimeout(() => {
      this.#isTimeOver = true
      this.#cutOff()
    }, this.#limits.lastMs)
    await this.#exporting
    while (this.#spans.length > 0 && !this.#isAway && !this.#isTimeOver) await this.#exportBatch()
    clearTimeout(limit)
    this.#drop(this.#spans.length)
  }

  #export(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#exporting ??= this.#exportAll().finally(() => {
      this.#exporting = undefined
      if (this.#spans.length > 0 && !this.#isClosed)
        this.#timer ??= setTimeout(() => this.#export(), this.#limits.delayMs).unref()
    })
  }

  /** Ends with the first failure, and when no whole batch is left. */
  async #exportAll(): Promise<void> {
    let isMore = true
    while (isMore) {
      await this.#exportBatch()
      isMore = this.#spans.length >= this.#limits.batch && !this.#isAway && !this.#isClosed
    }
  }

  async #exportBatch(): Promise<void> {
    const batch = this.#spans.slice(0, this.#limits.batch)
    const status = await this.#post(exportRequest(batch, this.#parts.version))
    if (typeof status === 'number' && status >= 200 && status <= 299) {
      this.#spans.splice(0, batch.length)
      this.#parts.count('exported', batch.length)
      if (this.#isAway) this.#parts.log.info('The collector takes traces again')
      this.#isAway = false
      return
    }
    if (!this.#isAway)
      this.#parts.log.warn('Traces cannot be exported; they are dropped until the collector takes them again', {
        reason: status,
      })
    this.#isAway = true
    if (typeof status === 'number' && !PASSING.has(status)) this.#drop(batch.length)
  }

  #drop(spans: number): void {
    if (spans === 0) return
    this.#spans.splice(0, spans)
    this.#parts.count('dropped', spans)
  }

  /** Resolves with the status of the answer, or with a code where there is none. */
  async #post(body: string): Promise<number | string> {
    try {
      return await this.#request(body)
    } catch (error) {
      // A header or certificate that Node does not take.
      return codeOf(error)
    }
  }

  #request(body: string): Promise<number | string> {
    const { url, headers, authorities } = this.#collector
    const options: RequestOptions = {
      method: 'POST',
      // One connection for each: between two exports a collector may close it, and that would look like a failure.
      agent: false,
      ca: authorities?.reveal(),
      headers: {
        ...Object.fromEntries([...headers].map(([name, value]) => [name, value.reveal()])),
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      },
    }
    return new Promise((resolve) => {
      const asking = requestTo(url, options)
      this.#cutOff = () => {
        resolve('timed out')
        asking.destroy()
      }
      const limit = setTimeout(this.#cutOff, this.#limits.timeoutMs).unref()
      asking.on('error', (error) => resolve(codeOf(error)))
      asking.once('close', () => clearTimeout(limit))
      asking.once('response', (response) => {
        response.on('error', () => {})
        response.resume()
        resolve(response.statusCode ?? 0)
      })
      asking.end(body)
    })
  }
}

function requestTo(url: string, options: RequestOptions): ClientRequest {
  return url.startsWith('https:') ? requestHttps(url, options) : requestHttp(url, options)
}
