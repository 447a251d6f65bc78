/** The section of an app with `type: fcm`. */
import Type, { type Static } from 'typebox'
import { caFile, httpsAddress, maxConnections } from '../shared/options.ts'
import { hedwigOptions } from './hedwig-options.ts'

export const DEFAULT_CONNECTIONS = 50

const options = {
  service_account_file: Type.String({
    minLength: 1,
    description:
      'JSON key of a Google service account that may send messages (Firebase console: Project settings, Service accounts).',
  }),
  project_id: Type.Optional(
    Type.String({
      pattern: '^[a-z0-9][a-z0-9.:-]*$',
      description: 'Firebase project that the devices belong to. Default: the project of the service account.',
    }),
  ),
  target: Type.Optional(
    Type.Union([Type.Literal('token'), Type.Literal('fid')], {
      default: 'token',
      description:
        'What the app registers as its pushkey: an FCM registration token, or a Firebase installation ID (Element X Android since 26.07).',
    }),
  ),
  options: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      description:
        "Merged into every message, as Sygnal's fcm_options: android, apns, webpush, notification, fcm_options, written as in Google's REST reference. The gateway itself writes data, android.priority and the target.",
    }),
  ),
  payload_style: Type.Optional(
    Type.Union([Type.Literal('sygnal'), Type.Literal('hedwig')], {
      default: 'sygnal',
      description:
        "How messages are written: as Sygnal's, or as Hedwig's and FluffyGate's for apps made for these, such as FluffyChat.",
    }),
  ),
  hedwig: Type.Optional(hedwigOptions),
  badge_pushes: Type.Optional(
    Type.Union([Type.Literal('drop'), Type.Literal('send')], {
      default: 'drop',
      description:
        'Pushes that only say that the number of unread messages changed: drop them, or send them as a data message.',
    }),
  ),
  max_connections: maxConnections(
    DEFAULT_CONNECTIONS,
    'Connections to FCM at once. On one with HTTP/2 go as many messages at a time as FCM says, with HTTP/1.1 one.',
  ),
  endpoint: httpsAddress(
    'Sends to this HTTPS address instead of https://fcm.googleapis.com. Access tokens come from the token_uri of the service account.',
  ),
  ca_file: caFile('FCM and its token endpoint'),
}

export const fcmOptions = Type.Object(options, { additionalProperties: false })
export type FcmOptions = Static<typeof fcmOptions>
