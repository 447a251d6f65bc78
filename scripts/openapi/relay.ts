/** The relay of Web Push messages in OpenAPI. */
import { json, TAGS, type Paths } from './document.ts'
import { error } from './errors.ts'
import { RELAY_PATH } from '../../src/intake/relayed.ts'

const tags = [TAGS.notify]
const text = { type: 'string' }
const APP_ID = {
  name: 'appId',
  in: 'path',
  required: true,
  schema: { ...text, minLength: 1, examples: ['com.example.ios'] },
}
const ENDPOINT = {
  name: 'endpoint',
  in: 'path',
  required: true,
  schema: { ...text, pattern: '^[A-Za-z0-9_-]+$', maxLength: 1024 },
  description: 'As the trade gave it.',
}
const NO_ENDPOINT = error(['M_NOT_FOUND', 'M_UNRECOGNIZED'], 'There is no such endpoint.')
const LIMITED = {
  ...error(['M_LIMIT_EXCEEDED'], 'This source has sent more than http.limit_per_source takes.'),
  headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds.' } },
}
const NOT_NOW = error(['M_UNKNOWN'], 'It cannot be stored at the moment.')

const NOT_SERVED = error(
  ['M_UNKNOWN'],
  'It cannot be stored at the moment; or the app does not relay, or the key file is another one, than when the endpoint was made.',
)
const NO_LENGTH = error(['M_MISSING_PARAM'], 'The header Content-Length is missing.')
const TOO_LARGE_FOR_APP = error(['M_TOO_LARGE'], 'Larger than 4096 bytes.')
const PUSHKEY = { ...text, minLength: 1, maxLength: 512, description: 'As of an HTTP pusher.' }

function header(name: string, schema: object, description: string, required = true): object {
  return { name, in: 'header', required, schema, description }
}

const TRADE = {
  operationId: 'tradePushkey',
  tags,
  summary: 'Trade a pushkey for an endpoint',
  description: 'Nothing is stored. The URL may end with a secret (?k=…), where http.url_secrets_file asks for one.',
  parameters: [APP_ID],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: {
          type: 'object',
          properties: {
            pushkey: PUSHKEY,
            vapid: {
              ...text,
              pattern: '^B[A-P][A-Za-z0-9_-]{84}[AEIMQUYcgkosw048]$',
              description: 'The one key that may sign what is sent there: an uncompressed point of P-256 (RFC 8292).',
            },
            kid: {
              ...text,
              pattern: '^[A-Za-z0-9_-]{21}[AQgw]$',
              description: 'By which the app finds its keys again: passed on with each message. Not all zeros.',
            },
          },
          required: ['pushkey', 'vapid'],
        },
        example: {
          pushkey: 'V2h5IG9uIGVhcnRoIGRpZCB5b3UgZGVjb2RlIHRoaXM/',
          // RFC 8292 §2.4.
          vapid: 'BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs',
        },
      },
    },
  },
  responses: {
    201: json('The endpoint.', {
      type: 'object',
      properties: { endpoint: { ...text, format: 'uri' } },
      required: ['endpoint'],
      additionalProperties: false,
    }),
    400: error(['M_NOT_JSON', 'M_BAD_JSON', 'M_UNRECOGNIZED'], 'No JSON object, or a field that cannot be one.'),
    403: error(['M_FORBIDDEN'], 'The secret in the URL is missing.'),
    404: error(['M_NOT_FOUND', 'M_UNRECOGNIZED'], 'No such app, or it does not relay.'),
    411: NO_LENGTH,
    413: TOO_LARGE_FOR_APP,
    429: LIMITED,
    503: NOT_NOW,
  },
}

const MESSAGE = {
  operationId: 'relayMessage',
  tags,
  summary: 'Send a Web Push message (RFC 8030)',
  description: 'Answered when it is stored durably. What is in it nobody here can read.',
  parameters: [
    APP_ID,
    ENDPOINT,
    header('TTL', { type: 'integer', minimum: 0, maximum: 9_999_999_999 }, 'Seconds (RFC 8030 §5.2).'),
    header('Urgency', { enum: ['very-low', 'low', 'normal', 'high'] }, 'RFC 8030 §5.3.', false),
    header('Topic', { ...text, pattern: '^[A-Za-z0-9_-]{1,32}$' }, 'RFC 8030 §5.4.', false),
    header('Content-Encoding', { const: 'aes128gcm' }, 'RFC 8291 §4.'),
  ],
  requestBody: {
    required: true,
    content: { 'application/octet-stream': { schema: { ...text, format: 'binary' } } },
  },
  security: [{ vapid: [] }],
  responses: {
    201: {
      description: 'Stored, or known before.',
      headers: {
        Location: {
          schema: { ...text, format: 'uri' },
          description: 'Names the message; nothing is to be read there.',
        },
        TTL: { schema: { type: 'integer' }, description: 'For how many seconds it is kept.' },
      },
    },
    400: error(['M_BAD_JSON', 'M_UNRECOGNIZED'], 'A header of RFC 8030, or the body, is not what it has to be.'),
    401: error(['M_UNAUTHORIZED', 'M_FORBIDDEN'], 'No VAPID, or not for here and now; or the address is not allowed.'),
    403: error(['M_FORBIDDEN'], 'It is signed with another key.'),
    404: NO_ENDPOINT,
    410: error(['M_NOT_FOUND'], 'The device is gone, or the endpoint was revoked, or traded a year ago.'),
    411: NO_LENGTH,
    413: error(['M_TOO_LARGE'], 'Larger than its push service can be handed, or than http.body_limit.'),
    415: error(['M_UNRECOGNIZED'], 'Another encoding.'),
    429: LIMITED,
    503: NOT_SERVED,
  },
}

const REVOKE = {
  operationId: 'revokeEndpoint',
  tags,
  summary: 'Revoke an endpoint',
  description:
    'For the app, which has the pushkey. With it ends what the device traded for the same vapid before, and nothing that it trades later.',
  parameters: [APP_ID, ENDPOINT],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: { type: 'object', properties: { pushkey: PUSHKEY }, required: ['pushkey'] },
        example: { pushkey: 'V2h5IG9uIGVhcnRoIGRpZCB5b3UgZGVjb2RlIHRoaXM/' },
      },
    },
  },
  responses: {
    204: { description: 'What is sent there is answered 410.' },
    400: error(['M_NOT_JSON', 'M_BAD_JSON', 'M_UNRECOGNIZED'], 'No JSON object, or no pushkey in it.'),
    403: error(['M_FORBIDDEN'], 'The pushkey is not the one that was traded for this endpoint.'),
    404: error(['M_NOT_FOUND', 'M_UNRECOGNIZED'], 'No such endpoint, or nothing was delivered there yet.'),
    411: NO_LENGTH,
    413: TOO_LARGE_FOR_APP,
    429: LIMITED,
    503: error(
      ['M_UNKNOWN', 'M_LIMIT_EXCEEDED'],
      'As of a message; or as much was revoked in this hour as is remembered of one.',
    ),
  },
}

export function relayPaths(): Paths {
  return {
    [`${RELAY_PATH}{appId}`]: { post: TRADE },
    [`${RELAY_PATH}{appId}/{endpoint}`]: { post: MESSAGE, delete: REVOKE },
  }
}
