/** What a push server learns that other push services do not, or not so (test/ledger/observed.int.test.ts). */
import { always, unlessMinimal } from '../../core/disclosure.ts'
import type { ProviderDisclosures } from '../../core/provider.ts'

/**
 * The keyed hashes are in the header `topic`, which is made of the room or of the pusher's data; of these also goes the name of the account (client_name).
 * Apps register without keys, so their push server reads what is sent; to one that registers keys less shows.
 */
export function disclosures(): ProviderDisclosures {
  return {
    passedOn: {
      room_id: unlessMinimal('as_sent', 'keyed_hash'),
      pusher_data: { ...always('as_sent', 'keyed_hash'), minimal: ['keyed_hash'] },
    },
  }
}
