/** Web Push (RFC 8030): browsers, and apps with a UnifiedPush distributor. */
import type { ProviderKind } from '../../core/provider.ts'
import { createTargetCheck } from '../shared/endpoints/target.ts'
import { readOrFail } from '../shared/inspect.ts'
import { disclosures } from './disclosures.ts'
import { inspect } from './inspect.ts'
import { webPushOptions, type WebPushOptions } from './options.ts'
import { renderer } from './payload.ts'
import { isOwn, NOT_ALLOWED, targetOf } from './target.ts'
import { readVapidKey } from './vapid-key.ts'

export type { WebPushOptions }

export const webpush: ProviderKind<WebPushOptions> = {
  options: webPushOptions,
  files: ['vapid_private_key_file', 'ca_file'],
  // The browser's key alone does not say where the push goes.
  isEndToEnd: true,
  countsPer: 'pusher',
  names: { through: 'the push service of your browser or app (Web Push)', who: 'The push service' },
  disclosures,
  isOwn,
  targetOf,
  targetCheck: createTargetCheck,
  notAllowed: NOT_ALLOWED,
  inspect,
  renderer,
  // The applicationServerKey with which a web app subscribes.
  publicKey: async (options) => (await readOrFail((report) => readVapidKey(options, report))).publicKey,
  open: async (options, context) => (await import('./sender.ts')).openSender(options, context),
}
