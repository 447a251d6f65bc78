/** Routes as the page and the statement take them, by push service. */
import { apns } from '../../src/providers/apns/index.ts'
import { fcm } from '../../src/providers/fcm/index.ts'
import { hms } from '../../src/providers/hms/index.ts'
import { unifiedpush } from '../../src/providers/unifiedpush/index.ts'
import { webpush } from '../../src/providers/webpush/index.ts'
import type { StatedRoute, StatementInput } from '../../src/privacy/statement.ts'
import { DECLARATIVE, disclosuresOf, KINDS, type Service } from '../ledger/services.ts'

const FCM = { service_account_file: '-' } as const
const WEBPUSH = { vapid_private_key_file: '-', vapid_subject: 'mailto:ops@example.org' } as const
const RENDERERS: Readonly<Record<Service, StatedRoute['render']>> = {
  apns: apns.renderer({ topic: 'com.example.app' }),
  fcm: fcm.renderer(FCM),
  hedwig: fcm.renderer({ ...FCM, payload_style: 'hedwig' }),
  hms: hms.renderer({ project_id: '1', client_id: '1', client_secret_file: '-' }),
  unifiedpush: unifiedpush.renderer({ allowed_endpoints: ['push.example.org'] }),
  declarative: webpush.renderer({ ...WEBPUSH, declarative: DECLARATIVE }),
  webpush: webpush.renderer(WEBPUSH),
}
/** `type` of those that have another name than their push service. */
const PROVIDERS: Readonly<Partial<Record<Service, string>>> = { declarative: 'webpush', hedwig: 'fcm' }
const MINIMAL = { privacy: 'minimal', counts: 'badge', defaultPayloadAllow: [], sealed: 'optional' } as const

/** A minimal app, unless `more` says otherwise. `isPlain`: of Web Push, where endpoints without keys may be registered. */
export function statedRoute(service: Service, more: Partial<StatedRoute> = {}, isPlain = false): StatedRoute {
  return {
    app: 'com.example.app',
    provider: PROVIDERS[service] ?? service,
    policy: { ...MINIMAL, sealed: KINDS[service].isEndToEnd === true ? 'ignored' : 'optional' },
    timing: {},
    names: KINDS[service].names,
    disclosures: disclosuresOf(service, isPlain),
    render: RENDERERS[service],
    ...more,
  }
}

/** An operator with three apps, as most are. */
export const THREE_APPS: StatementInput = {
  routes: [
    statedRoute('apns', { app: 'com.example.ios', displayName: 'Example for iPhone' }),
    statedRoute('fcm', { app: 'com.example.android', displayName: 'Example for Android' }),
    statedRoute('webpush', { app: 'com.example.web', displayName: 'Example in the browser' }),
  ],
  operator: { name: 'Example Chat e.V.', contact: 'mailto:privacy@example.org' },
  maxAgeMs: 24 * 3600_000,
  callMaxAgeMs: 60_000,
  areReceiptsKept: true,
}
