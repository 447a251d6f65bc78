/** Who may post a notification, where the operator says so: by a secret in the URL, by where a request comes from, and how much. All are off by default. */
import { createHash, timingSafeEqual } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { FastifyRequest } from 'fastify'
import { createRangeMatch } from '../core/address-ranges.ts'
import type { Secret } from '../core/secret.ts'
import { SourceLimits, type SourceLimit } from './source-limits.ts'

/** Each is off where it is absent. */
export interface DoorSettings {
  /** One of these is asked for. */
  readonly secrets?: { readonly mode: 'enforce' | 'observe'; readonly any: readonly Secret[] } | undefined
  /** Ranges of addresses. */
  readonly allowFrom?: readonly string[] | undefined
}

/** Which door. What came of it: refused with 403, or let in and only counted. */
export interface Stopped {
  readonly door: 'url_secret' | 'source'
  readonly result: 'refused' | 'observed'
}

export interface EntranceSettings {
  /** Ranges of addresses of proxies that say where a request came from. */
  readonly trustProxy: readonly string[]
  readonly doors: DoorSettings & { readonly limitPerSource?: SourceLimit | undefined }
}

/** What is in effect. */
export interface Entrance {
  readonly isTrustedProxy: (address: string) => boolean
  readonly doors: Doors
  /** Undefined where there are none. */
  readonly sourceLimits: SourceLimits | undefined
}

/** `before`: what was in effect, for limits that stay as they are go on. */
export function createEntrance({ trustProxy, doors }: EntranceSettings, before?: Entrance): Entrance {
  const { limitPerSource } = doors
  return {
    isTrustedProxy: createRangeMatch(trustProxy),
    doors: createDoors(doors),
    sourceLimits: createSourceLimits(limitPerSource, before?.sourceLimits),
  }
}

function createSourceLimits(
  limit: SourceLimit | undefined,
  before: SourceLimits | undefined,
): SourceLimits | undefined {
  if (isDeepStrictEqual(before?.limit, limit)) return before
  return limit === undefined ? undefined : new SourceLimits(limit)
}

/** The parameter of the URL. */
const SECRET_PARAMETER = 'k'

/** Undefined for whoever may come in without a word. `only`: where the other door does not stand. */
type Doors = (request: Pick<FastifyRequest, 'ip' | 'query'>, only?: Stopped['door']) => Stopped | undefined

function createDoors({ secrets, allowFrom }: DoorSettings): Doors {
  if (secrets === undefined && allowFrom === undefined) return () => undefined
  const isAllowed = allowFrom === undefined ? () => true : createRangeMatch(allowFrom)
  const hasSecret = secrets === undefined ? () => true : createSecretMatch(secrets.any)
  return ({ ip, query }, only) => {
    if (only !== 'url_secret' && !isAllowed(ip)) return { door: 'source', result: 'refused' }
    if (only === 'source' || hasSecret(parameterOf(query))) return undefined
    return { door: 'url_secret', result: secrets?.mode === 'observe' ? 'observed' : 'refused' }
  }
}

function createSecretMatch(secrets: readonly Secret[]): (given: string | undefined) => boolean {
  const wanted = secrets.map((secret) => digest(secret.reveal()))
  return (given) => {
    if (given === undefined) return false
    const found = digest(given)
    // All of them, so that it takes the same time whichever it is.
    return wanted.filter((each) => timingSafeEqual(each, found)).length > 0
  }
}

function parameterOf(query: unknown): string | undefined {
  if (typeof query !== 'object' || query === null) return undefined
  const value: unknown = Reflect.get(query, SECRET_PARAMETER)
  return typeof value === 'string' ? value : undefined
}

/** Of equal length, for the comparison. */
function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
