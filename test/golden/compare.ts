/** What differs between what Sygnal did with a request and what Hushgate did, field by field. */
import { isDeepStrictEqual } from 'node:util'
import { isJsonObject } from '../../src/core/json.ts'
import type { GoldenCase, GoldenPush } from './cases.ts'

export type Service = 'apns' | 'fcm' | 'webpush' | 'http'

export interface Difference {
  readonly service: Service
  /** `status`, `rejected`, `sent`, `headers.…`, or a path in the payload that begins with `payload`. */
  readonly field: string
  /** Undefined where there is none. */
  readonly sygnal: unknown
  readonly ours: unknown
  /** Sygnal's own message is larger than the push service takes. */
  readonly isOversized?: boolean
  /** Sygnal answered with an error. */
  readonly isFailed?: boolean
  /** Of the request: circumstances.ts. */
  readonly isMalformed?: boolean
  readonly isSealed?: boolean
  readonly isUncounted?: boolean
}

export interface OurPush {
  readonly service: 'apns' | 'fcm' | 'webpush'
  readonly token: string
  readonly headers: Readonly<Record<string, unknown>>
  readonly json: unknown
}

export interface OurResult {
  readonly status: number
  readonly contentType: string
  readonly body: string
  /** The answer to the next request for the same pushkeys: a dead one is told then. */
  readonly rejected: readonly string[] | undefined
  readonly pushes: readonly OurPush[]
}

/** Of the connection, not of the push; signatures are checked by the simulators. */
const NOT_COMPARED = new Set([
  'authorization',
  'host',
  'content-length',
  'user-agent',
  'accept',
  'accept-encoding',
  'connection',
  'content-type',
  'transfer-encoding',
])
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export function differences(golden: Pick<GoldenCase, 'response' | 'pushes'>, ours: OurResult): Difference[] {
  const found: Difference[] = []
  const isFailed = golden.response.status !== 200
  const compare = (service: Service, field: string, sygnal: unknown, our: unknown): void => {
    if (!isDeepStrictEqual(sygnal, our)) found.push({ service, field, sygnal, ours: our, isFailed })
  }
  const { status, json, body, contentType } = golden.response
  compare('http', 'status', status ?? 'none', ours.status)
  if (contentType !== undefined) compare('http', 'content-type', contentType, ours.contentType)
  const rejected = isJsonObject(json) ? json['rejected'] : undefined
  if (Array.isArray(rejected) && ours.rejected !== undefined) {
    // Of a request for several devices what one of them rejects and the other does not.
    compare('http', 'rejected', missingIn(ours.rejected, rejected), [])
    compare('http', 'rejected', [], missingIn(rejected, ours.rejected))
  } else if (rejected === undefined && status === ours.status) compare('http', 'body', body, ours.body)

  const keyOf = (push: GoldenPush | OurPush): string =>
    `${push.service === 'fcm_legacy' ? 'fcm' : push.service} ${push.token}`
  const theirs = firstOf(golden.pushes, keyOf)
  const mine = firstOf(ours.pushes, keyOf)
  for (const key of new Set([...theirs.keys(), ...mine.keys()])) {
    const [sygnal, our] = [theirs.get(key), mine.get(key)]
    const service = serviceOf(our ?? sygnal)
    if (sygnal === undefined || our === undefined) {
      compare(service, 'sent', sygnal !== undefined, our !== undefined)
      continue
    }
    for (const name of new Set([...Object.keys(sygnal.headers), ...Object.keys(our.headers)]))
      if (!NOT_COMPARED.has(name))
        compare(service, `headers.${name}`, masked(sygnal.headers[name]), masked(our.headers[name]))
    const isOversized = bytesOf(sygnal) > MOST_BYTES[service]
    for (const difference of walk('payload', sygnal.json, our.json))
      found.push({ service, ...difference, isOversized, isFailed })
  }
  return found
}

function missingIn(known: readonly unknown[], pushkeys: readonly unknown[]): unknown[] {
  return pushkeys.filter((pushkey) => !known.includes(pushkey))
}

/** Of the payload as JSON; FCM counts data, and its own braces and quotes hardly matter here. */
const MOST_BYTES = { apns: 4096, fcm: 4096, webpush: 3993, http: Infinity } as const

function bytesOf({ json }: GoldenPush): number {
  return Buffer.byteLength(JSON.stringify(json) ?? '')
}

/** Retries repeat the first. */
function firstOf<T>(pushes: readonly T[], keyOf: (push: T) => string): Map<string, T> {
  return new Map(pushes.map((push) => [keyOf(push), push] as const).toReversed())
}

function serviceOf(push: GoldenPush | OurPush | undefined): Service {
  return push === undefined || push.service === 'fcm_legacy' ? 'fcm' : push.service
}

function masked(header: unknown): unknown {
  return typeof header === 'string' && UUID.test(header) ? '<uuid>' : header
}

function* walk(path: string, sygnal: unknown, ours: unknown): Iterable<Omit<Difference, 'service'>> {
  if (isDeepStrictEqual(sygnal, ours)) return
  if (isJsonObject(sygnal) && isJsonObject(ours)) {
    for (const key of new Set([...Object.keys(sygnal), ...Object.keys(ours)]))
      yield* walk(`${path}.${key}`, sygnal[key], ours[key])
  } else if (Array.isArray(sygnal) && Array.isArray(ours) && sygnal.length === ours.length) {
    for (const [index, item] of sygnal.entries()) yield* walk(`${path}[${index}]`, item, ours[index])
  } else yield { field: path, sygnal, ours }
}
