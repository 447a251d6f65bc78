/** Firebase Cloud Messaging: Android, and whatever else a Firebase project delivers to. */
import type { ProviderKind } from '../../core/provider.ts'
import { shapeOf } from '../../core/pusher-match.ts'
import { disclosures } from './disclosures.ts'
import { inspect } from './inspect.ts'
import { fcmOptions, type FcmOptions } from './options.ts'
import { renderer } from './payload.ts'
import { isPossibleTarget } from './target.ts'

export type { FcmOptions }

export const fcm: ProviderKind<FcmOptions> = {
  options: fcmOptions,
  files: ['service_account_file', 'ca_file'],
  isOwn: (pushkey) => shapeOf(pushkey) === 'token',
  // A badge update's data carries what the pusher's data says, so two pushers of one token are told apart.
  countsPer: 'pusher',
  names: { through: 'Google (FCM)', who: 'Google' },
  disclosures,
  targetCheck: () => (pushkey) => (isPossibleTarget(pushkey.reveal()) ? 'possible' : 'impossible'),
  inspect,
  renderer,
  open: async (options, context) => (await import('./sender.ts')).openSender(options, context),
}
