/** The operator's API as a table: what each route takes and answers, and what it does. docs/openapi.json is written from it (scripts/write-openapi.ts). */
import Type, { type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { Secret } from '../core/secret.ts'
import type { GatewayOperator } from '../operator/gateway-operator.ts'
import * as shapes from '../operator/operator.ts'
import * as running from '../operator/status.ts'
import type { StoreOperator } from '../operator/store-operator.ts'

/** Whom the API asks. */
export interface Operators {
  readonly gateway: GatewayOperator
  readonly store: StoreOperator
}

/** The request does not fit its schema; the sentence repeats nothing of it. */
export class RequestError extends Error {
  override readonly name = 'RequestError'
  readonly statusCode: 400 | 404 | 409

  constructor(statusCode: 400 | 404 | 409, message: string) {
    super(message)
    this.statusCode = statusCode
  }
}

export interface ApiRoute {
  readonly method: 'GET' | 'POST'
  /** After API_PREFIX. */
  readonly path: string
  readonly summary: string
  readonly description?: string | undefined
  /** Absent: none is taken. */
  readonly query?: TSchema | undefined
  readonly body?: TSchema | undefined
  readonly answer: TSchema
  /** It names an app, and answers 404 where none is configured under that name. */
  readonly namesApp?: true | undefined
  /** Rejects with a RequestError where the request does not fit. */
  readonly handle: (operators: Operators, query: unknown, body: unknown) => Promise<unknown>
}

interface TypedRoute<Query extends TSchema, Body extends TSchema, Answer extends TSchema> extends Omit<
  ApiRoute,
  'handle'
> {
  readonly query?: Query | undefined
  readonly body?: Body | undefined
  readonly answer: Answer
  readonly handle: (
    operators: Operators,
    query: Static<Query>,
    body: Static<Body>,
  ) => Promise<Static<Answer>> | Static<Answer>
}

export const API_PREFIX = '/api/v1'
const NOTHING = Type.Object({}, { additionalProperties: false })
const NO_SUCH_APP = 'No app is configured under this name'

/** What has a schema is checked before it is handled; where there is none, nothing is taken, or nothing is looked at. */
function route<Answer extends TSchema, Query extends TSchema = TSchema, Body extends TSchema = TSchema>(
  typed: TypedRoute<Query, Body, Answer>,
): ApiRoute {
  const { handle } = typed
  const querySchema: TSchema = typed.query ?? NOTHING
  const bodySchema: TSchema = typed.body ?? Type.Unknown()
  return {
    ...typed,
    async handle(operators, query, body) {
      check(querySchema, query, 'query')
      check(bodySchema, body, 'body')
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- they fit their schemas, which is all the compiler cannot see
      return handle(operators, query as Static<Query>, body as Static<Body>)
    },
  }
}

/** Throws a RequestError. Nothing is converted: an option that is written wrong must not be left out in silence. */
function check(schema: TSchema, value: unknown, what: 'query' | 'body'): void {
  if (Value.Check(schema, value)) return
  const names = 'properties' in schema ? Object.keys(Object(schema.properties)) : []
  // Of the request only names are repeated that are in the schema.
  for (const { instancePath, message } of Value.Errors(schema, value)) {
    const name = names.find((each) => instancePath === `/${each}` || instancePath.startsWith(`/${each}/`))
    if (name !== undefined) throw new RequestError(400, `In the ${what}, ${name} does not fit: it ${message}`)
  }
  const hint = 'description' in schema ? `. ${String(schema.description)}` : ''
  throw new RequestError(400, `The ${what} does not fit: this path takes ${names.join(', ') || 'none'}${hint}`)
}

const ofApp = Type.Object(
  { app: Type.String({ description: 'As it is configured.', examples: ['com.example.ios'] }) },
  { additionalProperties: false },
)
const failuresQuery = Type.Partial(ofApp, { additionalProperties: false })

async function setPaused({ gateway }: Operators, app: string, isPaused: boolean): Promise<running.Paused> {
  const paused = await gateway.setPaused({ app, isPaused })
  if (paused === undefined) throw new RequestError(404, NO_SUCH_APP)
  return paused
}

/** What the operator asked for cannot be done. */
async function refusing<T>(done: Promise<T>): Promise<T> {
  try {
    return await done
  } catch (error) {
    throw error instanceof shapes.OperatorError ? new RequestError(409, error.message) : error
  }
}

/** What is asked of the running gateway. */
const OF_GATEWAY: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/status',
    summary: 'How each app does, and the store',
    answer: running.statusSchema,
    handle: ({ gateway }) => gateway.status(),
  }),
  route({
    method: 'GET',
    path: '/failures',
    summary: 'The last failures, of one app or of all',
    query: failuresQuery,
    answer: running.failuresSchema,
    handle: ({ gateway }, query) => gateway.failures(query.app),
  }),
  route({
    method: 'GET',
    path: '/unknown-apps',
    summary: 'app_ids that homeservers push to and that are not configured',
    description: 'In memory only, the 50 most frequent. Some hold the ID of a device: they are logged nowhere.',
    answer: running.unknownAppsSchema,
    handle: ({ gateway }) => ({ unknownApps: [...gateway.unknownApps()] }),
  }),
  route({
    method: 'GET',
    path: '/config',
    summary: 'The configuration in use, without secrets',
    answer: running.runningConfigSchema,
    handle: ({ gateway }) => ({ configuration: gateway.configuration() }),
  }),
  route({
    method: 'POST',
    path: '/test-push',
    summary: 'Send a test push to a device, and see what its push service answers',
    description:
      'The push that apps send to test themselves (event $THIS_IS_A_FAKE_EVENT_ID). It is sent once and at once, past the queue; nothing is stored of it.',
    body: shapes.testPushSchema,
    answer: shapes.testPushAnswerSchema,
    namesApp: true,
    async handle({ gateway }, _query, push) {
      const answer = await refusing(gateway.testPush(push))
      if (answer === undefined) throw new RequestError(404, NO_SUCH_APP)
      return answer
    },
  }),
  route({
    method: 'POST',
    path: '/pause',
    summary: 'Pause an app',
    description:
      'What is accepted for it is kept and not sent, in every process, until it is resumed; a restart changes nothing. It still expires after queue.max_age.',
    body: ofApp,
    answer: running.pausedSchema,
    namesApp: true,
    handle: (operators, _query, { app }) => setPaused(operators, app, true),
  }),
  route({
    method: 'POST',
    path: '/resume',
    summary: 'Resume an app that was paused',
    body: ofApp,
    answer: running.pausedSchema,
    namesApp: true,
    handle: (operators, _query, { app }) => setPaused(operators, app, false),
  }),
]

/** What is done on the store. */
const OF_STORE: readonly ApiRoute[] = [
  route({
    method: 'GET',
    path: '/dead',
    summary: 'Deliveries that were given up',
    description: 'At most 1,000.',
    query: shapes.deadLetterFilterSchema,
    answer: shapes.deadLettersSchema,
    handle: async ({ store }, query) => ({ dead: [...(await store.listDead(query))] }),
  }),
  route({
    method: 'POST',
    path: '/dead/retry',
    summary: 'Put dead letters back into the queue',
    body: shapes.deadLetterChangeSchema,
    answer: shapes.retriedSchema,
    handle: async ({ store }, _query, { dryRun, all: _all, ...filter }) => ({
      retried: await (dryRun === true ? store.countDead(filter) : store.retryDead(filter)),
    }),
  }),
  route({
    method: 'POST',
    path: '/dead/drop',
    summary: 'Drop dead letters',
    body: shapes.deadLetterChangeSchema,
    answer: shapes.droppedSchema,
    handle: async ({ store }, _query, { dryRun, all: _all, ...filter }) => ({
      dropped: await (dryRun === true ? store.countDead(filter) : store.dropDead(filter)),
    }),
  }),
  route({
    method: 'POST',
    path: '/find',
    summary: 'What is known of a device, by its pushkey or by its hash in the log',
    description: 'Reads all that its app has stored, so on a large queue it takes a while. It changes nothing.',
    body: shapes.deviceQuestionSchema,
    answer: shapes.foundDevicesSchema,
    handle: ({ store }, _query, question) => refusing(store.find(question)),
  }),
  route({
    method: 'GET',
    path: '/rejections',
    summary: 'Apps whose rejections are held back',
    description:
      'Most of their pushkeys were called dead within five minutes: is their topic, project or environment wrong?',
    answer: shapes.suspectedSchema,
    handle: async ({ store }) => ({ suspected: [...(await store.listSuspected())] }),
  }),
  route({
    method: 'POST',
    path: '/rejections',
    summary: 'Release rejections that are held back',
    body: shapes.releaseSchema,
    answer: shapes.releasedSchema,
    handle: async ({ store }, _query, { app, verdict }) => ({ released: await store.releaseSuspected(app, verdict) }),
  }),
  route({
    method: 'POST',
    path: '/forget',
    summary: 'Remove all that is held about a device',
    body: shapes.forgetSchema,
    answer: shapes.forgottenAnswerSchema,
    handle: async ({ store }, _query, { appId, pushkey, data = {} }) => ({
      forgotten: (await store.forget({ appId, pushkey: new Secret(pushkey), data })) ?? null,
    }),
  }),
]

export const API: readonly ApiRoute[] = [...OF_GATEWAY, ...OF_STORE]
