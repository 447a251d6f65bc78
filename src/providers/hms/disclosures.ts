/** What Huawei learns that other push services do not, or not so (test/ledger/observed.int.test.ts). */
import { always, unlessMinimal } from '../../core/disclosure.ts'
import type { ProviderDisclosures } from '../../core/provider.ts'
import type { HmsOptions } from './options.ts'

/** The badge is the sum of both counts. */
const COUNTED = always('as_sent', 'sum_as_badge')

/** A data message of normal urgency says nothing of the priority but what is in its data. */
export function disclosures({
  urgency,
  notification,
}: Pick<HmsOptions, 'urgency' | 'notification'>): ProviderDisclosures {
  const isPrioSeen = urgency === 'high' || notification !== undefined
  return {
    passedOn: {
      user_is_target: always(),
      ...(isPrioSeen ? {} : { prio: unlessMinimal('as_sent') }),
      ...(notification?.badge_class === undefined ? {} : { unread: COUNTED, missed_calls: COUNTED }),
    },
  }
}
