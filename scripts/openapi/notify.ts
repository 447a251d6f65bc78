/** The notify port in OpenAPI: the Matrix push gateway API as it is answered here, and what anybody may read. */
import { answer, json, TAGS, type Paths } from './document.ts'
import { ANYWHERE, error } from './errors.ts'
import { relayPaths } from './relay.ts'
import { NOTIFY_PATH } from '../../src/http/notify-server.ts'

const DEVICE = {
  type: 'object',
  properties: {
    app_id: {
      type: 'string',
      description: 'Which app of the configuration it is, exactly or by a glob.',
      examples: ['com.example.ios'],
    },
    pushkey: { type: 'string', description: 'The address of the device at its push service.' },
    pushkey_ts: { description: 'When the pushkey was last changed; seconds since 1970.' },
    data: {
      description:
        "The pusher's data: default_payload, hushgate_key, with Web Push also endpoint and auth (docs/for-app-makers.md).",
    },
    tweaks: { description: 'Read leniently; nothing of it is passed on.' },
  },
  required: ['app_id', 'pushkey'],
}

const NOTIFICATION = {
  type: 'object',
  description:
    'As the Matrix specification has it. Only what is said here of types is insisted on; any other value of a wrong type counts as absent.',
  properties: {
    devices: {
      type: 'array',
      items: DEVICE,
      minItems: 1,
      description: 'At most http.max_devices, 100 by default. Homeservers send one.',
    },
    event_id: { description: 'The event; without one, type and content the push is about counts only.' },
    room_id: {},
    type: {},
    sender: {},
    sender_display_name: {},
    room_name: {},
    room_alias: {},
    user_is_target: {},
    membership: {},
    prio: { description: 'high or low; default: high.' },
    content: {},
    counts: { description: 'unread and missed_calls.' },
  },
  required: ['devices'],
}

const NOTIFY = {
  operationId: 'notify',
  tags: [TAGS.notify],
  summary: 'Accept a notification',
  description:
    'Answered when it is stored durably. Read as JSON whatever its Content-Type is. The URL may end with a secret (?k=…), where http.url_secrets_file asks for one.',
  parameters: [
    {
      name: 'k',
      in: 'query',
      required: false,
      schema: { type: 'string' },
      description: 'A secret of http.url_secrets_file.',
    },
  ],
  requestBody: {
    required: true,
    content: {
      'application/json': {
        schema: { type: 'object', properties: { notification: NOTIFICATION }, required: ['notification'] },
        example: {
          notification: {
            event_id: '$3957tyerfgewrf384',
            room_id: '!slw48wfj34rtnrf:example.org',
            prio: 'high',
            counts: { unread: 2 },
            devices: [{ app_id: 'com.example.ios', pushkey: 'V2h5IG9uIGVhcnRoIGRpZCB5b3UgZGVjb2RlIHRoaXM/' }],
          },
        },
      },
    },
  },
  responses: {
    200: json(
      'Stored, or known before, or nothing to send. The homeserver removes the pushers of what is in rejected.',
      {
        type: 'object',
        properties: {
          rejected: {
            type: 'array',
            items: { type: 'string' },
            description: 'Pushkeys of this request that are dead.',
          },
        },
        required: ['rejected'],
        additionalProperties: false,
      },
    ),
    400: error(
      ['M_NOT_JSON', 'M_BAD_JSON', 'M_UNRECOGNIZED'],
      'No JSON; no object notification, no list of devices, or a device without app_id or pushkey; no header Host.',
    ),
    403: error(['M_FORBIDDEN'], 'The secret in the URL is missing, or the address is not in http.allow_from.'),
    413: error(['M_TOO_LARGE'], 'Larger than http.body_limit, or for more devices than http.max_devices.'),
    429: {
      ...error(
        ['M_LIMIT_EXCEEDED'],
        "An app's own test push, from a source that has sent too much. Homeservers never get one.",
      ),
      headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds.' } },
    },
    503: {
      ...error(['M_UNKNOWN'], 'It cannot be stored at the moment, or this source has sent too much: come again.'),
      headers: { 'Retry-After': { schema: { type: 'integer' }, description: 'Seconds, where it is known.' } },
    },
  },
}

function textsOf(names: readonly string[]): object {
  const properties = Object.fromEntries(names.map((name) => [name, { type: 'string' }]))
  return { type: 'object', properties, required: names, additionalProperties: false }
}

export function notifyPaths(): Paths {
  const tags = [TAGS.notify]
  const text = { type: 'string' }
  return {
    [NOTIFY_PATH]: {
      get: {
        operationId: 'discover',
        tags,
        summary: 'What this is, for apps that look for a UnifiedPush gateway',
        responses: {
          200: json('A Matrix push gateway.', {
            type: 'object',
            properties: {
              gateway: { const: 'matrix' },
              unifiedpush: { type: 'object', properties: { gateway: { const: 'matrix' } }, required: ['gateway'] },
            },
            required: ['gateway', 'unifiedpush'],
          }),
          ...ANYWHERE,
        },
      },
      post: NOTIFY,
    },
    '/health': {
      get: {
        operationId: 'getHealth',
        tags,
        summary: 'Whether the process is there',
        responses: { 200: answer('It is.', 'text/plain', { const: '' }), ...ANYWHERE },
      },
    },
    '/_hushgate/privacy': {
      get: {
        operationId: 'getPrivacy',
        tags,
        summary: 'What this gateway learns, keeps and passes on',
        responses: { 200: json('As it is configured now.', { $ref: '../config/privacy.schema.json' }), ...ANYWHERE },
      },
    },
    '/_hushgate/vapid/{appId}': {
      get: {
        operationId: 'getVapidKey',
        tags,
        summary: 'The key that a web app subscribes with',
        parameters: [{ name: 'appId', in: 'path', required: true, schema: { ...text, examples: ['com.example.web'] } }],
        responses: {
          200: json('The applicationServerKey.', { type: 'object', properties: { vapid: text }, required: ['vapid'] }),
          ...ANYWHERE,
          404: error(['M_UNRECOGNIZED'], 'No such app, or it needs no key.'),
        },
      },
    },
    ...relayPaths(),
    '/_hushgate/app/{appId}.json': {
      get: {
        operationId: 'getWebAppSettings',
        tags,
        summary: 'What the configuration of a web app says of this gateway: Sable, Hydrogen',
        parameters: [{ name: 'appId', in: 'path', required: true, schema: { ...text, examples: ['com.example.web'] } }],
        responses: {
          200: json('By the host that was asked for.', {
            type: 'object',
            properties: {
              pushNotificationDetails: textsOf(['pushNotifyUrl', 'vapidPublicKey', 'webPushAppID']),
              push: textsOf(['appId', 'gatewayUrl', 'applicationServerKey']),
            },
            required: ['pushNotificationDetails', 'push'],
            additionalProperties: false,
          }),
          ...ANYWHERE,
          404: error(['M_UNRECOGNIZED'], 'No such app, or it needs no key.'),
        },
      },
    },
    '/': {
      get: {
        operationId: 'getPage',
        tags,
        summary: 'The same for people',
        responses: { 200: answer('A page.', 'text/html', text), ...ANYWHERE },
      },
    },
  }
}
