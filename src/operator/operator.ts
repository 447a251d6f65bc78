/** What an operator can do, whoever asks: the admin API of a running gateway, or a command. Shapes as the admin API has them, checked on both sides. */
import Type, { type Static } from 'typebox'
import type { JsonObject } from '../core/json.ts'
import { RECEIPT_RESULTS } from '../core/receipt.ts'
import type { Secret } from '../core/secret.ts'

const closed = { additionalProperties: false } as const

/** Which dead letters; all of them when it says nothing. */
export const deadLetterFilterSchema = Type.Object(
  { app: Type.Optional(Type.String()), id: Type.Optional(Type.String()), reason: Type.Optional(Type.String()) },
  closed,
)
export type DeadLetterFilter = Static<typeof deadLetterFilterSchema>

/** What is to be done with them. A filter that was forgotten does not mean all of them. */
export const deadLetterChangeSchema = Type.Object(
  {
    ...deadLetterFilterSchema.properties,
    all: Type.Optional(Type.Literal(true)),
    dryRun: Type.Optional(Type.Boolean({ description: 'Only count those that it would be.' })),
  },
  {
    ...closed,
    description: 'Say which: app, id or reason; or all: true, where all are meant.',
    oneOf: [
      { anyOf: Object.keys(deadLetterFilterSchema.properties).map((name) => ({ required: [name] })) },
      { required: ['all'] },
    ],
  },
)
export type DeadLetterChange = Static<typeof deadLetterChangeSchema>
export const retriedSchema = Type.Object({ retried: Type.Integer({ minimum: 0 }) }, closed)
export const droppedSchema = Type.Object({ dropped: Type.Integer({ minimum: 0 }) }, closed)

/** A delivery that was given up; what it holds stays sealed. Times in epoch ms. */
export const deadLetterSchema = Type.Object({
  id: Type.String(),
  app: Type.String(),
  reason: Type.String(),
  attempts: Type.Integer(),
  acceptedAtMs: Type.Integer(),
  diedAtMs: Type.Integer(),
  /** 8 hex digits, as in the log; absent where it cannot be opened. */
  device: Type.Optional(Type.String()),
})
export type DeadLetter = Static<typeof deadLetterSchema>
export const deadLettersSchema = Type.Object({ dead: Type.Array(deadLetterSchema) }, closed)

/** `confirm`: the pushkeys are dead. `discard`: they were called dead by mistake. */
export const verdictSchema = Type.Enum(['confirm', 'discard'])
export type Verdict = Static<typeof verdictSchema>
export const releaseSchema = Type.Object({ app: Type.String(), verdict: verdictSchema }, closed)
export const releasedSchema = Type.Object(
  { released: Type.Integer({ minimum: 0, description: 'Windows of time whose rejections were released.' }) },
  closed,
)

/** Apps whose rejections are held back, and since when. Times in epoch ms. */
export const suspectedSchema = Type.Object(
  {
    suspected: Type.Array(
      Type.Object(
        {
          app: Type.String(),
          windows: Type.Array(
            Type.Object(
              {
                sinceMs: Type.Integer(),
                untilMs: Type.Optional(Type.Integer({ description: 'Absent while it lasts.' })),
                isDiscarded: Type.Optional(
                  Type.Boolean({ description: 'The operator said that these rejections are wrong.' }),
                ),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
  },
  closed,
)
export type SuspectedApp = Static<typeof suspectedSchema>['suspected'][number]

/** What there was of a device. */
export const forgottenSchema = Type.Object({
  death: Type.Boolean(),
  /** What became of the last push. */
  receipt: Type.Boolean(),
  /** That a push was delivered to it. */
  wasDelivered: Type.Boolean(),
  latestBadge: Type.Boolean(),
  /** When its latest push leaves. */
  departure: Type.Boolean(),
  deliveries: Type.Integer(),
  deadLetters: Type.Integer(),
  /** So many of its app could not be opened. */
  unreadable: Type.Integer(),
})
export type Forgotten = Static<typeof forgottenSchema>
export const forgottenAnswerSchema = Type.Object(
  { forgotten: Type.Union([forgottenSchema, Type.Null()], { description: 'Null where no app is configured for it.' }) },
  closed,
)
export const forgetSchema = Type.Object(
  {
    appId: Type.String(),
    pushkey: Type.String(),
    data: Type.Optional(
      Type.Unsafe<JsonObject>(
        Type.Object({}, { description: "The pusher's data: of Web Push it is a part of the device's address." }),
      ),
    ),
  },
  closed,
)

export interface ForgottenDevice {
  readonly appId: string
  readonly pushkey: Secret
  /** The pusher's data, which for Web Push is a part of the device's address. */
  readonly data: JsonObject
}

/** A device that is looked for: by its pushkey, or by its hash, as the log has it or whole. */
export const deviceQuestionSchema = Type.Object(
  {
    /** Else all apps are tried that are no globs. */
    appId: Type.Optional(Type.String()),
    pushkey: Type.Optional(Type.String({ minLength: 1 })),
    data: Type.Optional(Type.Unsafe<JsonObject>(Type.Object({}))),
    device: Type.Optional(Type.String({ pattern: '^(?:[0-9a-f]{8}|[\\w-]{43})$' })),
  },
  { ...closed, description: 'Either a pushkey or a device.' },
)
export type DeviceQuestion = Static<typeof deviceQuestionSchema>

const receiptSchema = Type.Object({
  acceptedAtMs: Type.Integer(),
  attemptedAtMs: Type.Integer(),
  attempt: Type.Integer(),
  result: Type.Enum([...RECEIPT_RESULTS]),
  /** The push service's own name for what it took, or its word for what it did not. */
  word: Type.String(),
})

/** What is known of a device on one app. Times in epoch ms, those of receipts and deaths in whole minutes. */
const foundDeviceSchema = Type.Object({
  app: Type.String(),
  /** 8 hex digits, as in the log. */
  device: Type.String(),
  receipt: Type.Optional(receiptSchema),
  /** That a push service took a push for it in the last 30 days. */
  wasDelivered: Type.Boolean(),
  death: Type.Optional(
    Type.Object({
      diedAtMs: Type.Integer(),
      recordedAtMs: Type.Integer(),
      /** It was registered anew since, and is tried. */
      isRevived: Type.Boolean(),
      /** `suspected`: held back by the rejection guard. `discarded`: by the operator's word. */
      opinion: Type.Enum(['believed', 'suspected', 'discarded']),
    }),
  ),
  waiting: Type.Integer(),
  oldestAcceptedAtMs: Type.Optional(Type.Integer()),
  dead: Type.Array(deadLetterSchema),
  unreadable: Type.Integer(),
  /** Told only where the pushkey was given. */
  hasLatestBadge: Type.Optional(Type.Boolean()),
  wakeUpAtMs: Type.Optional(Type.Integer()),
  /** Absent where this process sends nothing. */
  isBlocked: Type.Optional(Type.Boolean()),
  advice: Type.Array(Type.String()),
})
export type FoundDevice = Static<typeof foundDeviceSchema>

export const foundDevicesSchema = Type.Object({
  devices: Type.Array(foundDeviceSchema),
  /** Whether receipts are kept. */
  receipts: Type.Boolean(),
  /** How the log names a device with this pushkey, by app. */
  names: Type.Array(Type.Object({ app: Type.String(), device: Type.String() })),
})
export type FoundDevices = Static<typeof foundDevicesSchema>

/** To whom a test push goes. */
export const testPushSchema = Type.Object(
  {
    app: Type.String({ description: 'The app_id of its pusher.' }),
    pushkey: Type.String({ minLength: 1 }),
    data: Type.Optional(Type.Unsafe<JsonObject>(Type.Object({}))),
  },
  closed,
)
export type TestPush = Static<typeof testPushSchema>

/** What the push service answered to it. */
export const testPushAnswerSchema = Type.Object(
  {
    result: Type.String({ description: 'delivered, rejected, retry, failed, blocked, dropped or waits.' }),
    reason: Type.Union([Type.String(), Type.Null()], { description: "The push service's own word." }),
    serviceId: Type.Union([Type.String(), Type.Null()], { description: "The push service's name for the push." }),
    tookMs: Type.Integer({ minimum: 0 }),
  },
  closed,
)
export type TestPushAnswer = Static<typeof testPushAnswerSchema>

export interface Operator {
  find(question: DeviceQuestion): Promise<FoundDevices>
  listDead(filter: DeadLetterFilter): Promise<readonly DeadLetter[]>
  /** Resolves with how many were put back into the queue. */
  retryDead(filter: DeadLetterFilter): Promise<number>
  dropDead(filter: DeadLetterFilter): Promise<number>
  /** How many there are. */
  countDead(filter: DeadLetterFilter): Promise<number>
  /** Those of all configured apps. */
  listSuspected(): Promise<readonly SuspectedApp[]>
  /** Resolves with how many windows of rejections were released. */
  releaseSuspected(app: string, verdict: Verdict): Promise<number>
  /** Undefined where no app is configured for it. */
  forget(device: ForgottenDevice): Promise<Forgotten | undefined>
}

/** The operator asked for what cannot be done; the sentence is for the operator. */
export class OperatorError extends Error {
  override readonly name = 'OperatorError'
}
