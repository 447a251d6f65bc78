/** The apps that are attacked, and those that have nothing to do with it. */
import { join } from 'node:path'
import { APNS_KEY, TOPIC, type Ports } from './services-process.ts'

export const APPS = {
  ios: 'com.example.ios',
  android: 'com.example.android',
  /** As the Android one, in mode `full`. */
  full: 'com.example.full',
  web: 'com.example.web',
} as const
export type App = keyof typeof APPS

export interface Variant {
  /** Apple refuses the key of the iOS app. */
  readonly isRefused?: boolean
  /** All goes through the operator's proxy. */
  readonly isProxied?: boolean
}

/** `folder`: where the push services have put their keys. The mode is `event_id_only`, but for one. */
export function appsYaml(folder: string, ports: Ports, { isRefused = false, isProxied = false }: Variant): string {
  const at = (name: string): string => join(folder, name)
  const common = { privacy: 'event_id_only', ca_file: at('ca.pem') }
  const fcm = {
    ...common,
    type: 'fcm',
    service_account_file: at('service-account.json'),
    endpoint: endpoint(ports.fcm),
  }
  const apps = {
    [APPS.ios]: {
      ...common,
      type: 'apns',
      key_file: at(isRefused ? 'refused.p8' : 'AuthKey.p8'),
      key_id: APNS_KEY.keyId,
      team_id: APNS_KEY.teamId,
      topic: TOPIC,
      endpoint: endpoint(ports.apns),
      // Only where it matters: a token in the other format is then the operator's mistake, and no stranger's.
      ...(isRefused ? { token_format: 'hex' } : {}),
    },
    [APPS.android]: fcm,
    [APPS.full]: { ...fcm, privacy: 'full' },
    [APPS.web]: {
      ...common,
      type: 'webpush',
      vapid_private_key_file: at('vapid.pem'),
      vapid_subject: 'mailto:ops@example.org',
      // Strangers may name any host.
      allowed_endpoints: ['*'],
      allow_private_endpoints: ['localhost'],
      // All of them lead to the one there is.
      ...(isProxied ? {} : { endpoint: endpoint(ports.webpush) }),
    },
  }
  const proxy = isProxied ? `proxy: http://127.0.0.1:${ports.proxy}\n` : ''
  return `${proxy}apps: ${JSON.stringify(apps)}`
}

function endpoint(port: number): string {
  return `https://127.0.0.1:${port}`
}
