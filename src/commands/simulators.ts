/** Simulated push services with sample apps that can reach them: for `simulate` and the demonstration. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { startApnsSimulator, type ApnsSimulator, type ReceivedApnsPush } from '../simulators/apns.ts'
import { createAuthority } from '../simulators/certificate.ts'
import { startFcmSimulator, type FcmSimulator, type ReceivedFcmPush } from '../simulators/fcm.ts'

export interface Simulators extends AsyncDisposable {
  /** The `apps` section of a configuration that reaches them, as YAML. */
  readonly appsYaml: string
  readonly apnsUrl: string
  readonly fcmUrl: string
  readonly apple: Pick<ApnsSimulator, 'answerAll'>
  readonly google: Pick<FcmSimulator, 'answerAll'>
}

export interface SimulatorsOptions {
  /** Where keys and certificates are put. */
  readonly folder: string
  readonly onApplePush: (push: ReceivedApnsPush) => void
  readonly onGooglePush: (push: ReceivedFcmPush) => void
  /** Google's clock, against which assertions of a service account are held. */
  readonly nowMs?: (() => number) | undefined
  /** Default: any free ones. */
  readonly ports?: { readonly apns: number; readonly fcm: number } | undefined
  /** Of the sample app for iOS: its topic. */
  readonly bundleId?: string | undefined
}

const BUNDLE_ID = 'com.example.app'
const KEY = { keyId: 'SIMULATED1', teamId: 'SIMULATED2' } as const

export async function startSimulators(options: SimulatorsOptions): Promise<Simulators> {
  const { folder, onApplePush, onGooglePush, nowMs, ports, bundleId = BUNDLE_ID } = options
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = (name: string): string => resolve(join(folder, name))
  const authority = createAuthority()
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const apns = await startApnsSimulator({
    authority,
    keys: [{ ...KEY, publicKey, topics: [bundleId] }],
    port: ports?.apns,
    onPush: onApplePush,
  })
  const fcm = await startFcmSimulator({ authority, onPush: onGooglePush, nowMs, port: ports?.fcm })
  writeFileSync(path('ca.pem'), authority.certificate)
  writeFileSync(path('AuthKey.p8'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  writeFileSync(path('service-account.json'), JSON.stringify(fcm.createServiceAccount('simulated-project'), null, 2), {
    mode: 0o600,
  })
  const appsYaml = `apps:
  com.example.ios:
    type: apns
    key_file: ${JSON.stringify(path('AuthKey.p8'))}
    key_id: ${KEY.keyId}
    team_id: ${KEY.teamId}
    topic: ${bundleId}
    endpoint: ${apns.url}
    ca_file: ${JSON.stringify(path('ca.pem'))}
  com.example.android:
    type: fcm
    service_account_file: ${JSON.stringify(path('service-account.json'))}
    endpoint: ${fcm.url}
    ca_file: ${JSON.stringify(path('ca.pem'))}
`
  return {
    appsYaml,
    apnsUrl: apns.url,
    fcmUrl: fcm.url,
    apple: apns,
    google: fcm,
    async [Symbol.asyncDispose]() {
      await Promise.all([apns.close(), fcm.close()])
    },
  }
}

/** What a simulator received, for people: one block of lines. */
export function describePush(who: string, headers: Readonly<Record<string, string>>, body: unknown): string {
  const lines = [
    ...Object.entries(headers).map(([name, value]) => `    ${name}: ${value}`),
    `    ${JSON.stringify(body)}`,
  ]
  return `\n${who} received\n${lines.join('\n')}\n`
}
