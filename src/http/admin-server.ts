/** The admin port: health, metrics, and the operator's API behind a bearer token. Never to be reached from outside. */
import { timingSafeEqual, createHash } from 'node:crypto'
import fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import { StoreUnavailableError } from '../core/errors.ts'
import type { JsonObject } from '../core/json.ts'
import { Secret } from '../core/secret.ts'

/** Which dead letters. */
export interface DeadFilter {
  readonly app?: string | undefined
  readonly id?: string | undefined
  readonly reason?: string | undefined
}

export interface AdminPorts {
  /** The API is closed without a token. */
  readonly token: Secret | undefined
  readonly readiness: () => { readonly isReady: boolean; readonly reasons: readonly string[] }
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>
  readonly listDead: (filter: DeadFilter) => Promise<readonly object[]>
  readonly retryDead: (filter: DeadFilter) => Promise<number>
  readonly dropDead: (filter: DeadFilter) => Promise<number>
  readonly listSuspected: () => Promise<readonly object[]>
  readonly releaseSuspected: (app: string, verdict: 'confirm' | 'discard') => Promise<number>
  /** What there was; undefined where no app is configured for the device. */
  readonly forget: (device: {
    readonly appId: string
    readonly pushkey: Secret
    readonly data: JsonObject
  }) => Promise<object | undefined>
  readonly onError: (error: unknown) => void
}

const FILTER = {
  type: 'object',
  additionalProperties: false,
  properties: { app: { type: 'string' }, id: { type: 'string' }, reason: { type: 'string' } },
} as const

export function createAdminServer(ports: AdminPorts): FastifyInstance {
  const server = fastify({ logger: false })
  server.setErrorHandler<FastifyError>((error, _request, reply) => {
    const statusCode = error instanceof StoreUnavailableError ? 503 : (error.statusCode ?? 500)
    if (statusCode >= 500) ports.onError(error)
    return reply.code(statusCode).send({
      error: statusCode >= 500 ? 'The store cannot be reached, or something is broken; see the log' : error.message,
    })
  })
  server.get('/healthz', () => ({ status: 'alive' }))
  server.get('/readyz', (_request, reply) => {
    const { isReady, reasons } = ports.readiness()
    return reply.code(isReady ? 200 : 503).send({ status: isReady ? 'ready' : 'not ready', reasons })
  })
  server.get('/metrics', async (_request, reply) => {
    const { contentType, text } = await ports.metrics()
    return reply.type(contentType).send(text)
  })
  void server.register((api, _options, done) => {
    api.addHook('onRequest', async (request, reply) => {
      if (!isAuthorized(request, ports.token))
        await reply
          .code(401)
          .header('www-authenticate', 'Bearer')
          .send({ error: 'This needs the token of admin.token_file' })
    })
    api.get<{ Querystring: DeadFilter }>('/api/dead', { schema: { querystring: FILTER } }, async ({ query }) => ({
      dead: await ports.listDead(query),
    }))
    api.post<{ Body: DeadFilter }>('/api/dead/retry', { schema: { body: FILTER } }, async ({ body }) => ({
      retried: await ports.retryDead(body),
    }))
    api.post<{ Body: DeadFilter }>('/api/dead/drop', { schema: { body: FILTER } }, async ({ body }) => ({
      dropped: await ports.dropDead(body),
    }))
    api.get('/api/rejections', async () => ({ suspected: await ports.listSuspected() }))
    api.post<{ Body: { app: string; verdict: 'confirm' | 'discard' } }>(
      '/api/rejections',
      { schema: { body: RELEASE } },
      async ({ body }) => ({
        released: await ports.releaseSuspected(body.app, body.verdict),
      }),
    )
    api.post<{ Body: { app_id: string; pushkey: string; data?: JsonObject } }>(
      '/api/forget',
      { schema: { body: FORGET } },
      async ({ body: { app_id: appId, pushkey, data = {} } }) => ({
        forgotten: (await ports.forget({ appId, pushkey: new Secret(pushkey), data })) ?? null,
      }),
    )
    done()
  })
  return server
}

const RELEASE = {
  type: 'object',
  additionalProperties: false,
  required: ['app', 'verdict'],
  properties: { app: { type: 'string' }, verdict: { enum: ['confirm', 'discard'] } },
} as const

const FORGET = {
  type: 'object',
  additionalProperties: false,
  required: ['app_id', 'pushkey'],
  properties: { app_id: { type: 'string' }, pushkey: { type: 'string' }, data: { type: 'object' } },
} as const

function isAuthorized(request: FastifyRequest, token: Secret | undefined): boolean {
  const given = request.headers.authorization
  if (token === undefined || given === undefined) return false
  // Hashed first: equal lengths for the comparison that takes the same time wherever they differ.
  return timingSafeEqual(digest(given), digest(`Bearer ${token.reveal()}`))
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
