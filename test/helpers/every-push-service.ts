/** A simulation of each push service with an app of each, each reached under an address of its own, so that a proxy's log tells them apart. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSimulators } from '../../src/commands/simulators.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type Subscription } from '../../src/simulators/webpush.ts'
import { startHuawei } from './huawei.ts'
import { untilNoneIsLeft } from './received.ts'

export const SERVICES = ['apns', 'fcm', 'hms', 'unifiedpush', 'webpush'] as const
export type Service = (typeof SERVICES)[number]

/** The apps' names in the configuration. */
export const APPS: Readonly<Record<Service, string>> = {
  apns: 'com.example.ios',
  fcm: 'com.example.android',
  hms: 'com.example.huawei',
  unifiedpush: 'com.example.unifiedpush',
  webpush: 'com.example.web',
}

export interface Arrival {
  readonly service: Service
  /** The notification's, as `notice` made it. */
  readonly token: string
  readonly atMs: number
}

/** As a homeserver names it in a notification. */
export interface RegisteredDevice {
  readonly app_id: string
  readonly pushkey: string
  readonly data?: { readonly endpoint: string; readonly auth: string } | undefined
}

export interface Notice {
  readonly token: string
  readonly notification: object
}

export interface EveryPushService extends AsyncDisposable {
  readonly appsYaml: string
  /** `host:port` of each, and of the token endpoints of FCM and Push Kit. */
  readonly addresses: Readonly<Record<Service | 'oauth' | 'hmsOauth', string>>
  readonly arrivals: readonly Arrival[]
  /** A device that the service knows, and answers as its token says (simulators/script.ts). */
  device(service: Service, token: string): RegisteredDevice
  /** A notification with a device of each service, which answers after this time. */
  notice(answerDelayMs?: number): Notice
  /** Resolves when all of these have come to each of those. */
  allArrived(notices: readonly Notice[], services?: readonly Service[]): Promise<void>
}

/** `nowMs`: the gateway's clock, by which it signs what it shows to FCM and Web Push, and keeps access tokens. */
export async function startEveryPushService(nowMs?: () => number): Promise<EveryPushService> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-services-'))
  const arrivals: Arrival[] = []
  const arriving = new EventEmitter().setMaxListeners(0)
  const add = (service: Service, token: string): void => {
    arrivals.push({ service, token, atMs: Date.now() })
    arriving.emit('push')
  }
  const simulators = await startSimulators({
    folder,
    nowMs,
    onApplePush: ({ token }) => add('apns', Buffer.from(token, 'hex').toString()),
    onGooglePush: ({ token }) => add('fcm', token),
  })
  const authority = createAuthority()
  const browsers = await startWebPushSimulator({ authority, onPush: ({ name }) => add('webpush', name), nowMs })
  const pushServer = await startWebPushSimulator({
    authority,
    leadsToGateway: true,
    onPush: ({ name }) => add('unifiedpush', name),
    nowMs,
  })
  const caFile = join(folder, 'web-ca.pem')
  await writeFile(caFile, authority.certificate)
  const huawei = await startHuawei(folder, authority, caFile, { onPush: ({ token }) => add('hms', token), nowMs })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const account: { token_uri: string } = JSON.parse(await readFile(join(folder, 'service-account.json'), 'utf8'))
  const atLocalhost = (url: string): string => `localhost:${new URL(url).port}`
  const fcmAddress = atLocalhost(simulators.fcmUrl)
  const hmsOauthAddress = atLocalhost(huawei.simulator.url)
  const pushServerAddress = atLocalhost(pushServer.url)

  const device = (service: Service, token: string): RegisteredDevice => {
    if (service === 'apns') return { app_id: APPS.apns, pushkey: Buffer.from(token).toString('base64') }
    if (service === 'fcm' || service === 'hms') return { app_id: APPS[service], pushkey: token }
    if (service === 'unifiedpush') return { app_id: APPS.unifiedpush, pushkey: registered(token).endpoint }
    const { p256dh, auth, endpoint } = browsers.subscribe(token, { origin: `https://localhost:${browsers.port}` })
    return { app_id: APPS.webpush, pushkey: p256dh, data: { endpoint, auth } }
  }
  /** Without keys, as stock apps. */
  const registered = (token: string): Subscription =>
    pushServer.subscribe(token, { origin: `https://${pushServerAddress}`, isPlain: true, needsNoVapid: true })

  const notice = (answerDelayMs = 0): Notice => {
    const token = `xd${answerDelayMs}-${randomUUID()}`
    const devices = SERVICES.map((service) => device(service, token))
    const notification = { event_id: `$${token}`, room_id: '!room:example.org', prio: 'high', devices }
    return { token, notification }
  }

  return {
    appsYaml: `${simulators.appsYaml.replace(simulators.fcmUrl, `https://${fcmAddress}`)}
  ${APPS.hms}: ${JSON.stringify({ ...huawei.section, oauth_endpoint: `https://${hmsOauthAddress}` })}
  ${APPS.unifiedpush}:
    type: unifiedpush
    privacy: event_id_only
    allowed_endpoints: [localhost]
    allow_private_endpoints: [localhost]
    ca_file: ${caFile}
  ${APPS.webpush}:
    type: webpush
    vapid_private_key_file: ${join(folder, 'vapid.pem')}
    vapid_subject: mailto:ops@example.org
    allow_private_endpoints: [localhost]
    ca_file: ${caFile}
`,
    addresses: {
      apns: new URL(simulators.apnsUrl).host,
      fcm: fcmAddress,
      oauth: new URL(account.token_uri).host,
      hms: new URL(huawei.simulator.url).host,
      hmsOauth: hmsOauthAddress,
      unifiedpush: pushServerAddress,
      webpush: `localhost:${browsers.port}`,
    },
    arrivals,
    device,
    notice,
    async allArrived(notices, services = SERVICES) {
      const missing = new Set(notices.flatMap(({ token }) => services.map((service) => `${service} ${token}`)))
      let seen = 0
      const left = (): number => {
        for (; seen < arrivals.length; seen += 1) missing.delete(`${arrivals[seen]?.service} ${arrivals[seen]?.token}`)
        return missing.size
      }
      await untilNoneIsLeft(arriving, 'push', left, () => {
        const byService = Map.groupBy(missing, (name) => name.split(' ')[0])
        const counts = [...byService].map(([service, names]) => `${names.length} to ${service}`)
        return `of ${notices.length} notifications, these did not come: ${counts.join(', ')}`
      })
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([
        simulators[Symbol.asyncDispose](),
        ...[browsers, pushServer, huawei.simulator].map((each) => each.close()),
      ])
      await rm(folder, { recursive: true })
    },
  }
}
