/** The limits of sources at the notify port: whose a request is, what it takes, and what is answered, counted and logged of one that is beyond. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { sourceOf } from '../core/address-ranges.ts'
import type { Log } from '../core/log.ts'
import { parseNotification, type Notification } from '../core/notification.ts'
import { isTestPush } from '../core/privacy-policy.ts'
import { TEST_PUSH } from '../core/push.ts'
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
/** An app's test push has less. It costs little to read so much of somebody who is refused in any case. */
const MOST_TEST_PUSH_BYTES = 4096
const BEYOND_WARNING_MS = 60_000
const UNTOLD_WARNING_MS = 3600_000

export class LimitedSources {
  readonly #parts: LimitedSourcesParts
  /** A connection that is gone meanwhile does not tell it again. */
  readonly #sources = new WeakMap<FastifyRequest, string>()
  /** After how many seconds it may come again. */
  readonly #refused = new WeakMap<FastifyRequest, number>()
  readonly #beyondWarnings: Throttle
  readonly #untoldWarnings: Throttle

  constructor(parts: LimitedSourcesParts) {
    this.#parts = parts
    this.#beyondWarnings = new Throttle(BEYOND_WARNING_MS, parts.nowMs)
    this.#untoldWarnings = new Throttle(UNTOLD_WARNING_MS, parts.nowMs)
  }

  /**
   * Before the body is read: the request counts as a device, and its body is as long as it says. True where it was answered. What is so short that it may be an
   * app's test push is answered when it was read (`isRefusedShort`).
   */
  isRefusedUnread(request: FastifyRequest, reply: FastifyReply): boolean {
    const source = this.#sourceOf(request)
    if (source === undefined) return false
    this.#sources.set(request, source)
    const declared = declaredBytes(request)
    // More is not read.
    const bytes = Math.min(declared, this.#parts.limits.bodyLimitBytes)
    const afterSeconds = this.#secondsBeyond(source, { devices: 1, bytes })
    if (afterSeconds === undefined) return false
    const isShort = declared > 0 && declared <= MOST_TEST_PUSH_BYTES
    if (isShort) this.#refused.set(request, afterSeconds)
    else refuse(reply, afterSeconds)
    return !isShort
  }

  /**
   * Of the relay: each request counts as a device, and its body is as long as it says (one that does not say it is refused). True where it was answered: with 429, which Web Push has for it (RFC 8030 §8.4),
   * and homeservers heed there (MSC4174).
   */
  isRelayRefused(request: FastifyRequest, reply: FastifyReply): boolean {
    const source = this.#sourceOf(request)
    if (source === undefined) return false
    const bytes = Math.min(declaredBytes(request), this.#parts.limits.bodyLimitBytes)
    const afterSeconds = this.#secondsBeyond(source, { devices: 1, bytes })
    if (afterSeconds === undefined) return false
    answerError(reply.header('retry-after', String(afterSeconds)), 429, 'M_LIMIT_EXCEEDED', BEYOND)
    return true
  }

  /** What was refused before it was read. True where it was answered. */
  isRefusedShort(request: FastifyRequest, reply: FastifyReply, body: Buffer): boolean {
    const afterSeconds = this.#refused.get(request)
    if (afterSeconds === undefined) return false
    const notification = body.includes(TEST_PUSH.eventId) ? parseNotification(body) : undefined
    refuse(reply, afterSeconds, notification)
    return true
  }

  /** When it was read. True where it was answered. */
  isRefused(
    request: FastifyRequest,
    reply: FastifyReply,
    notification: ReturnType<typeof parseNotification>,
    { devices, bytes }: Amount,
  ): boolean {
    const source = this.#sources.get(request)
    if (source === undefined) return false
    const more = { devices: devices - 1, bytes: bytes - declaredBytes(request) }
    if (more.devices <= 0 && more.bytes <= 0) return false
    const afterSeconds = this.#secondsBeyond(source, more)
    if (afterSeconds !== undefined) refuse(reply, afterSeconds, notification)
    return afterSeconds !== undefined
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

  /** Undefined where it may go on. */
  #secondsBeyond(source: string, amount: Amount): number | undefined {
    const { entrance, metrics, log } = this.#parts
    const { sourceLimits } = entrance()
    const afterSeconds = sourceLimits?.take(source, amount)
    if (sourceLimits === undefined || afterSeconds === undefined) return undefined
    const { mode } = sourceLimits.limit
    metrics.stoppedAtDoor('source_limit', mode === 'observe' ? 'observed' : 'refused')
    if (this.#beyondWarnings.allows()) log.warn('A source sends more than http.limit_per_source allows', { mode })
    return mode === 'observe' ? undefined : afterSeconds
  }
}

/**
 * 503 is to homeservers what 429 is, and those that repeat at all do so in their own time (docs/facts/homeservers.md#what-an-answer-does). Only the apps' own
 * test is answered 429, which Element X shows as what it is (docs/facts/push-gateway-api.md#test-push).
 */
function refuse(reply: FastifyReply, afterSeconds: number, notification?: ReturnType<typeof parseNotification>): void {
  const isTest = notification !== undefined && 'devices' in notification && isPostedByApp(notification)
  answerError(reply.header('retry-after', String(afterSeconds)), isTest ? 429 : 503, 'M_LIMIT_EXCEEDED', BEYOND)
}

/** Homeservers say since when a pushkey is known; an app that posts its own test does not. */
function isPostedByApp(notification: Notification): boolean {
  return isTestPush(notification) && notification.devices.every(({ pushkeyTs }) => pushkeyTs === undefined)
}

/** 0 where the request does not say it. */
function declaredBytes({ headers }: FastifyRequest): number {
  return Number(headers['content-length'] ?? 0)
}
