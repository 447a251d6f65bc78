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

/** An endpoint without keys gets its messages in clear, so where one may be registered that is what can be learned. */
export function disclosures({
  allow_unencrypted: isPlain,
}: Pick<WebPushOptions, 'allow_unencrypted'>): ProviderDisclosures {
  return isPlain === true ? { passedOn: PASSED_ON } : { passedOn: PASSED_ON, outside: OUTSIDE }
}
