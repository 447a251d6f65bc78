/** The configuration file as a schema: types, defaults, limits and documentation from one source. */
import Type, { type Static } from 'typebox'
import { COUNTS, PRIVACY_MODES } from '../core/privacy-policy.ts'
import type { ProviderKind } from '../core/provider.ts'
import { DEFAULT_MAX_DEVICES } from '../core/notification.ts'
import { displayNameSchema, operatorSchema } from './operator.ts'
import { canarySchema } from './canary-schema.ts'
import { tracingSchema } from './tracing.ts'
import { addressRanges, choice, closed, duration, filePath, section, size, wholeNumber } from './settings.ts'

/** The push services by the name that `type` has in an app's section. */
export type ProviderKinds = Readonly<Record<string, ProviderKind>>

/** The push service of a route that was configured. */
export function kindOf(kinds: ProviderKinds, provider: string): ProviderKind {
  const kind = kinds[provider]
  if (kind === undefined) throw new TypeError(`no push service is called ${provider}`)
  return kind
}

const http = section('The port that homeservers post to.', {
  host: Type.String({ description: 'Address to listen on.', default: '0.0.0.0', minLength: 1 }),
  port: wholeNumber(5000, 0, 65_535, 'Port to listen on; 0 takes any free one.'),
  body_limit: size('512KiB', '16KiB', '16MiB', 'Largest request body; a larger one is answered with 413.'),
  body_memory: size(
    '32MiB',
    '1MiB',
    '16GiB',
    'Bytes of request bodies in memory at once, of all requests together; beyond it those that hold the most are answered with 503, and so is a new one of more than 128 KiB when half of it is taken. At least body_limit.',
  ),
  max_devices: wholeNumber(
    DEFAULT_MAX_DEVICES,
    1,
    1000,
    'Devices in one request; with more it is answered with 413. Homeservers send one.',
  ),
  max_connections: wholeNumber(
    5000,
    1,
    1_000_000,
    'Connections at once; one that is opened beyond that is closed without an answer.',
  ),
  url_secrets_file: filePath(
    'File with secrets, one a line, one of which the URL of a pusher must end with: https://host/_matrix/push/v1/notify?k=SECRET (hushgate keygen token). Default: none is asked for.',
  ),
  url_secrets_mode: choice(
    ['enforce', 'observe'],
    'A request without one of them: answer it with 403 and store nothing, or only count it (hushgate_door_total).',
    'enforce',
  ),
  allow_from: addressRanges(
    'Addresses from which notifications are taken, as single ones or ranges; from any other they are answered with 403. Default: any.',
    1,
  ),
  trust_proxy: addressRanges(
    'Addresses of your own reverse proxies: of a request from one of them, X-Forwarded-For says where it came from. [] says that there is none: homeservers connect directly. Default: none is trusted, and nothing is said.',
    0,
  ),
  limit_per_source: Type.Optional(
    Type.Object(
      {
        devices_per_minute: wholeNumber(
          undefined,
          1,
          1_000_000_000,
          'Devices in requests of one source in a minute; a request counts as one at least. At least max_devices.',
        ),
        bytes_per_minute: size(
          undefined,
          '16KiB',
          '1023GiB',
          'Bytes of request bodies of one source in a minute. At least body_limit.',
        ),
        mode: Type.Optional(
          Type.Enum(['enforce', 'observe'], {
            description:
              "A request that is beyond: answer it with 503 (an app's own test push with 429) and store nothing, or only count it (hushgate_door_total). Default: enforce.",
          }),
        ),
      },
      {
        ...closed,
        description:
          'What one source may post in a minute, as each process counts it. A source is an IPv4 address, or the /64 of an IPv6 address. Needs trust_proxy. Default: no limit.',
      },
    ),
  ),
})

const admin = section(
  "The port for the operator: health, metrics, and the API of the operator's commands. Not for the internet.",
  {
    host: Type.String({ description: 'Address to listen on.', default: '127.0.0.1', minLength: 1 }),
    port: wholeNumber(5001, 0, 65_535, 'Port to listen on; 0 takes any free one.'),
    token_file: filePath(
      'File with the token that this API asks for (hushgate keygen token). Default: admin-token beside the SQLite file, made on first start; with Redis there is no default, and without it only health and metrics answer.',
    ),
    allowed_hosts: Type.Array(Type.String({ minLength: 1 }), {
      description:
        'Names by which this port may be asked, as globs (hushgate.monitoring.svc*), beside addresses, names without a dot, and the host above. Any other is answered with 403: a web page can give its own name this address.',
      default: [],
    }),
  },
)

const store = section('Where accepted pushes wait, and what is remembered of dead pushkeys.', {
  url: Type.Optional(
    Type.String({
      description:
        'sqlite:./path or sqlite:/path for one process; redis://, rediss:// (TLS) or redis+sentinel://host:26379,host:26379/name for more. Default: sqlite:./data/hushgate.db.',
      minLength: 1,
    }),
  ),
  cluster: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description: 'Some nodes of a Redis Cluster as redis:// or rediss:// URLs, instead of url.',
      minItems: 1,
    }),
  ),
  username: Type.Optional(Type.String({ description: 'Redis user.', minLength: 1 })),
  password: Type.Optional(Type.String({ description: 'Redis password.', minLength: 1 })),
  password_file: filePath('File with the Redis password.'),
  prefix: Type.String({
    description: 'How all keys in Redis begin; one for each gateway that shares a Redis.',
    default: 'hushgate',
    pattern: '^[A-Za-z0-9._-]{1,64}$',
  }),
  shards: Type.Optional(
    Type.Record(Type.String(), Type.Integer({ minimum: 1, maximum: 64 }), {
      description:
        'Over how many hash tags the pushes of an app are spread, by its name under apps, for those that one master of a Redis Cluster cannot serve alone. Default: one for each app. Start all processes anew after a change.',
    }),
  ),
  ca_file: filePath('PEM file of the authority that signed the certificate of Redis (rediss:// only).'),
  replica_acks: Type.Optional(
    wholeNumber(
      undefined,
      0,
      16,
      'Redis replicas that must have a push before it is accepted (WAIT). Default: with Sentinel and Cluster all that are in step and at least 1, else 0.',
    ),
  ),
  require_persistence: Type.Boolean({
    description: 'Be unready as long as Redis is not known to write to disk (appendonly).',
    default: false,
  }),
  synchronous: choice(
    ['full', 'normal'],
    'SQLite: full survives a power cut; normal is faster and may lose the last moments before one.',
    'full',
  ),
})

const queue = section('How long and how much is kept.', {
  max_age: duration('24h', '1s', '28d', 'How long a push is worth delivering.'),
  call_max_age: duration('60s', '1s', '1h', 'The same for a call.'),
  high_water: wholeNumber(
    1_000_000,
    1,
    1_000_000_000,
    'Pushes one app may have waiting; beyond it homeservers are told to come back (503). The second half is for devices that a push was delivered to before.',
  ),
  concurrency: wholeNumber(1000, 1, 10_000, 'Pushes of one app on their way at once, in each process.'),
  encryption_key_file: filePath(
    'Keys that seal what is stored (hushgate keygen store). Default: encryption-key beside the SQLite file, made on first start; required with Redis.',
  ),
})

const log = section('The log, on standard output.', {
  level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], 'Least severe level that is written.', 'info'),
  format: choice(['json', 'text'], 'json for machines, text for people.', 'json'),
})

/** What the section `apps` is. */
export const APPS = 'The apps by app_id, exact or as a glob: * is any characters, ? is exactly one. At least one.'

/** The whole file, but what is in an app's section depends on its `type` (`appSchema`). */
export const fileSchema = Type.Object(
  {
    http,
    admin,
    store,
    queue,
    privacy: choice(
      PRIVACY_MODES,
      'What push services are told, for apps that do not say: minimal is a bare wake-up, event_id_only adds event and room ID and counts, full is all the homeserver sent.',
      'minimal',
    ),
    unknown_app: choice(
      ['drop', 'reject'],
      'A push for an app that is not configured: drop it and count it, or reject its pushkey, as Sygnal does.',
      'drop',
    ),
    receipts: choice(
      ['on', 'off'],
      'What became of the last push to each device, for `hushgate find`: kept sealed for a day, under a keyed hash.',
      'on',
    ),
    overlapping_apps: choice(
      ['refuse', 'unknown'],
      'Globs of apps that match the same app_id: refuse the configuration, or, as Sygnal does, start with a warning and treat such an app_id as unknown.',
      'refuse',
    ),
    proxy: Type.Optional(
      Type.String({
        description:
          'HTTP proxy (CONNECT) for APNs, FCM, OAuth and Web Push: http://host:port or http://user:password@host:port, user and password percent-encoded. The environment variable NO_PROXY names hosts that are reached without it; loopback is not among them by itself. Names of Web Push hosts are resolved by the proxy, so it must not let through to your own network. Never used for the store.',
        minLength: 1,
      }),
    ),
    proxy_file: filePath('File with the proxy, as it holds a password.'),
    log,
    tracing: tracingSchema,
    canary: canarySchema,
    operator: operatorSchema,
    apps: Type.Record(Type.String(), Type.Unknown(), { description: APPS }),
  },
  closed,
)

/** A section of the file, with its defaults. */
export type FileSection<Name extends keyof typeof fileSchema.properties> = Static<(typeof fileSchema.properties)[Name]>

/** What every app has, whatever its push service. */
export const appCommon = Type.Object({
  display_name: displayNameSchema,
  privacy: Type.Optional(
    Type.Enum(PRIVACY_MODES, { description: 'What the push service is told of this app. Default: the privacy above.' }),
  ),
  counts: choice(
    COUNTS,
    'Unread counts: badge shows their sum as the badge only, exact passes them on, none keeps them here.',
    'badge',
  ),
  default_payload_allow: Type.Array(Type.String({ pattern: '^[^.\\s]+([.][^.\\s]+)*$' }), {
    description: 'Dotted keys of default_payload that minimal passes on beside the usual ones, such as aps.category.',
    default: [],
  }),
  sealed: choice(
    ['optional', 'required'],
    "What a push says can be sealed to a key that the device's pusher holds (docs/for-app-makers.md): optional does so where there is one, required keeps devices without one to minimal. Web Push needs neither.",
    'optional',
  ),
  placeholder_ids: Type.Boolean({
    description:
      'Minimal pushes of events carry a random event_id and room_id, new ones each time, for apps that drop a push without them.',
    default: false,
  }),
  coalesce: Type.Optional(
    duration(
      undefined,
      '1s',
      '10m',
      'Of the minimal pushes of events to one device within this time, the first leaves at once and the last at its end; those between are not sent. Not for what is known to be a call. Default: each is sent.',
    ),
  ),
  release_every: Type.Optional(
    duration(
      undefined,
      '1s',
      '10m',
      'All pushes but what is known to be a call leave together, this often, in random order: in minimal mode the push service then learns less of who writes to whom (in the others it reads the room ID). Default: each leaves at once.',
    ),
  ),
})
