/** What an operator can do, asked of the running gateway through its admin API. */
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { isJsonObject } from '../core/json.ts'
import type { Secret } from '../core/secret.ts'
import {
  deadLettersSchema,
  droppedSchema,
  forgottenAnswerSchema,
  foundDevicesSchema,
  OperatorError,
  releasedSchema,
  retriedSchema,
  suspectedSchema,
  testPushAnswerSchema,
  type DeadLetter,
  type DeadLetterChange,
  type DeadLetterFilter,
  type DeviceQuestion,
  type Forgotten,
  type ForgottenDevice,
  type FoundDevices,
  type Operator,
  type SuspectedApp,
  type TestPush,
  type TestPushAnswer,
  type Verdict,
} from './operator.ts'
import { statusSchema, unknownAppsSchema, type Status, type UnknownApps } from './status.ts'

const API = '/api/v1'

/** What was asked for is not done, and the answer says why. */
const TOLD_WITH = [400, 404, 409]

export class RemoteOperator implements Operator {
  readonly #url: string
  readonly #token: Secret

  /** `url`: of the admin port. */
  constructor(url: string, token: Secret) {
    this.#url = url + API
    this.#token = token
  }

  async listDead(filter: DeadLetterFilter): Promise<readonly DeadLetter[]> {
    const query = new URLSearchParams(Object.entries(filter).filter(([, value]) => value !== undefined))
    return (await this.#ask(`/dead?${query.toString()}`, deadLettersSchema)).dead
  }

  async retryDead(filter: DeadLetterFilter): Promise<number> {
    return (await this.#ask('/dead/retry', retriedSchema, changeOf(filter))).retried
  }

  async dropDead(filter: DeadLetterFilter): Promise<number> {
    return (await this.#ask('/dead/drop', droppedSchema, changeOf(filter))).dropped
  }

  async countDead(filter: DeadLetterFilter): Promise<number> {
    return (await this.#ask('/dead/drop', droppedSchema, { ...changeOf(filter), dryRun: true })).dropped
  }

  async listSuspected(): Promise<readonly SuspectedApp[]> {
    return (await this.#ask('/rejections', suspectedSchema)).suspected
  }

  status(): Promise<Status> {
    return this.#ask('/status', statusSchema)
  }

  async unknownApps(): Promise<UnknownApps> {
    return this.#ask('/unknown-apps', unknownAppsSchema)
  }

  testPush(push: TestPush): Promise<TestPushAnswer> {
    return this.#ask('/test-push', testPushAnswerSchema, push)
  }

  async releaseSuspected(app: string, verdict: Verdict): Promise<number> {
    return (await this.#ask('/rejections', releasedSchema, { app, verdict })).released
  }

  async find(question: DeviceQuestion): Promise<FoundDevices> {
    return this.#ask('/find', foundDevicesSchema, question)
  }

  async forget({ appId, pushkey, data }: ForgottenDevice): Promise<Forgotten | undefined> {
    const { forgotten } = await this.#ask('/forget', forgottenAnswerSchema, { appId, pushkey: pushkey.reveal(), data })
    return forgotten ?? undefined
  }

  /** POST where there is a body. */
  async #ask<Schema extends TSchema>(path: string, schema: Schema, body?: object): Promise<Static<Schema>> {
    const authorization = `Bearer ${this.#token.reveal()}`
    const init =
      body === undefined
        ? { headers: { authorization } }
        : { method: 'POST', headers: { authorization, 'content-type': 'application/json' }, body: JSON.stringify(body) }
    const response = await fetch(this.#url + path, init)
    if (response.status === 401)
      throw new OperatorError('The running gateway has another token: does it use another admin.token_file?')
    if (TOLD_WITH.includes(response.status)) throw new OperatorError(await sentenceIn(response))
    if (!response.ok) throw new OperatorError(`The running gateway answered ${response.status}`)
    const json: unknown = await response.json()
    if (!Value.Check(schema, json))
      throw new OperatorError(
        'The running gateway is of another version, and its answer cannot be read; what was asked for may be done',
      )
    return json
  }
}

/** Here a filter that says nothing means all of them: whoever asks has made sure of it. */
function changeOf(filter: DeadLetterFilter): DeadLetterChange {
  return Object.values(filter).some((each) => each !== undefined) ? filter : { all: true }
}

/** Of a request that it refuses, the gateway says why. */
async function sentenceIn(response: Response): Promise<string> {
  const json: unknown = await response.json().catch(() => undefined)
  return isJsonObject(json) && typeof json['error'] === 'string'
    ? json['error']
    : `The running gateway answered ${response.status}`
}
