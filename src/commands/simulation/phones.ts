/** Simulated phones without Google's services: one of Huawei's, and one with UnifiedPush behind a push server of its user's; for `simulate`. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { JsonObject } from '../../core/json.ts'
import { createAuthority } from '../../simulators/certificate.ts'
import { startHmsSimulator, type HmsSimulator, type ReceivedHmsPush } from '../../simulators/hms.ts'
import { parseScript } from '../../simulators/script.ts'
import { createSubscriptionSecrets } from '../../simulators/webpush-encryption.ts'
import { startWebPushSimulator, type ReceivedWebPush, type WebPushSimulator } from '../../simulators/webpush.ts'

export interface SimulatedPhones extends AsyncDisposable {
  /** The apps' lines of the `apps` section. */
  readonly appsYaml: string
  readonly pushKitUrl: string
  readonly pushServerUrl: string
  /** As a homeserver names it in a notification. */
  readonly unifiedPushDevice: JsonObject
  readonly huawei: Pick<HmsSimulator, 'answerAll'>
  readonly pushServer: Pick<WebPushSimulator, 'answerAll'>
}

export interface SimulatedPhonesOptions {
  /** Where the secret and the certificate are put; it is there. */
  readonly folder: string
  readonly onHuaweiPush: (push: ReceivedHmsPush) => void
  readonly onPushServerPush: (push: ReceivedWebPush) => void
  /** Default: any free ones. */
  readonly ports?: { readonly huawei: number; readonly pushServer: number } | undefined
}

/** The host of the phones' endpoints; connected to is the simulator. */
const PUSH_SERVER = 'ntfy.example.com'
const CLIENT = { projectId: '101', clientId: '202', clientSecret: 'the-client-secret' } as const

export async function startSimulatedPhones(options: SimulatedPhonesOptions): Promise<SimulatedPhones> {
  const { folder, onHuaweiPush, onPushServerPush, ports } = options
  const path = (name: string): string => resolve(join(folder, name))
  const authority = createAuthority()
  writeFileSync(path('phones-ca.pem'), authority.certificate)
  writeFileSync(path('client-secret'), CLIENT.clientSecret, { mode: 0o600 })
  const huawei = await startHmsSimulator({ authority, ...CLIENT, port: ports?.huawei, onPush: onHuaweiPush })
  // It has no keys, so its push server reads what is sent; and a name that is a script is the same phone.
  const plain = { ...createSubscriptionSecrets(), isPlain: true, needsNoVapid: true }
  const pushServer = await startWebPushSimulator({
    authority,
    port: ports?.pushServer,
    hosts: [PUSH_SERVER],
    leadsToGateway: true,
    onPush: onPushServerPush,
    secretsOf: (name) => (parseScript(name) === undefined ? undefined : plain),
  })
  const { endpoint } = pushServer.subscribe('upPhone', { ...plain, origin: `https://${PUSH_SERVER}` })
  const paths = { secret: path('client-secret'), authority: path('phones-ca.pem') }
  return {
    appsYaml: appsYaml(huawei.url, pushServer.url, paths),
    pushKitUrl: huawei.url,
    pushServerUrl: pushServer.url,
    unifiedPushDevice: { app_id: 'com.example.stock', pushkey: endpoint },
    huawei,
    pushServer,
    async [Symbol.asyncDispose]() {
      await Promise.all([huawei.close(), pushServer.close()])
    },
  }
}

function appsYaml(
  pushKitUrl: string,
  pushServerUrl: string,
  { secret, authority }: { readonly secret: string; readonly authority: string },
): string {
  return `  com.example.huawei:
    type: hms
    project_id: "${CLIENT.projectId}"
    client_id: "${CLIENT.clientId}"
    client_secret_file: ${JSON.stringify(secret)}
    endpoint: ${pushKitUrl}
    oauth_endpoint: ${pushKitUrl}
    ca_file: ${JSON.stringify(authority)}
  unifiedpush:
    type: unifiedpush
    privacy: event_id_only
    allowed_endpoints: [${PUSH_SERVER}]
    catch_all: true
    endpoint: ${pushServerUrl}
    ca_file: ${JSON.stringify(authority)}
`
}
