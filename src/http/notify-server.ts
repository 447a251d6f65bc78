/** The notify port: Fastify with its limits, the Matrix routes, and the one place where errors become answers. */
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import type { Readable } from 'node:stream'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import { parseNotification } from '../core/notification.ts'
import { oncePer } from '../core/once-per.ts'
import { Throttle } from '../core/throttle.ts'
import type { Intake } from '../intake/intake.ts'
import type { IntakeMetrics } from '../metrics/intake-metrics.ts'
import { PAGE_HEADERS, privacyPage } from '../privacy/page.ts'
import { privacyStatement, type StatementInput } from '../privacy/statement.ts'
import { createAllowedMethods } from './allowed-methods.ts'
import { answerError, refuseExpectations, refuseOnSocket } from './answers.ts'
import { Bodies, BodyError, type BodyLimits } from './bodies.ts'
import type { Entrance } from './doors.ts'
import { LimitedSources } from './limited-sources.ts'
import { addRelayRoutes, MAX_ENDPOINT_CHARACTERS, type RelayServerParts } from './relay.ts'
import { beginTrace, type TracedRequestsParts } from './traced-requests.ts'
import { webAppSettings } from './web-app-settings.ts'

export interface NotifyServerParts extends TracedRequestsParts {
  readonly limits: NotifyLimits
  /** Who may post, as it is said now. */
  readonly entrance: () => Entrance
  readonly intake: Pick<Intake, 'accept'>
  readonly relayed: RelayServerParts['relayed']
  /** The key that a web app subscribes with; undefined for an app that is unknown or needs none. */
  readonly publicKeyFor: (appId: string) => string | undefined
  /** What is to be told about privacy, as the gateway is configured now: the same object as long as that is the same. */
  readonly stated: () => StatementInput
  readonly metrics: Pick<IntakeMetrics, 'requestAnswered' | 'stoppedAtDoor' | 'relayAnswered'>
  readonly log: Log
  readonly nowMs: () => number
}

export interface NotifyLimits extends BodyLimits {
  /** Of one request. */
  readonly maxDevices: number
  readonly maxConnections: number
}

export const NOTIFY_PATH = '/_matrix/push/v1/notify'
/** Some URLs of pushers end in a slash, which Sygnal answers, too. */
const NOTIFY_PATHS = [NOTIFY_PATH, `${NOTIFY_PATH}/`]
const NOTHING_HERE = 'There is nothing at this path'
const ERRCODES = { 400: 'M_NOT_JSON', 413: 'M_TOO_LARGE', 503: 'M_UNKNOWN' } as const
const DOOR_SENTENCES = {
  url_secret: 'The URL of the pusher lacks the secret that this gateway asks for',
  source: 'This gateway takes nothing from this address',
} as const
const NONE_REJECTED = JSON.stringify({ rejected: [] })
const NONE_REJECTED_HEADERS = { 'content-type': 'application/json', 'content-length': NONE_REJECTED.length }
/** The app ID follows. */
const VAPID_PATH = '/_hushgate/vapid/'
const VAPID_CACHED_SECONDS = 300
/** An app ID and `.json` follow. */
const APP_PATH = '/_hushgate/app/'
const PRIVACY_PATH = '/_hushgate/privacy'
/** Whether a policy changed is worth knowing soon. */
const PRIVACY_CACHED_SECONDS = 60
/** A page of many apps takes long to make. */
const pageOf = oncePer(privacyPage)
/** Watchers of uptime and previews of links ask for the head alone. */
const WITH_HEAD = { exposeHeadRoute: true } as const

/** Synapse keeps idle connections for 120 s and does not repeat a POST on one that was closed under it (docs/facts/homeservers.md#idle-connections). */
const KEEP_ALIVE_TIMEOUT_MS = 130_000
/** A homeserver sends a few KiB at once. */
const HEADERS_TIMEOUT_MS = 10_000
/** From the first byte to the last. */
const REQUEST_TIMEOUT_MS = 20_000
/** Else Node looks every 30 s for what has taken too long. */
const TIMEOUTS_CHECKED_MS = 500
/** What has arrived is answered within a second. */
const STOP_GRACE_MS = 2000
const REFUSED_WARNING_MS = 1000
const FULL_WARNING_MS = 60_000

export function createNotifyServer(parts: NotifyServerParts): FastifyInstance {
  const { limits, entrance } = parts
  const server = fastify({
    bodyLimit: limits.bodyLimitBytes,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUTS_CHECKED_MS,
      // It is refused below: Node's own refusal has no body.
      requireHostHeader: false,
    },
    trustProxy: (address) => entrance().isTrustedProxy(address),
    logger: false,
    exposeHeadRoutes: false,
    routerOptions: { ignoreTrailingSlash: false, maxParamLength: MAX_ENDPOINT_CHARACTERS },
    clientErrorHandler: refuseOnSocket,
    frameworkErrors: (error, _request, reply): void => {
      if (error.code === 'FST_ERR_BAD_URL') answerError(reply, 400, 'M_UNRECOGNIZED', 'The path cannot be read')
      else answerError(reply, 404, 'M_UNRECOGNIZED', NOTHING_HERE)
    },
  })
  limitConnections(server, parts)
  refuseExpectations(server.server)
  readBodiesAsBytes(server, parts)
  answerErrors(server, parts)
  addNotifyRoutes(server, parts)
  addRelayRoutes(server, parts)
  addPublicRoutes(server, parts)
  closeInTime(server)
  return server
}

function limitConnections({ server }: FastifyInstance, { limits, log, nowMs }: NotifyServerParts): void {
  const warnings = new Throttle(FULL_WARNING_MS, nowMs)
  server.maxConnections = limits.maxConnections
  server.on('drop', () => {
    if (warnings.allows()) log.warn('Connections are closed at once: there are as many as http.max_connections allows')
  })
}

/** Whatever a client calls it (also what is no media type at all), the body is read as JSON, and only by us. */
function readBodiesAsBytes(server: FastifyInstance, { limits, log, nowMs }: NotifyServerParts): void {
  const warnings = new Throttle(FULL_WARNING_MS, nowMs)
  const bodies = new Bodies(limits, () => {
    if (warnings.allows())
      log.warn(
        'Requests are refused with 503: what is being sent takes all of http.body_memory, or half of it and the body is large',
      )
  })
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', (request: FastifyRequest, stream: Readable, done) =>
    bodies.read(stream, Number(request.headers['content-length']), done),
  )
  server.addHook('onRequest', ({ raw }, reply, done) => {
    raw.headers['content-type'] = 'application/json'
    // RFC 9112 §3.2.
    if (raw.headers.host === undefined && raw.httpVersion === '1.1')
      answerError(reply, 400, 'M_UNRECOGNIZED', 'The header Host is missing')
    else done()
  })
}

/** What is logged of an error never carries a request. */
function answerErrors(server: FastifyInstance, { log, nowMs }: NotifyServerParts): void {
  const refusals = new Throttle(REFUSED_WARNING_MS, nowMs)
  server.setErrorHandler<FastifyError>((error, _request, reply) => {
    if (error instanceof StoreUnavailableError) {
      if (refusals.allows()) log.error(`Notifications are refused with 503: ${error.message}`)
      return answerError(reply, 503, 'M_UNKNOWN', 'The notification cannot be stored at the moment')
    }
    if (error instanceof BodyError) {
      if (error.keepsConnection) reply.removeHeader('connection')
      return answerError(reply, error.statusCode, ERRCODES[error.statusCode], error.message)
    }
    const statusCode = error.statusCode ?? 500
    if (statusCode >= 400 && statusCode < 500)
      return answerError(reply, statusCode, 'M_NOT_JSON', 'The body could not be read')
    log.error('A request failed', error)
    return answerError(reply, 500, 'M_UNKNOWN', 'Internal server error')
  })
  const allowedMethods = createAllowedMethods(server)
  server.setNotFoundHandler((request, reply) => {
    const allowed = allowedMethods(request.url)
    if (allowed === undefined) return answerError(reply, 404, 'M_UNRECOGNIZED', NOTHING_HERE)
    return answerError(reply.header('allow', allowed), 405, 'M_UNRECOGNIZED', 'This method is not allowed here')
  })
}

/** Before the body is read. */
function askAtDoor({ entrance, metrics }: NotifyServerParts, limited: LimitedSources) {
  return (request: FastifyRequest, reply: FastifyReply, done: () => void): void => {
    const stopped = entrance().doors(request)
    if (stopped !== undefined) metrics.stoppedAtDoor(stopped.door, stopped.result)
    if (stopped?.result === 'refused') answerError(reply, 403, 'M_FORBIDDEN', DOOR_SENTENCES[stopped.door])
    else if (!limited.isRefusedUnread(request, reply)) done()
  }
}

function addNotifyRoutes(server: FastifyInstance, parts: NotifyServerParts): void {
  const { intake, metrics, limits } = parts
  // Not async, and most answers go past Fastify: to wait for a reply costs it as much as to send it, and to send it more than Node.
  const limited = new LimitedSources(parts)
  const onRequest = askAtDoor(parts, limited)
  const answer = (request: FastifyRequest, reply: FastifyReply): void => {
    const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)
    if (limited.isRefusedShort(request, reply, body)) return
    const notification = parseNotification(body, limits.maxDevices)
    const devices = 'errcode' in notification ? 1 : notification.devices.length
    if (limited.isRefused(request, reply, notification, { devices, bytes: body.length })) return
    if ('errcode' in notification) {
      const { errcode, error } = notification
      answerError(reply, errcode === 'M_TOO_LARGE' ? 413 : 400, errcode, error)
      return
    }
    const { socket } = request.raw
    intake
      .accept(notification, () => socket.destroyed, beginTrace(parts, 'notify', reply))
      .then(
        (rejected) => answerRejected(reply, rejected),
        (error: unknown) => reply.send(error),
      )
  }
  for (const path of NOTIFY_PATHS) server.post(path, { onRequest }, answer)
  server.addHook('onResponse', (request, reply, done) => {
    if (NOTIFY_PATHS.includes(request.routeOptions.url ?? '') && request.method === 'POST')
      metrics.requestAnswered(reply.statusCode, reply.elapsedTime / 1000)
    done()
  })
  // UnifiedPush's discovery, by which apps tell a gateway from something else (docs/facts/push-gateway-api.md#discovery).
  for (const path of NOTIFY_PATHS)
    server.get(path, (_request, reply) => reply.send({ gateway: 'matrix', unifiedpush: { gateway: 'matrix' } }))
}

function answerRejected(reply: FastifyReply, rejected: readonly string[]): FastifyReply {
  if (rejected.length > 0) return reply.type('application/json').send(JSON.stringify({ rejected }))
  reply.hijack()
  reply.raw.writeHead(200, NONE_REJECTED_HEADERS).end(NONE_REJECTED)
  return reply
}

function addPublicRoutes(server: FastifyInstance, { publicKeyFor, stated }: NotifyServerParts): void {
  // For web apps of any origin, under the name that MSC4174 gives it.
  server.get<{ Params: { appId: string } }>(`${VAPID_PATH}:appId`, (request, reply) => {
    reply.header('access-control-allow-origin', '*')
    const vapid = publicKeyFor(request.params.appId)
    if (vapid === undefined) return answerError(reply, 404, 'M_UNRECOGNIZED', NOTHING_HERE)
    return reply.header('cache-control', `public, max-age=${VAPID_CACHED_SECONDS}`).send({ vapid })
  })
  // What is answered names the host that was asked for.
  server.get<{ Params: { appId: string } }>(`${APP_PATH}:appId.json`, (request, reply) => {
    const { appId } = request.params
    const vapid = publicKeyFor(appId)
    const gateway = { host: request.host, notifyPath: NOTIFY_PATH, appId }
    const settings = vapid === undefined ? undefined : webAppSettings({ ...gateway, vapid })
    reply.header('access-control-allow-origin', '*')
    if (settings === undefined) return answerError(reply, 404, 'M_UNRECOGNIZED', NOTHING_HERE)
    return reply.header('cache-control', 'no-store').send(settings)
  })
  server.get(PRIVACY_PATH, WITH_HEAD, (_request, reply) =>
    reply
      .header('access-control-allow-origin', '*')
      .header('cache-control', `public, max-age=${PRIVACY_CACHED_SECONDS}`)
      .send(privacyStatement(stated())),
  )
  server.get('/', WITH_HEAD, (_request, reply) =>
    reply
      .headers(PAGE_HEADERS)
      .header('cache-control', `public, max-age=${PRIVACY_CACHED_SECONDS}`)
      .type('text/html; charset=utf-8')
      .send(pageOf(stated())),
  )
  // Sygnal's probe.
  server.get('/health', WITH_HEAD, (_request, reply) => reply.type('text/plain').send(''))
}

/** Node enforces no time limit on a server that closes, so one request that trickles in would keep the process from stopping for ever. */
function closeInTime(server: FastifyInstance): void {
  server.addHook('preClose', (done) => {
    const timer = setTimeout(() => server.server.closeAllConnections(), STOP_GRACE_MS)
    server.server.once('close', () => clearTimeout(timer))
    done()
  })
}
