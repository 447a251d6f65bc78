/**
 * The relay at the notify port: an app trades its pushkey for an endpoint, its homeserver sends Web Push messages there (RFC 8030, RFC 8292), and whoever has
 * the endpoint can revoke it. Whatever can be refused is refused before a body is read.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isEncryptedRecord } from '../core/relay.ts'
import { RELAY_PATH, type RelayedDevice, type RelayedIntake } from '../intake/relayed.ts'
import type { IntakeMetrics } from '../metrics/intake-metrics.ts'
import { answerError } from './answers.ts'
import type { Entrance } from './doors.ts'
import { LimitedSources, type LimitedSourcesParts } from './limited-sources.ts'
import { bad, lengthOf, refusalOf, subscriptionOf, tooLarge, webPushOf, type Refusal } from './web-push-request.ts'

export interface RelayServerParts extends LimitedSourcesParts {
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
const MAX_TRADE_BYTES = 4096
const NO_ENDPOINT: Refusal = { status: 404, errcode: 'M_NOT_FOUND', error: 'There is no such endpoint here' }
const NO_RELAY: Refusal = { status: 404, errcode: 'M_NOT_FOUND', error: 'No such app has Web Push passed on here' }
const NOT_REVOKED = 'Nothing was delivered there yet, so nothing is remembered of it'

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
        if (device !== undefined) devices.set(request, device)
        const refusal = device === undefined ? NO_ENDPOINT : refusalOf(request.headers, device, nowMs())
        if (refusal === undefined) done()
        else refuse(reply, refusal)
      },
      onResponse: (_request, reply, done): void => {
        metrics.relayAnswered('message', reply.statusCode)
        done()
      },
    },
    async (request, reply) => {
      const device = devices.get(request)
      if (device === undefined) return refuse(reply, NO_ENDPOINT)
      const body = bodyOf(request)
      if (body.length > device.relay.maxBytes) return refuse(reply, tooLarge(device.relay.maxBytes))
      if (!isEncryptedRecord(body)) return refuse(reply, bad('The body is not one record of aes128gcm (RFC 8291)'))
      const result = await relayed.accept(device, webPushOf(request.headers, body))
      if (result === 'gone')
        return answerError(reply, 410, 'M_NOT_FOUND', 'The device is gone, or the endpoint is revoked')
      const location = `${device.relay.origin}${MESSAGE_PATH}${result.id}`
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
        if (!isStopped(parts, limited, undefined, request, reply)) done()
      },
      onResponse: (_request, reply, done): void => {
        metrics.relayAnswered('revocation', reply.statusCode)
        done()
      },
    },
    async (request, reply) => {
      const device = relayed.find(request.params.appId, request.params.endpoint)
      if (device === undefined) return refuse(reply, NO_ENDPOINT)
      if (await relayed.revoke(device)) return reply.code(204).send()
      return refuse(reply, { ...NO_ENDPOINT, error: NOT_REVOKED })
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
        if (lengthOf(request.headers) > MAX_TRADE_BYTES) refuse(reply, tooLarge(MAX_TRADE_BYTES))
        else done()
      },
      onResponse: (_request, reply, done): void => {
        metrics.relayAnswered('trade', reply.statusCode)
        done()
      },
    },
    (request, reply) => {
      const body = bodyOf(request)
      if (body.length > MAX_TRADE_BYTES) return refuse(reply, tooLarge(MAX_TRADE_BYTES))
      const subscription = subscriptionOf(body)
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
  if (stopped?.result !== 'refused') return limited.isRelayRefused(request, reply)
  // Not 403 for a homeserver: it would give the endpoint up for good (MSC4174), and the operator may have mistyped a range.
  const status = stopped.door === 'source' ? 401 : 403
  refuse(reply, { status, errcode: 'M_FORBIDDEN', error: 'This gateway takes nothing from whoever sent this' })
  return true
}

function bodyOf({ body }: { readonly body: unknown }): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

function refuse(reply: FastifyReply, { status, errcode, error }: Refusal): FastifyReply {
  return answerError(status === 401 ? reply.header('www-authenticate', 'vapid') : reply, status, errcode, error)
}
