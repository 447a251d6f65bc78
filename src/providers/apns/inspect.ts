/** The mistakes in an APNs section that its schema cannot express; opens files, no connection. */
import type { OptionMistake } from '../../core/provider.ts'
import { checkAddress, mistakesIn, readAuthorities } from '../shared/inspect.ts'
import { readCredential } from './credentials.ts'
import type { ApnsOptions } from './options.ts'
import { relayMistake } from './relay.ts'

/** Apple, "Sending notification requests to APNs", apns-topic; all of them: docs/facts/apns.md#topics. */
const TOPIC_SUFFIXES: Readonly<Record<string, string>> = {
  voip: '.voip',
  complication: '.complication',
  fileprovider: '.pushkit.fileprovider',
  location: '.location-query',
  liveactivity: '.push-type.liveactivity',
  pushtotalk: '.voip-ptt',
  widgets: '.push-type.widgets',
  controls: '.push-type.controls',
}

export function inspect(options: ApnsOptions): Promise<readonly OptionMistake[]> {
  return mistakesIn(async (report) => {
    await readCredential(options, report)
    await readAuthorities(options, report)
    checkAddress(options.endpoint, 'endpoint', 'https://api.push.apple.com', report)
    checkAddress(options.sandbox_endpoint, 'sandbox_endpoint', 'https://api.sandbox.push.apple.com', report)
    const relaying = relayMistake(options)
    if (relaying !== undefined) report('webpush_relay', relaying)
    const suffix = TOPIC_SUFFIXES[options.push_type ?? '']
    if (options.topic !== undefined && suffix !== undefined && !options.topic.endsWith(suffix))
      report('topic', `must end in ${suffix} for push_type: ${options.push_type}`)
  })
}
