/** The admin port: health, metrics, and the operator's API behind a bearer token. Never to be reached from outside. */
import { timingSafeEqual, createHash } from 'node:crypto'
import fastify, { type FastifyError, type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import Type, { type Static } from 'typebox'
import { StoreUnavailableError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import type { Log } from '../core/log.ts'
import { Secret } from '../core/secret.ts'
import { refuseExpectations } from './answers.ts'
import { createHostCheck, isFromPage } from './browser-checks.ts'
import { deadLetterFilterSchema, verdictSchema, type DeadLetterFilter } from '../operator/operator.ts'
import type { StoreOperator } from '../operator/store-operator.ts'

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
  readonly operator: StoreOperator
  readonly log: Log
}

const HEADERS_TIMEOUT_MS = 10_000
const REQUEST_TIMEOUT_MS = 20_000
const TIMEOUTS_CHECKED_MS = 500
const BODY_LIMIT_BYTES = 65_536
/** A scraper, probes, a few commands. */
const MAX_CONNECTIONS = 200

export function createAdminServer(parts: AdminServerParts): FastifyInstance {
  const { token, readiness, metrics, operator, log } = parts
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
  // Fastify's own answer repeats the path.
  server.setNotFoundHandler((_request, reply) => refuse(reply, 404, 'There is nothing at this path'))
  server.get('/healthz', () => ({ status: 'alive' }))
  server.get('/readyz', (_request, reply) => {
    const { isReady, reasons } = readiness()
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', reasons })
  })
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await metrics()
    return reply.type(contentType).send(text)
  })
  void server.register((api, _options, done) => {
    addApi(api, token, operator)
    done()
  })
  return server
}

function refuse(reply: FastifyReply, statusCode: number, error: string): FastifyReply {
  return reply.code(statusCode).send({ error })
}

/** A web page in the operator's browser can ask any address that the browser reaches, under a name that it has given to that address. */
function refuseBrowsers(server: FastifyInstance, { ownHost, allowedHosts }: AdminServerParts): void {
  const isOurs = createHostCheck([ownHost, ...allowedHosts])
  server.addHook('onRequest', async (request, reply) => {
    const refusal = isOurs(request.headers.host) ? undefined : 'The header Host is not in admin.allowed_hosts'
    const error = refusal ?? (isFromPage(request.headers) ? 'This is not for web pages' : undefined)
    if (error !== undefined) await refuse(reply, 403, error)
  })
}

const releaseSchema = Type.Object({ app: Type.String(), verdict: verdictSchema }, { additionalProperties: false })
const forgetSchema = Type.Object(
  { app_id: Type.String(), pushkey: Type.String(), data: Type.Optional(Type.Object({})) },
  { additionalProperties: false },
)

function addApi(api: FastifyInstance, token: Secret | undefined, operator: StoreOperator): void {
  api.addHook('onRequest', async (request, reply) => {
    if (!isAuthorized(request, token))
      await reply
        .code(401)
        .header('www-authenticate', 'Bearer')
        .send({ error: 'This needs the token of admin.token_file' })
  })
  api.get<{ Querystring: DeadLetterFilter }>(
    '/api/dead',
    { schema: { querystring: deadLetterFilterSchema } },
    async ({ query }) => ({ dead: await operator.listDead(query) }),
  )
  const ofFilter = { schema: { body: deadLetterFilterSchema } }
  api.post<{ Body: DeadLetterFilter }>('/api/dead/retry', ofFilter, async ({ body }) => ({
    retried: await operator.retryDead(body),
  }))
  api.post<{ Body: DeadLetterFilter }>('/api/dead/drop', ofFilter, async ({ body }) => ({
    dropped: await operator.dropDead(body),
  }))
  api.get('/api/rejections', async () => ({ suspected: await operator.listSuspected() }))
  api.post<{ Body: Static<typeof releaseSchema> }>(
    '/api/rejections',
    { schema: { body: releaseSchema } },
    async ({ body: { app, verdict } }) => ({ released: await operator.releaseSuspected(app, verdict) }),
  )
  api.post<{ Body: Omit<Static<typeof forgetSchema>, 'data'> & { data?: JsonObject } }>(
    '/api/forget',
    { schema: { body: forgetSchema } },
    async ({ body: { app_id: appId, pushkey, data = {} } }) => ({
      forgotten: (await operator.forget({ appId, pushkey: new Secret(pushkey), data })) ?? null,
    }),
  )
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
