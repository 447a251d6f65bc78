/** Apple Push Notification service. */
import { shapeOf } from '../../core/pusher-match.ts'
import type { ProviderKind, Ringing } from '../../core/provider.ts'
import { isPossibleToken } from './device-token.ts'
import { disclosures } from './disclosures.ts'
import { inspect } from './inspect.ts'
import { apnsOptions, type ApnsOptions } from './options.ts'
import { renderer } from './payload.ts'
import { relay } from './relay.ts'

const VOIP: Ringing = {
  option: 'push_type',
  value: 'voip',
  whyNotMinimal:
    'a VoIP push cannot be minimal: iOS ends an app that does not report the call it was woken for, and the app cannot know the call without its event ID',
}

export const apns: ProviderKind<ApnsOptions> = {
  options: apnsOptions,
  files: ['key_file', 'cert_file', 'passphrase_file', 'ca_file'],
  isOwn: (pushkey) => shapeOf(pushkey) === 'token',
  countsPer: 'pushkey',
  names: { through: 'Apple (APNs)', who: 'Apple' },
  disclosures,
  targetCheck: () => (pushkey) => (isPossibleToken(pushkey.reveal()) ? 'possible' : 'impossible'),
  rings: ({ push_type: pushType }) => (pushType === 'voip' ? VOIP : undefined),
  inspect,
  renderer,
  relay,
  open: async (options, context) => (await import('./sender.ts')).openSender(options, context),
}
