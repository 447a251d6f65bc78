/** The admin port in OpenAPI: what src/http/api.ts has as a table, and what is answered without a token. */
import type { TSchema } from 'typebox'
import { API, API_PREFIX, type ApiRoute } from '../../src/http/api.ts'
import { answer, json, operationId, TAGS, type Paths } from './document.ts'

const error = (description: string): object => json(description, { $ref: '#/components/schemas/Error' })

/** By hooks, before any path is looked at. */
const AT_THE_DOOR = {
  400: error('The request cannot be read, or does not fit.'),
  403: error('The header Host is not in admin.allowed_hosts, or a web page of another origin asks.'),
}
const OF_API = {
  ...AT_THE_DOOR,
  401: {
    ...error('The token of admin.token_file is missing or wrong, or none is configured.'),
    headers: { 'WWW-Authenticate': { schema: { type: 'string', const: 'Bearer' } } },
  },
  503: error('The store cannot be reached.'),
}
const OF_BODIES = {
  409: error('It fits its form and cannot be done here; the sentence says why.'),
  413: error('The body is larger than 64 KiB.'),
  415: error('The body is not application/json.'),
}

export function adminPaths(): Paths {
  const paths: Paths = { ...withoutToken() }
  for (const route of API) {
    const path = API_PREFIX + route.path
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) }
  }
  return paths
}

function operationOf({ method, path, summary, description, query, body, answer: schema, namesApp }: ApiRoute): object {
  return {
    operationId: operationId(method, path),
    tags: [TAGS.admin],
    summary,
    ...(description === undefined ? {} : { description }),
    security: [{ token: [] }],
    ...(query === undefined ? {} : { parameters: parametersOf(query) }),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    responses: {
      200: json('Done.', schema),
      ...OF_API,
      ...(namesApp === true ? { 404: error('No app is configured under this name.') } : {}),
      ...(body === undefined ? {} : OF_BODIES),
    },
  }
}

function parametersOf(query: TSchema): object[] {
  const properties: Readonly<Record<string, object>> = 'properties' in query ? Object(query.properties) : {}
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', required: false, schema }))
}

function withoutToken(): Paths {
  const tags = [TAGS.admin]
  return {
    '/healthz': {
      get: {
        operationId: 'getHealthz',
        tags,
        summary: 'Whether the process is there',
        responses: {
          200: json('It is.', { type: 'object', properties: { status: { const: 'alive' } }, required: ['status'] }),
          ...AT_THE_DOOR,
        },
      },
    },
    '/readyz': {
      get: {
        operationId: 'getReadyz',
        tags,
        summary: 'Whether it can accept notifications',
        responses: {
          200: json('It can.', readiness('ready')),
          ...AT_THE_DOOR,
          503: json('It cannot.', readiness('not ready')),
        },
      },
    },
    '/metrics': {
      get: {
        operationId: 'getMetrics',
        tags,
        summary: 'Metrics for Prometheus',
        responses: {
          200: answer('In the text format of Prometheus.', 'text/plain', { type: 'string' }),
          ...AT_THE_DOOR,
        },
      },
    },
  }
}

function readiness(status: string): object {
  return {
    type: 'object',
    properties: { status: { const: status }, reasons: { type: 'array', items: { type: 'string' } } },
    required: ['status', 'reasons'],
    additionalProperties: false,
  }
}
