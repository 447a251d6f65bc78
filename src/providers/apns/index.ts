/** Apple Push Notification service. */
import type { ProviderKind } from '../../core/provider.ts'
import { inspect } from './inspect.ts'
import { apnsOptions, type ApnsOptions } from './options.ts'
import { renderer } from './payload.ts'

export const apns: ProviderKind<ApnsOptions> = {
  options: apnsOptions,
  files: ['key_file', 'cert_file', 'passphrase_file', 'ca_file'],
  countsPer: 'pushkey',
  ledger: () => ({ service: 'apns' }),
  inspect,
  renderer,
  open: async (options, context) => (await import('./sender.ts')).openSender(options, context),
}
