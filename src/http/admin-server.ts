/** The admin port: health, metrics, the operations page, and the operator's API (api.ts) behind a bearer token. Never to be reached from outside. */
import { timingSafeEqual, createHash } from 'node:crypto'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { Secret } from '../core/secret.ts'
import { createAllowedMethods } from './allowed-methods.ts'
import { refuseExpectations } from './answers.ts'
import { API, API_PREFIX, type Operators } from './api.ts'
import { createHostCheck, isFromForeignPage } from './browser-checks.ts'
import { addOperationsPage } from './operations-page.ts'

export interface Readiness {
  readonly isReady: boolean
  /** Sentences. */
  readonly reasons: readonly string[]
}

export interface AdminServerParts {
  /** The API is closed without a token. */
  readonly token: Secret | undefined
  /** Where it listens, which is also a name by which it may be asked. */
  readonly ownHost: string
  /** Globs of further names. */
  readonly allowedHosts: readonly string[]
  readonly readiness: () => Readiness
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  readonly operators: Operators
  readonly log: Log
}

const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 20_000
const TIMEOUTS_CHECKED_MS = 500
const BODY_LIMIT_BYTES = 65_536
/** A scraper, probes, a few commands. */
const MAX_CONNECTIONS = 200

export function createAdminServer(parts: AdminServerParts): FastifyInstance {
  const { token, readiness, metrics, operators, log } = parts
  const server = fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: REQUEST_TIMEOUT_MS,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: TIMEOUTS_CHECKED_MS,
      // It is refused below: Node's own refusal has no body.
      requireHostHeader: false,
    },
    frameworkErrors: (_error, _request, reply): void => void refuse(reply, 400, 'The path cannot be read'),
  })
  server.server.maxConnections = MAX_CONNECTIONS
  refuseExpectations(server.server)
  refuseBrowsers(server, parts)
  server.setErrorHandler<FastifyError>((error, _request, reply) => {
    const statusCode = error instanceof StoreUnavailableError ? 503 : (error.statusCode ?? 500)
    if (statusCode >= 500) log.error('A request on the admin port failed', error)
    return reply.code(statusCode).send({
      error: statusCode >= 500 ? 'The store cannot be reached, or something is broken; see the log' : error.message,
    })
  })
  refuseUnknown(server)
  server.get('/healthz', () => ({ status: 'alive' }))
  server.get('/readyz', (_request, reply) => {
    const { isReady, reasons } = readiness()
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', reasons })
  })
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
  addOperationsPage(server)
  void server.register((api, _options, done) => {
    addApi(api, token, operators)
    done()
  })
  return server
}

function refuse(reply: FastifyReply, statusCode: number, error: string): FastifyReply {
  return reply.code(statusCode).send({ error })
}

/** In place of Fastify's own answers, which repeat the path, or ask for a body first. To be called before there are routes. */
function refuseUnknown(server: FastifyInstance): void {
  const allowedMethods = createAllowedMethods(server)
  server.addHook('onRequest', async (request, reply) => {
    if (!request.is404) return
    const allowed = allowedMethods(request.url)
    if (allowed === undefined) await refuse(reply, 404, 'There is nothing at this path')
    else await refuse(reply.header('allow', allowed), 405, 'This method is not allowed here')
  })
}

/** A web page in the operator's browser can ask any address that the browser reaches, under a name that it has given to that address. */
function refuseBrowsers(server: FastifyInstance, { ownHost, allowedHosts }: AdminServerParts): void {
  const isOurs = createHostCheck([ownHost, ...allowedHosts])
  server.addHook('onRequest', async (request, reply) => {
    const refusal = isOurs(request.headers.host) ? undefined : 'The header Host is not in admin.allowed_hosts'
    const error = refusal ?? (isFromForeignPage(request.headers) ? 'This is not for pages of other sites' : undefined)
    if (error !== undefined) await refuse(reply, 403, error)
  })
}

function addApi(api: FastifyInstance, token: Secret | undefined, operators: Operators): void {
  api.addHook('onRequest', async (request, reply) => {
    if (!isAuthorized(request, token))
      await reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .send({ error: 'This needs the token of admin.token_file' })
  })
  for (const { method, path, handle } of API)
    api.route({
      method,
      url: API_PREFIX + path,
      handler: ({ query, body }) => handle(operators, query, body),
    })
}

function isAuthorized(request: FastifyRequest, token: Secret | undefined): boolean {
  const given = request.headers.authorization
  if (token === undefined || given === undefined) return false
  // Hashed first: equal lengths for the comparison that takes the same time wherever they differ.
  return timingSafeEqual(digest(given), digest(`Bearer ${token.reveal()}`))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
