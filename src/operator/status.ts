/** What a running gateway says of itself to an operator, and what can be asked of it there: shapes as the admin API has them. Times are epoch ms. */
import Type, { type Static } from 'typebox'
import { FAILURE_RESULTS } from '../activity/activity.ts'

const closed = { additionalProperties: false } as const
const TEXT = Type.String()
const TIME = Type.Integer({ description: 'Epoch, milliseconds.' })
const COUNT = Type.Integer({ minimum: 0 })
const orNull = <Schema extends typeof TEXT | typeof TIME | ReturnType<typeof Type.Number>>(
  schema: Schema,
  description: string,
) => Type.Union([schema, Type.Null()], { description })
const minutes = (description: string) => Type.Array(COUNT, { minItems: 60, maxItems: 60, description })

const failureFields = {
  atMs: TIME,
  result: Type.Enum([...FAILURE_RESULTS]),
  reason: orNull(TEXT, "The push service's own word, or ours where none was asked; null where there is none."),
}

const canaryStatusSchema = Type.Object(
  {
    state: Type.Enum(['arrives', 'awaited', 'stopped', 'unknown'], {
      description:
        'arrives: the last one arrived no longer ago than three times everyMs. stopped: none has for longer than that. awaited: none has yet. unknown: the store does not answer.',
    }),
    everyMs: COUNT,
    lastArrivedAtMs: orNull(
      TIME,
      'When the push service last took one, whichever process sent it; null where it took none in the last day.',
    ),
    roundTripMs: orNull(
      Type.Integer({ minimum: 0 }),
      'From the acceptance of that one to the answer of the push service.',
    ),
  },
  closed,
)
export type CanaryStatus = Static<typeof canaryStatusSchema>

const appStatusSchema = Type.Object(
  {
    app: Type.String({ description: 'As it is configured.' }),
    provider: Type.String({ description: 'The push service.' }),
    state: Type.Enum(['open', 'held', 'blocked', 'paused', 'unknown'], {
      description:
        'open: what is due is sent. held: the push service asks to wait, cannot be reached, or only fails; one delivery tries now and then. blocked: it refuses our credential or configuration; one tries every 30 s. paused: by the operator. unknown: this process does not deliver; ask a worker.',
    }),
    sinceMs: orNull(TIME, 'Since when it is not open; null while it is, or where that is not known.'),
    reason: orNull(TEXT, "Why it is held or blocked, in the push service's own word."),
    lastDeliveredAtMs: orNull(TIME, 'By this process, since it started.'),
    lastFailure: Type.Union([Type.Object(failureFields, closed), Type.Null()], {
      description: 'The last attempt that was not accepted, or delivery that ended without one; of this process.',
    }),
    acceptedPerMinute: Type.Integer({
      minimum: 0,
      description: 'Stored by this process in the last 60 seconds, about.',
    }),
    deliveredPerMinute: Type.Integer({
      minimum: 0,
      description: 'Delivered by this process in the last 60 seconds, about.',
    }),
    delayMs: Type.Union([Type.Object({ p50: COUNT, p99: COUNT }, closed), Type.Null()], {
      description:
        'From the acceptance to the push service, of what this process delivered in the last five minutes, rounded up by a quarter at most; null where that is nothing.',
    }),
    queue: Type.Union(
      [
        Type.Object(
          {
            waiting: COUNT,
            delayed: COUNT,
            active: COUNT,
            dead: COUNT,
            oldestAgeMs: Type.Number({
              minimum: 0,
              description:
                'From acceptance, of the oldest that should have left by now and has not arrived; 0 where there is none.',
            }),
          },
          closed,
        ),
        Type.Null(),
      ],
      { description: 'In the whole store; null where it does not answer.' },
    ),
    isAtHighWater: Type.Union([Type.Boolean(), Type.Null()], {
      description:
        'So much waits that new pushes are refused with 503 (queue.high_water); null where the store does not answer.',
    }),
    credentialExpiresAtMs: orNull(TIME, 'Null where it does not run out, or this process does not deliver.'),
    credentialDaysLeft: orNull(Type.Number(), 'Whole days until then; below 0 once it has run out.'),
    isSuspected: Type.Union([Type.Boolean(), Type.Null()], {
      description: 'Rejections are held back until the operator releases them; null where the store does not answer.',
    }),
    canary: Type.Union([canaryStatusSchema, Type.Null()], {
      description: 'Canary pushes to a device of the operator (canary); null where none are configured.',
    }),
    lastHour: Type.Object(
      {
        accepted: minutes('Stored.'),
        delivered: minutes('Taken by the push service.'),
        failed: minutes('Ended without being delivered.'),
        retried: minutes('Attempts after which the delivery waits for another.'),
      },
      {
        ...closed,
        description: 'Of this process, by minute, the oldest first; the last minute is not over.',
      },
    ),
  },
  closed,
)
export type AppStatus = Static<typeof appStatusSchema>

export const statusSchema = Type.Object(
  {
    version: TEXT,
    role: Type.Enum(['all', 'http', 'worker'], {
      description: 'What this process does; it says what it knows: http accepts, worker delivers.',
    }),
    startedAtMs: TIME,
    nowMs: TIME,
    isReady: Type.Boolean(),
    reasons: Type.Array(TEXT, { description: 'Sentences: why it is not ready, and what endangers what is stored.' }),
    configuration: Type.Object(
      {
        loadedAtMs: TIME,
        isNewest: Type.Boolean({ description: 'False: the newest file was refused, and the one before it is in use.' }),
        pendingRestarts: Type.Array(TEXT, {
          description: 'Settings that were changed and take effect after a restart.',
        }),
      },
      closed,
    ),
    store: Type.Object(
      {
        kind: Type.Enum(['sqlite', 'redis']),
        isWritable: Type.Boolean(),
        isFit: Type.Boolean({ description: 'False: a setting of it must take the process out of service.' }),
        dangers: Type.Array(TEXT),
        fill: Type.Number({
          minimum: 0,
          maximum: 1,
          description: 'How much of its room is in use; 0 where that is not known.',
        }),
      },
      closed,
    ),
    apps: Type.Array(appStatusSchema),
  },
  closed,
)
export type Status = Static<typeof statusSchema>

export const failuresSchema = Type.Object(
  {
    failures: Type.Array(
      Type.Object(
        {
          app: TEXT,
          provider: TEXT,
          device: Type.String({ description: '8 hex digits of a keyed hash, as in the log.' }),
          attempt: COUNT,
          ...failureFields,
          isFinal: Type.Boolean({ description: 'It is not tried again.' }),
        },
        closed,
      ),
      { description: 'The newest first, at most 20 of each app, of this process since it started.' },
    ),
  },
  closed,
)
export type Failures = Static<typeof failuresSchema>

export const unknownAppsSchema = Type.Object(
  {
    unknownApps: Type.Array(
      Type.Object(
        {
          appId: Type.String({ description: 'As a homeserver sent it, cut after 128 characters.' }),
          count: COUNT,
          firstSeenAtMs: TIME,
          lastSeenAtMs: TIME,
        },
        closed,
      ),
      { maxItems: 50, description: 'The most frequent first; of this process since it started.' },
    ),
  },
  closed,
)

export type UnknownApps = Static<typeof unknownAppsSchema>

export const runningConfigSchema = Type.Object(
  {
    configuration: Type.Record(Type.String(), Type.Unknown(), {
      description:
        'What the process works with, defaults filled in, by its own names and units (durations in ms). What is secret reads "[redacted]".',
    }),
  },
  closed,
)

/** Of an app, whichever push services it has. */
export const pausedSchema = Type.Object({ app: TEXT, isPaused: Type.Boolean() }, closed)
export type Paused = Static<typeof pausedSchema>
