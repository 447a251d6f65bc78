/** Apple Push Notification service. */
import type { ProviderKind } from '../../core/provider.ts'
import { inspect } from './credentials.ts'
import { apnsOptions, type ApnsOptions } from './options.ts'
import { renderer } from './payload.ts'

export const apns: ProviderKind<ApnsOptions> = {
  options: apnsOptions,
  files: ['key_file', 'cert_file', 'passphrase_file', 'ca_file'],
  countsPer: 'pushkey',
  ledger: () => ({ service: 'apns' }),
  inspect,
  renderer,
  async open(options, context) {
    const { openSender } = await import('./sender.ts')
    return openSender(options, context)
  },
}
