/** The configuration of a Hushgate that is measured. */
import { APNS_KEY, APP_IDS, TOPIC, type Rig } from './rig.ts'

export interface FurtherApp {
  readonly name: string
  /** Of its APNs, on loopback. */
  readonly port: number
}

/** One app for each push service, and further ones with APNs. */
export function configuration(rig: Rig, storeUrl: string, furtherApps: readonly FurtherApp[]): string {
  const { at, ports } = rig
  const path = (name: string): string => JSON.stringify(at(name))
  const apns = [{ name: APP_IDS.apns, port: ports.apns }, ...furtherApps]
  return `http: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
store: { url: ${JSON.stringify(storeUrl)} }
queue: { encryption_key_file: keys, high_water: 10000000 }
privacy: event_id_only
apps:
  ${APP_IDS.fcm}:
    type: fcm
    service_account_file: ${path('service-account.json')}
    endpoint: https://127.0.0.1:${ports.fcm}
    ca_file: ${path('ca.pem')}
  ${APP_IDS.webpush}:
    type: webpush
    vapid_private_key_file: ${path('vapid.pem')}
    vapid_subject: mailto:ops@example.org
    allow_private_endpoints: ['127.0.0.1']
    ca_file: ${path('ca.pem')}
${apns.map(({ name, port }) => apnsApp(name, port, path)).join('')}`
}

function apnsApp(name: string, port: number, path: (name: string) => string): string {
  return `  ${name}:
    type: apns
    key_file: ${path('AuthKey.p8')}
    key_id: ${APNS_KEY.id}
    team_id: ${APNS_KEY.team}
    topic: ${TOPIC}
    endpoint: https://127.0.0.1:${port}
    ca_file: ${path('ca.pem')}
`
}
