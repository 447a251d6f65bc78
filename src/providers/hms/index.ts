/** Huawei Push Kit (HMS): Android phones without Google's services, up to HarmonyOS 4 (docs/facts/hms.md). */
import type { ProviderKind } from '../../core/provider.ts'
import { disclosures } from './disclosures.ts'
import { inspect } from './inspect.ts'
import { hmsOptions, type HmsOptions } from './options.ts'
import { renderer } from './payload.ts'
import { isPossibleToken } from './token.ts'

export const hms: ProviderKind<HmsOptions> = {
  options: hmsOptions,
  files: ['client_secret_file', 'ca_file'],
  // A badge update's data carries what the pusher's data says, so two pushers of one token are told apart.
  countsPer: 'pusher',
  names: { through: 'Huawei (Push Kit)', who: 'Huawei' },
  disclosures,
  targetCheck: () => (pushkey) => (isPossibleToken(pushkey.reveal()) ? 'possible' : 'impossible'),
  inspect,
  renderer,
  open: async (options, context) => (await import('./sender.ts')).openSender(options, context),
}
