/** The limits of sources at the notify port: whose a request is, what it takes, and what is answered, counted and logged of one that is beyond. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sourceOf } from '../core/address-ranges.ts'
import type { Log } from '../core/log.ts'
import { Throttle } from '../core/throttle.ts'
import type { IntakeMetrics } from '../metrics/intake-metrics.ts'
import { answerError } from './answers.ts'
import type { BodyLimits } from './bodies.ts'
import type { Entrance } from './doors.ts'
import type { Amount } from './source-limits.ts'

export interface LimitedSourcesParts {
  readonly limits: Pick<BodyLimits, 'bodyLimitBytes'>
  /** As it is now. */
  readonly entrance: () => Pick<Entrance, 'isTrustedProxy' | 'sourceLimits'>
  readonly metrics: Pick<IntakeMetrics, 'stoppedAtDoor'>
  readonly log: Log
  readonly nowMs: () => number
}

const BEYOND = 'This source sends more than this gateway takes from one'
const BEYOND_WARNING_MS = 60_000
const UNTOLD_WARNING_MS = 3600_000

export class LimitedSources {
  readonly #parts: LimitedSourcesParts
  /** A connection that is gone meanwhile does not tell it again. */
  readonly #sources = new WeakMap<FastifyRequest, string>()
  readonly #beyondWarnings: Throttle
  readonly #untoldWarnings: Throttle

  constructor(parts: LimitedSourcesParts) {
    this.#parts = parts
    this.#beyondWarnings = new Throttle(BEYOND_WARNING_MS, parts.nowMs)
    this.#untoldWarnings = new Throttle(UNTOLD_WARNING_MS, parts.nowMs)
  }

  /** Before the body is read: the request counts as a device, and its body is as long as it says. True where it was answered. */
  isRefusedUnread(request: FastifyRequest, reply: FastifyReply): boolean {
    const source = this.#sourceOf(request)
    if (source === undefined) return false
    this.#sources.set(request, source)
    // More is not read.
    const bytes = Math.min(declaredBytes(request), this.#parts.limits.bodyLimitBytes)
    return this.#isRefused(source, { devices: 1, bytes }, reply)
  }

  /** When it was read. True where it was answered. */
  isRefused(request: FastifyRequest, reply: FastifyReply, { devices, bytes }: Amount): boolean {
    const source = this.#sources.get(request)
    if (source === undefined) return false
    const more = { devices: devices - 1, bytes: bytes - declaredBytes(request) }
    return (more.devices > 0 || more.bytes > 0) && this.#isRefused(source, more, reply)
  }

  /** Undefined where there are no limits, or a proxy does not say whose the request is. */
  #sourceOf(request: FastifyRequest): string | undefined {
    const { entrance, log } = this.#parts
    const { sourceLimits, isTrustedProxy } = entrance()
    if (sourceLimits === undefined) return undefined
    // Fastify finds it out when it is asked.
    const { ip } = request
    const source = isTrustedProxy(ip) ? undefined : sourceOf(ip)
    if (source === undefined && this.#untoldWarnings.allows())
      log.warn(
        'Requests have no limit: a proxy of http.trust_proxy does not say where they come from (X-Forwarded-For)',
      )
    return source
  }

  #isRefused(source: string, amount: Amount, reply: FastifyReply): boolean {
    const { entrance, metrics, log } = this.#parts
    const { sourceLimits } = entrance()
    const afterSeconds = sourceLimits?.take(source, amount)
    if (sourceLimits === undefined || afterSeconds === undefined) return false
    const { mode } = sourceLimits.limit
    metrics.stoppedAtDoor('source_limit', mode === 'observe' ? 'observed' : 'refused')
    if (this.#beyondWarnings.allows()) log.warn('A source sends more than http.limit_per_source allows', { mode })
    if (mode === 'observe') return false
    // 503 is to homeservers what 429 is; those that repeat at all do so in their own time (docs/facts/homeservers.md#what-an-answer-does).
    answerError(reply.header('retry-after', String(afterSeconds)), 503, 'M_LIMIT_EXCEEDED', BEYOND)
    return true
  }
}

/** 0 where the request does not say it. */
function declaredBytes({ headers }: FastifyRequest): number {
  return Number(headers['content-length'] ?? 0)
}
