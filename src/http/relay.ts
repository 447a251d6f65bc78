/**
 * The relay at the notify port: an app trades its pushkey for an endpoint, its homeserver sends Web Push messages there (RFC 8030, RFC 8292), and the app can
 * revoke it. Whatever can be refused is refused before a body is read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isEncryptedRecord } from '../core/relay.ts'
import { RELAY_PATH, type RelayedDevice, type RelayedIntake } from '../intake/relayed.ts'
import type { IntakeMetrics } from '../metrics/intake-metrics.ts'
import { answerError } from './answers.ts'
import type { Entrance } from './doors.ts'
import { LimitedSources, type LimitedSourcesParts } from './limited-sources.ts'
import { beginTrace, type TracedRequestsParts } from './traced-requests.ts'
import {
  bad,
  lengthOf,
  lengthRefusal,
  pushkeyOf,
  refusalOf,
  subscriptionOf,
  tooLarge,
  webPushOf,
  type Refusal,
} from './web-push-request.ts'

export interface RelayServerParts extends LimitedSourcesParts, TracedRequestsParts {
  readonly entrance: () => Entrance
  readonly relayed: Pick<RelayedIntake, 'trade' | 'find' | 'accept' | 'revoke'>
  readonly metrics: Pick<IntakeMetrics, 'relayAnswered' | 'stoppedAtDoor'>
}

interface OfEndpoint {
  Params: { appId: string; endpoint: string }
}
interface OfApp {
  Params: { appId: string }
}

/** An endpoint of the longest pushkey that Matrix has takes 850. */
export const MAX_ENDPOINT_CHARACTERS = 1024
const ENDPOINT_ROUTE = `${RELAY_PATH}:appId/:endpoint`
const TRADE_ROUTE = `${RELAY_PATH}:appId`
const MESSAGE_PATH = '/_hushgate/relayed/'
/** Of what an app sends: a trade, or a revocation. */
const MAX_APP_BYTES = 4096
const NO_ENDPOINT: Refusal = { status: 404, errcode: 'M_NOT_FOUND', error: 'There is no such endpoint here' }
const NO_RELAY: Refusal = { status: 404, errcode: 'M_NOT_FOUND', error: 'No such app has Web Push passed on here' }
/** A homeserver gives up what is answered 404 (MSC4174), and must not do so because a setting or the key file is wrong. */
const NOT_SERVED: Refusal = {
  status: 503,
  errcode: 'M_UNKNOWN',
  error: 'This gateway does not serve that endpoint now',
}
/** Of a revocation that is not remembered. */
const NOT_REVOKED: Readonly<Record<Exclude<Awaited<ReturnType<RelayedIntake['revoke']>>, 'revoked'>, Refusal>> = {
  forbidden: { status: 403, errcode: 'M_FORBIDDEN', error: 'This pushkey was not traded for that endpoint' },
  unknown: { ...NO_ENDPOINT, error: 'Nothing was delivered there yet, so nothing is remembered of it' },
  later: { status: 503, errcode: 'M_LIMIT_EXCEEDED', error: 'Too much is revoked at the moment; try again in an hour' },
}

export function addRelayRoutes(server: FastifyInstance, parts: RelayServerParts): void {
  const limited = new LimitedSources(parts)
  addMessageRoute(server, parts, limited)
  addRevocationRoute(server, parts, limited)
  addTradeRoute(server, parts, limited)
}

function addMessageRoute(server: FastifyInstance, parts: RelayServerParts, limited: LimitedSources): void {
  const { relayed, metrics, nowMs } = parts
  const devices = new WeakMap<FastifyRequest<OfEndpoint>, RelayedDevice>()
  server.post<OfEndpoint>(
    ENDPOINT_ROUTE,
    {
      onRequest: (request, reply, done): void => {
        if (isStopped(parts, limited, 'source', request, reply)) return
        const device = relayed.find(request.params.appId, request.params.endpoint)
        const refusal = isFound(device) ? refusalOf(request.headers, device, nowMs()) : refusalOfNone(device)
        if (refusal !== undefined) return void refuse(reply, refusal)
        if (isFound(device)) devices.set(request, device)
        done()
      },
      onResponse: (_request, reply, done): void => {
        metrics.relayAnswered('message', reply.statusCode)
        done()
      },
    },
    async (request, reply) => {
      const device = devices.get(request)
      if (device === undefined) return refuse(reply, NOT_SERVED)
      const body = bodyOf(request)
      if (!isEncryptedRecord(body)) return refuse(reply, bad('The body is not one record of aes128gcm (RFC 8291)'))
      const result = await relayed.accept(device, webPushOf(request.headers, body), beginTrace(parts, 'relay', reply))
      if (result === 'gone')
        return answerError(reply, 410, 'M_NOT_FOUND', 'The device is gone, or the endpoint is revoked, or a year old')
      const location = `${device.relay.origin}${MESSAGE_PATH}${result.location}`
      return reply.code(201).header('location', location).header('ttl', String(result.ttlSeconds)).send()
    },
  )
}

function addRevocationRoute(server: FastifyInstance, parts: RelayServerParts, limited: LimitedSources): void {
  const { relayed, metrics } = parts
  server.delete<OfEndpoint>(
    ENDPOINT_ROUTE,
    {
      onRequest: (request, reply, done): void => {
        if (isStopped(parts, limited, undefined, request, reply)) return
        if (lengthOf(request.headers) > MAX_APP_BYTES) refuse(reply, tooLarge(MAX_APP_BYTES))
        else done()
      },
      onResponse: (_request, reply, done): void => {
        metrics.relayAnswered('revocation', reply.statusCode)
        done()
      },
    },
    async (request, reply) => {
      const device = relayed.find(request.params.appId, request.params.endpoint)
      if (!isFound(device)) return refuse(reply, refusalOfNone(device))
      const pushkey = pushkeyOf(bodyOf(request))
      if ('status' in pushkey) return refuse(reply, pushkey)
      const result = await relayed.revoke(device, pushkey)
      return result === 'revoked' ? reply.code(204).send() : refuse(reply, NOT_REVOKED[result])
    },
  )
}

function addTradeRoute(server: FastifyInstance, parts: RelayServerParts, limited: LimitedSources): void {
  const { relayed, metrics } = parts
  server.post<OfApp>(
    TRADE_ROUTE,
    {
      onRequest: (request, reply, done): void => {
        if (isStopped(parts, limited, 'url_secret', request, reply)) return
        if (lengthOf(request.headers) > MAX_APP_BYTES) refuse(reply, tooLarge(MAX_APP_BYTES))
        else done()
      },
      onResponse: (_request, reply, done): void => {
        metrics.relayAnswered('trade', reply.statusCode)
        done()
      },
    },
    (request, reply) => {
      const subscription = subscriptionOf(bodyOf(request))
      if ('status' in subscription) return refuse(reply, subscription)
      const traded = relayed.trade(request.params.appId, subscription)
      if (traded === undefined) return refuse(reply, NO_RELAY)
      if (traded === 'impossible') return refuse(reply, bad('pushkey can be no device token'))
      return reply.code(201).header('cache-control', 'no-store').send({ endpoint: traded.url })
    },
  )
}

/** `door`: which of the doors stands here; an app comes from anywhere, and a homeserver has no secret but the endpoint. True where it was answered. */
function isStopped(
  { entrance, metrics }: RelayServerParts,
  limited: LimitedSources,
  door: 'source' | 'url_secret' | undefined,
  request: FastifyRequest,
  reply: FastifyReply,
): boolean {
  const stopped = door && entrance().doors(request, door)
  if (stopped !== undefined) metrics.stoppedAtDoor(stopped.door, stopped.result)
  if (stopped?.result !== 'refused') {
    if (limited.isRelayRefused(request, reply)) return true
    const refusal = lengthRefusal(request.headers)
    if (refusal !== undefined) refuse(reply, refusal)
    return refusal !== undefined
  }
  // Not 403 for a homeserver: it would give the endpoint up for good (MSC4174), and the operator may have mistyped a range.
  const status = stopped.door === 'source' ? 401 : 403
  refuse(reply, { status, errcode: 'M_FORBIDDEN', error: 'This gateway takes nothing from whoever sent this' })
  return true
}

type Found = ReturnType<RelayedIntake['find']>

function isFound(device: Found): device is RelayedDevice {
  return typeof device === 'object'
}

function refusalOfNone(device: Exclude<Found, RelayedDevice>): Refusal {
  return device === undefined ? NO_ENDPOINT : NOT_SERVED
}

function bodyOf({ body }: { readonly body: unknown }): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function refuse(reply: FastifyReply, { status, errcode, error }: Refusal): FastifyReply {
  return answerError(status === 401 ? reply.header('www-authenticate', 'vapid') : reply, status, errcode, error)
}
