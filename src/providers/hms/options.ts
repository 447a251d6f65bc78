/** The section of an app with `type: hms`. Names are Huawei's: docs/facts/hms.md. */
import Type, { type Static } from 'typebox'
import { caFile, httpsAddress, maxConnections } from '../shared/options.ts'

export const DEFAULT_CONNECTIONS = 20

function text(description: string, maxLength = 256) {
  return Type.String({ minLength: 1, maxLength, description })
}

const notification = Type.Object(
  {
    title: text('Title, the same for every push.'),
    body: text('Text, the same for every push.'),
    channel_id: Type.Optional(text('Notification channel of the app.')),
    badge_class: Type.Optional(
      text(
        "The app's entry activity, as com.example.app.MainActivity: then the number of unread messages is its badge.",
      ),
    ),
  },
  {
    additionalProperties: false,
    description:
      "Makes events notification messages, which the phone shows by itself; without it they are data messages, which the app gets while it may run. Nobody's name or text is in it.",
  },
)

const options = {
  project_id: Type.String({
    pattern: '^[0-9]{1,32}$',
    description: 'Project that sends (AppGallery Connect: Project settings). Quoted.',
  }),
  client_id: Type.String({
    pattern: '^[0-9]{1,32}$',
    description: 'OAuth 2.0 client ID of the app, same place. Quoted.',
  }),
  client_secret_file: Type.String({ minLength: 1, description: 'File with its client secret, and nothing else.' }),
  urgency: Type.Optional(
    Type.Union([Type.Literal('normal'), Type.Literal('high')], {
      default: 'normal',
      description:
        'Of data messages that are urgent to the homeserver. high starts the app; Huawei has to permit it to the app before, or refuses each (80300011).',
    }),
  ),
  category: Type.Optional(
    Type.Enum(['IM', 'VOIP', 'WORK'], {
      description:
        'Category of messages for which Huawei has given the app the right (its self-classification): chat is IM.',
    }),
  ),
  notification: Type.Optional(notification),
  badge_pushes: Type.Optional(
    Type.Union([Type.Literal('drop'), Type.Literal('send')], {
      default: 'drop',
      description:
        'Pushes that only say that the number of unread messages changed: drop them, or send them as a data message.',
    }),
  ),
  max_connections: maxConnections(DEFAULT_CONNECTIONS, 'Connections to Push Kit at once.'),
  endpoint: httpsAddress('Sends to this HTTPS address instead of https://push-api.cloud.huawei.com.'),
  oauth_endpoint: httpsAddress(
    'Asks this HTTPS address for access tokens instead of https://oauth-login.cloud.huawei.com.',
  ),
  ca_file: caFile('Push Kit and its token endpoint'),
}

export const hmsOptions = Type.Object(options, { additionalProperties: false })
export type HmsOptions = Static<typeof hmsOptions>
