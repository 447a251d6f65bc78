/** What Google learns that other push services do not, or not so (test/ledger/observed.int.test.ts). */
import { always } from '../../core/disclosure.ts'
import type { ProviderDisclosures } from '../../core/provider.ts'
import type { FcmOptions } from './options.ts'

const SYGNAL: ProviderDisclosures = { passedOn: { user_is_target: always() } }
/** Hedwig's shapes name the account (client_name) and the platform (data_message), but not the membership. */
const HEDWIG: ProviderDisclosures = { passedOn: { membership: always(), pusher_data: always('as_sent') } }

export function disclosures({ payload_style: style }: Pick<FcmOptions, 'payload_style'>): ProviderDisclosures {
  return style === 'hedwig' ? HEDWIG : SYGNAL
}
