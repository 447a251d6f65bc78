/** The section of an app with `type: apns`. */
import Type, { type Static } from 'typebox'
import { caFile, filePath, httpsAddress } from '../shared/options.ts'

const PUSH_TYPES = [
  'auto',
  'none',
  'alert',
  'background',
  'voip',
  'complication',
  'fileprovider',
  'mdm',
  'liveactivity',
  'location',
  'pushtotalk',
  'widgets',
  'controls',
] as const

const options = {
  key_file: filePath(
    'Signing key for APNs (.p8), from Certificates, Identifiers & Profiles at developer.apple.com. Either this or cert_file.',
  ),
  key_id: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9]{10}$',
      description: 'The ten characters that Apple gave to the key of key_file.',
    }),
  ),
  team_id: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9]{10}$',
      description: "The ten characters of your team's ID at Apple; goes with key_file.",
    }),
  ),
  cert_file: filePath(
    'Push certificate with its private key: PEM (.pem, both in one file) or PKCS#12 (.p12). Either this or key_file.',
  ),
  passphrase: Type.Optional(Type.String({ description: 'Opens the private key in cert_file.' })),
  passphrase_file: filePath('File with the passphrase of cert_file.'),
  topic: Type.Optional(
    Type.String({
      minLength: 1,
      pattern: '^[A-Za-z0-9.-]+$',
      description:
        "The app's bundle ID, with Apple's suffix where the push type has one (com.example.app.voip). Required with key_file; default with cert_file: the certificate's subject UID.",
    }),
  ),
  platform: Type.Optional(
    Type.Enum(['production', 'sandbox', 'auto'], {
      default: 'production',
      description:
        'Which APNs the devices belong to: App Store and TestFlight use production, Xcode builds sandbox. auto tries the other one for a device that one does not know.',
    }),
  ),
  token_format: Type.Optional(
    Type.Enum(['auto', 'base64', 'hex'], {
      default: 'auto',
      description:
        'How the app writes the device token into its pushkey. auto: hex when it is 64 or more hex digits, else base64.',
    }),
  ),
  push_type: Type.Optional(
    Type.Enum([...PUSH_TYPES], {
      default: 'auto',
      description:
        'Sent as apns-push-type. auto says alert or background as the push is; none leaves the header out, as Sygnal does; background wakes the app without showing anything; voip is for PushKit calls.',
    }),
  ),
  loc_key: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 128,
      default: 'Notification',
      description:
        "Key of the text, in the app's Localizable.strings, that is shown when the push says nothing and the app does not replace it.",
    }),
  ),
  webpush_relay: httpsAddress(
    'Takes Web Push messages (RFC 8030) for the devices of this app and passes them on as they are, encrypted for the device (docs/webpush-relay.md). The address is that of this gateway, as homeservers reach it: https://push.example.com.',
  ),
  endpoint: httpsAddress('Sends to this HTTPS address instead of https://api.push.apple.com.'),
  sandbox_endpoint: httpsAddress('Sends to this HTTPS address instead of https://api.sandbox.push.apple.com.'),
  ca_file: caFile('APNs'),
}

export const apnsOptions = Type.Object(options, { additionalProperties: false })
export type ApnsOptions = Static<typeof apnsOptions>

/** The push type that the app has whatever the push says; undefined where it depends on the push, or is not to be said. */
export function fixedPushType({ push_type: pushType = 'auto' }: ApnsOptions): string | undefined {
  return pushType === 'auto' || pushType === 'none' ? undefined : pushType
}
