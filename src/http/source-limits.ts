/**
 * How much one source may post: a bucket of devices and one of bytes for each, which a minute fills. Each process counts for itself. Of an address only a keyed
 * hash is held, until a minute after its last request, under a key that is never written anywhere.
 */
import { randomBytes } from 'node:crypto'
import { Deadlines, type Deadline } from '../core/deadlines.ts'
import { Hmac, SHA256 } from '../core/hmac.ts'

export interface SourceLimit {
  /** `observe`: beyond it, a request is only counted. */
  readonly mode: 'enforce' | 'observe'
  readonly devicesPerMinute: number
  readonly bytesPerMinute: number
}

/** What a request takes. */
export interface Amount {
  readonly devices: number
  readonly bytes: number
}

interface Bucket {
  devices: number
  bytes: number
  /** By `performance.now()`, which no change of the clock moves. */
  filledAtMs: number
  forgetting: Deadline | undefined
}

const MINUTE_MS = 60_000
const KEY_BYTES = 32
/** More of them are forgotten, the one that was heard of longest ago first. Whoever has so many addresses has as many buckets in any case. */
const MAX_SOURCES = 20_000

export class SourceLimits {
  readonly limit: SourceLimit
  readonly #random: () => number
  readonly #hash = new Hmac(SHA256, randomBytes(KEY_BYTES))
  readonly #buckets = new Map<string, Bucket>()
  /** A bucket that was left alone for so long is full, and so are those that are not there. */
  readonly #forgetting = new Deadlines(MINUTE_MS)

  constructor(limit: SourceLimit, random: () => number = Math.random) {
    this.limit = limit
    this.#random = random
  }

  /** How many sources something is held of. */
  get size(): number {
    return this.#buckets.size
  }

  /**
   * Undefined where there is so much left, which is taken; else nothing is, and it is after how many seconds the source may come again: another time for each
   * request, so that not all come at once. `source`: as `sourceOf` (core/address-ranges.ts) names it.
   */
  take(source: string, { devices, bytes }: Amount): number | undefined {
    const bucket = this.#bucketOf(this.#hash.text(source))
    const { devicesPerMinute, bytesPerMinute } = this.limit
    const missing = Math.max((devices - bucket.devices) / devicesPerMinute, (bytes - bucket.bytes) / bytesPerMinute)
    if (missing > 0) return Math.ceil(((missing * MINUTE_MS) / 1000) * (1 + this.#random()))
    bucket.devices -= devices
    bucket.bytes -= bytes
    return undefined
  }

  #bucketOf(key: string): Bucket {
    const { devicesPerMinute: devices, bytesPerMinute: bytes } = this.limit
    const nowMs = performance.now()
    const bucket = this.#buckets.get(key) ?? { devices, bytes, filledAtMs: nowMs, forgetting: undefined }
    const minutes = (nowMs - bucket.filledAtMs) / MINUTE_MS
    bucket.devices = Math.min(devices, bucket.devices + minutes * devices)
    bucket.bytes = Math.min(bytes, bucket.bytes + minutes * bytes)
    bucket.filledAtMs = nowMs
    bucket.forgetting?.cancel()
    bucket.forgetting = this.#forgetting.add(() => this.#buckets.delete(key))
    // The last again.
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > MAX_SOURCES) this.#forgetOldest()
    return bucket
  }

  #forgetOldest(): void {
    const [oldest] = this.#buckets
    if (oldest === undefined) return
    const [key, { forgetting }] = oldest
    forgetting?.cancel()
    this.#buckets.delete(key)
  }
}
