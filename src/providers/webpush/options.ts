/** The section of an app with `type: webpush`. */
import Type, { type Static } from 'typebox'
import { caFile, httpsAddress, maxConnections } from '../shared/options.ts'

/** Four weeks, the longest that push services keep a message (docs/facts/web-push.md#lifetimes). */
const MAX_TTL_SECONDS = 2_419_200

export const DEFAULT_TTL_SECONDS = 86_400
export const DEFAULT_CONNECTIONS = 20

const declarative = Type.Object(
  {
    title: Type.String({
      minLength: 1,
      maxLength: 128,
      description: 'Title of the notification. With privacy: full, of pushes that name neither room nor sender.',
    }),
    body: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 256,
        description: 'Text below it. With privacy: full, of pushes without a text.',
      }),
    ),
    navigate: Type.String({
      pattern: '^https://',
      maxLength: 512,
      description: 'Address of your web app that a tap opens.',
    }),
    navigate_room: Type.Optional(
      Type.String({
        pattern: String.raw`^https://[^/?#{}]+/.*\{room_id\}`,
        maxLength: 512,
        description:
          'The same where the privacy mode lets the IDs through: {room_id} and {event_id} become these, percent-encoded. They stand in the path or behind it, never in the host.',
      }),
    ),
    mutable: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'Also hands the push to the service worker, which may show something better; without that, what is above is shown.',
      }),
    ),
  },
  {
    additionalProperties: false,
    description:
      'Declarative Web Push (Safari 18.4 and later): the browser shows the notification by itself. For endpoints of *.push.apple.com, unless declarative in the data of the pusher (true or false) says otherwise. Badge updates are not sent to these.',
  },
)

export type DeclarativeOptions = Static<typeof declarative>

const options = {
  vapid_private_key_file: Type.String({
    minLength: 1,
    description:
      'The private key that the web app subscribed with (its public half is the applicationServerKey): EC P-256, as PEM or as 43 base64url characters.',
  }),
  vapid_subject: Type.String({
    minLength: 1,
    description:
      'Where a push service reaches you when something is wrong: mailto:ops@example.com, or an https address.',
  }),
  ttl: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: MAX_TTL_SECONDS,
      default: 86_400,
      description: 'Seconds for which the push service keeps a push for a browser that is not running.',
    }),
  ),
  allowed_endpoints: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      description:
        'Hosts of push services that pushes may go to, as globs (*.push.apple.com); "*" lets strangers name any public one. Default: those of browsers, and allow_private_endpoints. A push to another host is dropped, and its pushkey stays.',
    }),
  ),
  allow_private_endpoints: Type.Optional(
    Type.Array(Type.String({ minLength: 1 }), {
      default: [],
      description:
        'Hosts of push services, as globs, that may have addresses in private networks. All others must have public ones. A glob of addresses (192.168.1.*) fits addresses only, never a name.',
    }),
  ),
  allow_unencrypted: Type.Optional(
    Type.Boolean({
      default: false,
      description:
        'Also serves UnifiedPush endpoints that were registered as a pushkey without keys. Their push server can read what the privacy mode lets through.',
    }),
  ),
  declarative: Type.Optional(declarative),
  max_connections: maxConnections(
    DEFAULT_CONNECTIONS,
    'Connections to each push service at once. On one with HTTP/2 go as many messages at a time as the push service says, with HTTP/1.1 one.',
  ),
  endpoint: httpsAddress(
    'Connects to this HTTPS address, whatever host a subscription names; for tests. The host is still checked, still named in the request, and its certificate expected.',
  ),
  ca_file: caFile('push services'),
}

export const webPushOptions = Type.Object(options, { additionalProperties: false })
export type WebPushOptions = Static<typeof webPushOptions>
