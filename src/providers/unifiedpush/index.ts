/** UnifiedPush: apps whose users have chosen a push server of their own, such as ntfy. */
import type { ProviderKind } from '../../core/provider.ts'
import { createTargetCheck, unifiedPushTarget } from '../shared/endpoints/target.ts'
import { disclosures } from './disclosures.ts'
import { inspect } from './inspect.ts'
import { unifiedPushOptions, type UnifiedPushOptions } from './options.ts'
import { renderer } from './payload.ts'
import { catches, isOwn, NOT_ALLOWED, rulesOf } from './target.ts'

export type { UnifiedPushOptions }

export const unifiedpush: ProviderKind<UnifiedPushOptions> = {
  options: unifiedPushOptions,
  files: ['ca_file'],
  isOwn,
  catches,
  // Accounts of one app may share an endpoint.
  countsPer: 'pusher',
  names: { through: 'the push server that you have chosen (UnifiedPush)', who: 'That push server' },
  disclosures,
  targetOf: unifiedPushTarget,
  targetCheck: (options) => createTargetCheck(rulesOf(options)),
  notAllowed: NOT_ALLOWED,
  warnings: (_options, { privacy, placeholderIds }) =>
    privacy === 'minimal' && placeholderIds !== true
      ? [
          {
            option: 'placeholder_ids',
            message:
              'minimal pushes carry no IDs, and Element X, SchildiChat Next, FluffyChat and Commet show nothing for such a push: set placeholder_ids: true (the first two then say that there is something new), or privacy: event_id_only',
          },
        ]
      : [],
  inspect,
  renderer,
  open: async (options, context) => (await import('./sender.ts')).openSender(options, context),
}
