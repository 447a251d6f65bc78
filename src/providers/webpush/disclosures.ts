/** What the push service of a browser or app learns that others do not, or not so (test/ledger/observed.int.test.ts). */
import { always, onlyFull, unlessMinimal } from '../../core/disclosure.ts'
import type { ProviderDisclosures } from '../../core/provider.ts'
import type { WebPushOptions } from './options.ts'

/** The keyed hashes are in the header `topic`, which is made of the room or of the pusher's data. */
const PASSED_ON: ProviderDisclosures['passedOn'] = {
  room_id: unlessMinimal('as_sent', 'keyed_hash'),
  pusher_data: always('keyed_hash'),
}
const OUTSIDE: ProviderDisclosures['outside'] = {
  room_id: unlessMinimal('keyed_hash'),
  // A call has a shorter `ttl`.
  type: onlyFull('category'),
  // `urgency`.
  prio: always('as_sent'),
  pusher_data: always('keyed_hash'),
}

/** The badge is the sum of both counts. */
const COUNTED = always('as_sent', 'sum_as_badge')

/**
 * An endpoint without keys gets its messages in clear, so where one may be registered that is what can be learned. Declarative pushes hold a badge, in
 * minimal mode, too.
 */
export function disclosures({
  allow_unencrypted: isPlain,
  declarative,
}: Pick<WebPushOptions, 'allow_unencrypted' | 'declarative'>): ProviderDisclosures {
  const passedOn = declarative === undefined ? PASSED_ON : { ...PASSED_ON, unread: COUNTED, missed_calls: COUNTED }
  return isPlain === true ? { passedOn } : { passedOn, outside: OUTSIDE }
}
