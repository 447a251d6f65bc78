/** What Apple learns that other push services do not, or not so (test/ledger/observed.int.test.ts). */
import { always, onlyFull, unlessMinimal } from '../../core/disclosure.ts'
import type { ProviderDisclosures } from '../../core/provider.ts'

// The keyed hashes are in apns-id and apns-collapse-id; the badge is the sum of both counts; of the type and the membership
// only the text that is shown tells something, and the end of a call's life.
const COUNTED = always('as_sent', 'sum_as_badge')
const DISCLOSURES: ProviderDisclosures = {
  passedOn: {
    event_id: { ...unlessMinimal('as_sent', 'keyed_hash'), minimal: ['keyed_hash'] },
    type: onlyFull('category'),
    membership: onlyFull('category'),
    unread: COUNTED,
    missed_calls: COUNTED,
    pusher_data: always('keyed_hash'),
  },
}

export function disclosures(): ProviderDisclosures {
  return DISCLOSURES
}
