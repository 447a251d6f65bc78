/** Push services that learn different things of the same push: FCM learns others with Hedwig's payloads than with Sygnal's, Web Push with declarative ones. */
import type { ProviderDisclosures, ProviderKind } from '../../src/core/provider.ts'
import { disclosures as ofApns } from '../../src/providers/apns/disclosures.ts'
import { disclosures as ofFcm } from '../../src/providers/fcm/disclosures.ts'
import { disclosures as ofHms } from '../../src/providers/hms/disclosures.ts'
import { providers } from '../../src/providers/index.ts'
import { disclosures as ofUnifiedPush } from '../../src/providers/unifiedpush/disclosures.ts'
import { disclosures as ofWebPush } from '../../src/providers/webpush/disclosures.ts'

export type Service = 'apns' | 'declarative' | 'fcm' | 'hedwig' | 'hms' | 'unifiedpush' | 'webpush'

export const KINDS: Readonly<Record<Service, ProviderKind>> = {
  ...providers,
  declarative: providers.webpush,
  hedwig: providers.fcm,
}

/** How such an app is set in the tests, beside `declarative: true` in the data of its pushers. */
export const DECLARATIVE = {
  title: 'New message',
  navigate: 'https://chat.example.com/',
  navigate_room: 'https://chat.example.com/#/room/{room_id}/{event_id}',
} as const

/** `isPlain`: of Web Push, where endpoints without keys may be registered. */
export function disclosuresOf(service: Service, isPlain = false): ProviderDisclosures {
  switch (service) {
    case 'apns':
      return ofApns()
    case 'declarative':
      return ofWebPush({ declarative: DECLARATIVE })
    case 'fcm':
    case 'hedwig':
      return ofFcm({ payload_style: service === 'hedwig' ? 'hedwig' : 'sygnal' })
    case 'hms':
      return ofHms({})
    case 'unifiedpush':
      return ofUnifiedPush()
    case 'webpush':
      return ofWebPush({ allow_unencrypted: isPlain })
  }
}
