/** The internet of a network of a test's own: names for Redis and a collector of traces, and simulated push services under the names and at the port of the real ones. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { startApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startFcmSimulator } from '../../src/simulators/fcm.ts'
import { startHmsSimulator } from '../../src/simulators/hms.ts'
import { startWebPushSimulator } from '../../src/simulators/webpush.ts'
import { until } from '../helpers/received.ts'
import { pushTo } from '../helpers/homeserver.ts'

export const APPLE = 'api.push.apple.com'
export const GOOGLE = 'fcm.googleapis.com'
export const OAUTH = 'oauth2.googleapis.com'
export const HUAWEI = 'push-api.cloud.huawei.com'
export const HUAWEI_OAUTH = 'oauth-login.cloud.huawei.com'
export const BROWSER = 'updates.push.services.mozilla.com'
/** Of UnifiedPush. */
export const PUSH_SERVER = 'ntfy.example.org'
export const REDIS = 'redis.internal'
export const COLLECTOR = 'collector.internal'

/** Those of push services are public, as Web Push and UnifiedPush go to no others; in that network they are the machine's own. */
export const ADDRESSES = {
  [APPLE]: '17.0.0.1',
  [GOOGLE]: '142.250.0.1',
  [OAUTH]: '142.250.0.2',
  [HUAWEI]: '80.158.0.1',
  [HUAWEI_OAUTH]: '80.158.0.2',
  [BROWSER]: '34.0.0.1',
  [PUSH_SERVER]: '34.0.0.2',
  [REDIS]: '10.0.0.6',
  [COLLECTOR]: '10.0.0.7',
} as const

const KEYS = ['FIRST12345', 'SECOND1234'] as const
const TEAM = 'TEAM123456'
const TOPIC = 'com.example.ios'
const HUAWEI_CLIENT = { projectId: '101', clientId: '202', clientSecret: 'the-client-secret' } as const

export interface PushServices {
  /** Without an `endpoint`: the push services are where they are by default. The second has other credentials. */
  readonly appsYaml: readonly [string, string]
  /** Has a device of each app notified, and waits until each was answered: with this status as the script (script.ts) says, or with success. */
  push(notifyUrl: string, script?: string, status?: number): Promise<void>
  /** FCM and Push Kit accept no access token any more that they gave out. */
  revokeTokens(): void
  readonly tokenRequests: () => number
  close(): Promise<void>
}

export async function startPushServices(folder: string): Promise<PushServices> {
  const path = (name: string): string => join(folder, name)
  const answers: { readonly token: string; readonly status: number | undefined }[] = []
  const authority = createAuthority()
  await writeFile(path('ca.pem'), authority.certificate)

  const pairs = KEYS.map((keyId) => ({ keyId, ...generateKeyPairSync('ec', { namedCurve: 'P-256' }) }))
  for (const { keyId, privateKey } of pairs)
    await writeFile(path(`${keyId}.pem`), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const apple = await startApnsSimulator({
    authority,
    host: APPLE,
    port: 443,
    keys: pairs.map(({ keyId, publicKey }) => ({ keyId, teamId: TEAM, publicKey, topics: [TOPIC] })),
    onPush: ({ token, status }) => answers.push({ token: Buffer.from(token, 'hex').toString(), status }),
  })
  const google = await startFcmSimulator({
    authority,
    host: OAUTH,
    port: 443,
    onPush: ({ token, status }) => answers.push({ token, status }),
  })
  for (const keyId of KEYS) await writeFile(path(`${keyId}.json`), JSON.stringify(google.createServiceAccount(keyId)))
  const huawei = await startHmsSimulator({
    authority,
    ...HUAWEI_CLIENT,
    host: HUAWEI_OAUTH,
    port: 443,
    onPush: ({ token, status }) => answers.push({ token, status }),
  })
  await writeFile(path('huawei-secret'), HUAWEI_CLIENT.clientSecret)
  const fronts = [await startFront(GOOGLE, ADDRESSES[OAUTH]), await startFront(HUAWEI, ADDRESSES[HUAWEI_OAUTH])]
  const browser = await startWebPushSimulator({
    authority,
    host: BROWSER,
    port: 443,
    onPush: ({ name, status }) => answers.push({ token: name, status }),
  })
  const pushServer = await startWebPushSimulator({
    authority,
    host: PUSH_SERVER,
    port: 443,
    leadsToGateway: true,
    onPush: ({ name, status }) => answers.push({ token: name, status }),
  })

  const appsYaml = (keyId: string): string => `apps:
  com.example.ios: { type: apns, key_file: ${path(`${keyId}.pem`)}, key_id: ${keyId}, team_id: ${TEAM}, topic: ${TOPIC}, ca_file: ${path('ca.pem')} }
  com.example.android: { type: fcm, service_account_file: ${path(`${keyId}.json`)}, ca_file: ${path('ca.pem')} }
  com.example.web: { type: webpush, vapid_private_key_file: ${path(`${keyId}.pem`)}, vapid_subject: 'mailto:ops@example.org', ca_file: ${path('ca.pem')} }
  com.example.huawei: { type: hms, project_id: '101', client_id: '202', client_secret_file: ${path('huawei-secret')}, ca_file: ${path('ca.pem')} }
  unifiedpush: { type: unifiedpush, privacy: event_id_only, catch_all: true, allowed_endpoints: [${PUSH_SERVER}], ca_file: ${path('ca.pem')} }
`

  return {
    appsYaml: [appsYaml(KEYS[0]), appsYaml(KEYS[1])],
    async push(notifyUrl, script, status) {
      const token = (): string => `${script === undefined ? 'device' : `x${script}`}-${randomUUID()}`
      const [ios, android, web, stock] = [token(), token(), token(), token()]
      // To Push Kit a 404 says that our project is none.
      const phone = status === undefined ? token() : `xr80300007-${randomUUID()}`
      const { p256dh, auth, endpoint } = browser.subscribe(web, { origin: `https://${BROWSER}` })
      const origin = `https://${PUSH_SERVER}`
      const registered = pushServer.subscribe(stock, { origin, isPlain: true, needsNoVapid: true })
      const devices = [
        { app_id: 'com.example.ios', pushkey: Buffer.from(ios).toString('base64') },
        { app_id: 'com.example.android', pushkey: android },
        { app_id: 'com.example.web', pushkey: p256dh, data: { endpoint, auth } },
        { app_id: 'com.example.huawei', pushkey: phone },
        { app_id: 'com.example.stock', pushkey: registered.endpoint },
      ]
      const notification = { event_id: `$${randomUUID()}`, room_id: '!room:example.org', prio: 'high', devices }
      const { status: answered } = await pushTo(notifyUrl, notification)
      if (answered !== 200) throw new Error(`the gateway answered ${answered}`)
      const wanted = {
        [ios]: status ?? 200,
        [android]: status ?? 200,
        [web]: status ?? 201,
        [phone]: status === undefined ? 200 : 400,
        [stock]: status ?? 201,
      }
      for (const [name, wantedStatus] of Object.entries(wanted))
        await until(`${name} is answered with ${wantedStatus}`, () =>
          answers.some((answer) => answer.token === name && answer.status === wantedStatus),
        )
    },
    revokeTokens() {
      google.revokeTokens()
      huawei.revokeTokens()
    },
    tokenRequests: () => google.tokenRequests + huawei.tokenRequests,
    async close() {
      for (const front of fronts) front.close()
      await Promise.all([apple, google, huawei, browser, pushServer].map((each) => each.close()))
    },
  }
}

/** One server, as it must know the tokens; another address, as Google and Huawei have it. */
async function startFront(name: string, address: string): Promise<Server> {
  const front = createServer((outer) => {
    const inner = connect(443, address)
    outer.on('error', () => {}).on('close', () => inner.destroy())
    inner.on('error', () => {}).on('close', () => outer.destroy())
    outer.pipe(inner).pipe(outer)
  })
  await once(front.listen(443, name), 'listening')
  return front
}
